package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

var onceField = regexp.MustCompile(`name="once" value="(\d+)"`)

// Goes red if: whoever took a lead by the link of a message cannot tell what came of a call
// by one press, a press counts twice, or the link tells anything while the lead is not theirs.
func TestALinkTellsWhatCameOfACall(t *testing.T) {
	office := openPostOffice(t)
	h := start(t, Config{SMTPURL: office.url(), PublicURL: "https://leads.example.com"})
	h.postal("ana", "ben", "chloe")
	h.agree(h.document())
	id := h.submit("mail-1", filled(1))
	h.settle()
	who := h.lead(id).GetOfferedTo()
	link := answerLink.FindStringSubmatch(office.letters(t)[0].text)[1]
	press := func(once, disposition string) reply {
		return h.browse(http.MethodPost, link, url.Values{"answer": {"touch"}, "once": {once}, "disposition": {disposition}})
	}
	touches := func() (said []string) {
		for _, e := range must[[]*ledger.Event](t)(h.App.log.History(t.Context(), "lead."+id)) {
			if b, ok := e.Body.(*leadv1.OutcomeRecorded); ok {
				said = append(said, fmt.Sprintf("%s %s %s %s %t by %s", b.GetMember(), b.GetChannel(), b.GetDirection(), b.GetDisposition(), b.GetReached(), e.Actor))
			}
		}
		return said
	}
	same(t, "while it is only offered", press("1", "spoke").status, http.StatusConflict)
	if body := h.browse(http.MethodGet, link, nil).body; strings.Contains(body, "You called them") {
		t.Errorf("a lead that nobody took asks what came of a call:\n%s", body)
	}
	same(t, "taken", h.browse(http.MethodPost, link, url.Values{"answer": {"accept"}}).status, http.StatusSeeOther)
	h.settle()
	page := h.browse(http.MethodGet, link, nil).body
	has(t, page, "This lead is with you", "You called them", "Nobody answered", "Spoke with the person")
	once := onceField.FindStringSubmatch(page)[1]
	for range 2 {
		same(t, "pressed", press(once, "no-answer").status, http.StatusSeeOther)
	}
	same(t, "a word that is not agreed", press("x", "lunch").status, http.StatusBadRequest)
	h.settle()
	page = h.browse(http.MethodGet, link, nil).body
	has(t, page, "The last touch that is recorded was at Monday 2026-03-02 10:00 CET: Nobody answered.")
	same(t, "once more", press(onceField.FindStringSubmatch(page)[1], "spoke").status, http.StatusSeeOther)
	h.settle()
	same(t, "touches", touches(), []string{who + " call out no-answer false by " + who, who + " call out spoke true by " + who})
	// It was given back: the link is worth nothing any more.
	must[*routingv1.RejectResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Reject(h.as(who), &routingv1.RejectRequest{LeadId: id, Reason: "no-time"}))
	h.settle()
	same(t, "given back", press("y", "spoke").status, http.StatusConflict)
	same(t, "touches", len(touches()), 2)
	whole(t, h)
}

// What sales learned comes back: by REST, to a system that hears it, and as a list; the log
// holds nothing personal of it, and no decision is made or changed by it.
func TestFeedbackComesBack(t *testing.T) {
	h := start(t, Config{})
	hears := openReceiver(t, func(http.ResponseWriter, *http.Request, int) {})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	secret := h.webhook("marketing-tool", hears.URL, "FeedbackGiven", "OfferRejected", "OutcomeRecorded")
	form := filled(1)
	form.Set("utm_campaign", "spring")
	id := h.submit("f-1", form)
	h.settle()
	who := h.lead(id).GetOfferedTo()
	routing, feedback := routingv1.NewRoutingServiceClient(h.conn), feedbackv1.NewFeedbackServiceClient(h.conn)
	must[*routingv1.AcceptResponse](t)(routing.Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id}))
	h.settle()
	before := h.lead(id)

	asked := must[*feedbackv1.FeedbackForm](t)(feedback.GetFeedbackForm(h.as(who), &feedbackv1.GetFeedbackFormRequest{LeadId: id}))
	same(t, "must be answered", asked.GetMissing(), []string{"interest", "why", "talk"})
	same(t, "by when", asked.GetDueAt().AsTime(), time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC))
	given := must[*feedbackv1.GiveFeedbackResponse](t)(feedback.GiveFeedback(h.as(who), &feedbackv1.GiveFeedbackRequest{LeadId: id, IdempotencyKey: "f", Note: "she likes tea", Feedback: &leadv1.FeedbackGiven{
		Interest: 5, Why: []string{"urgent"}, Talk: "well", Missing: []string{"timing"}, Phrases: []string{"Too slow at month end"},
	}}))
	same(t, "still missing", len(given.GetMissing()), 0)
	// The name of the contact stands in no phrase.
	_, err := feedback.GiveFeedback(h.as(who), &feedbackv1.GiveFeedbackRequest{LeadId: id, IdempotencyKey: "g", Feedback: &leadv1.FeedbackGiven{Phrases: []string{"ada said so"}}})
	if kind, text := told(err); kind != fault.Invalid || strings.Contains(text, "ada") {
		t.Errorf("a phrase with the contact's name: %v", err)
	}
	must[*feedbackv1.RecordOutcomeResponse](t)(feedback.RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "s", Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, DealStage: "offer"}))
	must[*feedbackv1.RecordOutcomeResponse](t)(feedback.RecordOutcome(h.as(who), &feedbackv1.RecordOutcomeRequest{
		LeadId: id, IdempotencyKey: "w", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 120050, Currency: "EUR", OccurredAt: timestamppb.New(h.time.Now()),
	}))
	h.settle()

	list := must[*feedbackv1.ListFeedbackResponse](t)(feedback.ListFeedback(h.as("ben"), &feedbackv1.ListFeedbackRequest{Campaign: "spring"}))
	if len(list.GetFeedback()) != 1 || list.GetFeedback()[0].GetLeadId() != id || !slices.Equal(list.GetFeedback()[0].GetFeedback().GetPhrases(), []string{"too slow at month end"}) || list.GetFeedback()[0].GetFeedback().GetNote() != nil {
		t.Errorf("listed %v", list)
	}
	var types []string
	for _, c := range hears.heard() {
		if !verified(secret, c) {
			t.Error("the signature does not fit")
		}
		var got struct {
			Type string
			Data struct {
				LeadID   string `json:"lead_id"`
				Outcome  string
				Campaign string
				Stage    string `json:"deal_stage"`
				Value    int64  `json:"value_minor"`
				Feedback *struct {
					Interest int
					Phrases  []string
				}
			}
		}
		if err := json.Unmarshal(c.body, &got); err != nil {
			t.Fatal(err)
		}
		same(t, "of which lead", []string{got.Data.LeadID, got.Data.Campaign}, []string{id, "spring"})
		types = append(types, strings.TrimSpace(got.Type+" "+got.Data.Outcome+" "+got.Data.Stage))
		if got.Data.Feedback != nil && (got.Data.Feedback.Interest != 5 || !slices.Equal(got.Data.Feedback.Phrases, []string{"too slow at month end"})) {
			t.Errorf("told %s", c.body)
		}
		if strings.Contains(string(c.body), "tea") || got.Data.Outcome == "won" && got.Data.Value != 120050 {
			t.Errorf("told %s", c.body)
		}
	}
	slices.Sort(types)
	same(t, "told", types, []string{"feedback.given", "outcome.recorded stage offer", "outcome.recorded won"})
	has(t, h.sentencesOf(id, func(*leadv1.HistoryEntry) bool { return true }), "gave feedback: interest 5 of 5; because of urgent", "brought the deal to the stage offer")
	same(t, "the agreement that decided", h.lead(id).GetAgreementVersion(), before.GetAgreementVersion())
	whole(t, h)
}

func TestPeopleArePlaced(t *testing.T) {
	h := start(t, Config{})
	h.team("ana")
	routing := routingv1.NewRoutingServiceClient(h.conn)
	placed := must[*routingv1.Member](t)(routing.PlaceMember(h.as(""), &routingv1.PlaceMemberRequest{Member: "ana", Team: "north", Manager: "mia", Office: "berlin", IdempotencyKey: "p"}))
	same(t, "placed", []string{placed.GetTeam(), placed.GetManager(), placed.GetOffice()}, []string{"north", "mia", "berlin"})
	must[*routingv1.Member](t)(routing.PlaceMember(h.as(""), &routingv1.PlaceMemberRequest{Member: "ana", Team: "north", Manager: "mia", Office: "berlin", IdempotencyKey: "p"}))
	same(t, "said", h.memberEvents()["MemberPlaced"], 1)
	_, err := routing.PlaceMember(h.as("ana"), &routingv1.PlaceMemberRequest{Member: "ana", Team: "south"})
	if kind, text := told(err); kind != fault.Denied {
		t.Errorf("ana places herself: %s", text)
	}
	list := must[*routingv1.ListMembersResponse](t)(routing.ListMembers(h.as("ana"), &routingv1.ListMembersRequest{}))
	for _, m := range list.GetMembers() {
		if m.GetMember() == "ana" {
			same(t, "listed", m.GetTeam(), "north")
		}
	}
	whole(t, h)
}
