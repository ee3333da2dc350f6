package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// bodies are a lead's events of one type, in order.
func bodies[M proto.Message](h *house, id string) (out []M) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), lead.SubjectOf(id))) {
		if m, ok := e.Body.(M); ok {
			out = append(out, m)
		}
	}
	return out
}

// A long shot with marketing wants to order: it is handed over within the fast
// track's time, and the explanation says why. Whoever sends it back does not get
// it again by the next signal.
func TestHotSignalFromNurture(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	ebook := filled(1)
	ebook["contact_me"] = []string{"content only"}
	id := h.submit("ebook", ebook)
	h.settle()
	same(t, "the state of who asked for content only", h.lead(id).GetState(), leadv1.State_STATE_NURTURING)

	// A call alone changes nothing.
	calls := qualificationv1.NewQualificationServiceClient(h.conn)
	must[*qualificationv1.RecordCallResponse](t)(calls.RecordCall(h.as("ana"), &qualificationv1.RecordCallRequest{LeadId: id, IdempotencyKey: "c1", Reached: true, FitConfirmed: true}))
	h.settle()
	same(t, "the state after a call without a signal", h.lead(id).GetState(), leadv1.State_STATE_NURTURING)

	h.touch(&intakev1.Touch{ExternalId: "o1", Kind: "order-intent", LeadId: id})
	h.settle()
	got := h.lead(id)
	same(t, "the lead after the signal", []any{got.GetState(), got.GetStage(), got.GetTakeBy().AsTime()}, []any{leadv1.State_STATE_OFFERED, leadv1.Stage_STAGE_MQL, monday.Add(30 * time.Minute)})
	if said := strings.Join(h.explained(id), "\n"); !strings.Contains(said, `the signal "Wants to order" was seen`) {
		t.Errorf("the explanation does not name the signal:\n%s", said)
	}

	who := got.GetOfferedTo()
	must[*routingv1.RejectResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Reject(h.as(who), &routingv1.RejectRequest{LeadId: id, Reason: "not-ready"}))
	h.settle()
	same(t, "the state after it was sent back", h.lead(id).GetState(), leadv1.State_STATE_NURTURING)
	h.touch(&intakev1.Touch{ExternalId: "o2", Kind: "reply", LeadId: id})
	h.settle()
	if again := h.lead(id); again.GetState() != leadv1.State_STATE_OFFERED || again.GetOfferedTo() == who {
		t.Errorf("after the next signal the lead is %v with %s, who was %s", again.GetState(), again.GetOfferedTo(), who)
	}
	result := whole(t, h)
	if result.Decisions < 6 {
		t.Errorf("only %d decisions were derived again", result.Decisions)
	}
}

// What is with marketing gets what the plan says, is looked at again on its date,
// and goes on by itself once its facts suffice.
func TestNurtureIsAPlan(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	poor := url.Values{"email": {"eva@maschinen.example"}, "country": {"Germany"}, "job_title": {"Student"}, "company": {"Maschinen AG"}}
	id := h.submit("poor", poor)
	h.settle()
	left := bodies[*leadv1.LeadNurtured](h, id)
	same(t, "what the plan wants first", []any{left[0].GetNextTouch(), left[0].GetNextTouchDue().AsTime(), left[0].GetRecheckAt().AsTime()},
		[]any{"customer-story", monday.Add(7 * 24 * time.Hour), monday.Add(30 * 24 * time.Hour)})

	h.forward(8 * 24 * time.Hour)
	h.touch(&intakev1.Touch{ExternalId: "s1", Kind: "customer-story", LeadId: id})
	h.settle()
	if made := bodies[*leadv1.NurtureAdvanced](h, id); len(made) != 1 || made[0].GetNextTouch() != "invitation" {
		t.Errorf("the plan is at %v", made)
	}
	// Its date comes, and comes again.
	h.forward(60 * 24 * time.Hour)
	left = bodies[*leadv1.LeadNurtured](h, id)
	var dates []time.Time
	for _, one := range left {
		dates = append(dates, one.GetRecheckAt().AsTime())
	}
	same(t, "when it is looked at again", dates, []time.Time{monday.Add(30 * 24 * time.Hour), monday.Add(60 * 24 * time.Hour), monday.Add(90 * 24 * time.Hour)})
	if last := left[len(left)-1]; last.GetNextTouch() != "invitation" {
		t.Errorf("the plan has forgotten where it was: %v", last)
	}
	same(t, "what was said in all", slices.DeleteFunc(h.types(lead.SubjectOf(id)), func(typ string) bool { return strings.HasSuffix(typ, "Matched") }),
		[]string{"LeadReceived", "PersonAttached", "LeadNurtured", "TouchAdded", "NurtureAdvanced", "LeadNurtured", "LeadNurtured"})
	whole(t, h)
}

// A lead lacks a fact that must be known; a version that wants less lets it go on
// at the instant at which it comes into force.
func TestRequiredFactsHoldALead(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	wants := strings.Replace(string(h.document()), "    leave_within: 3d\n", "    leave_within: 3d\n    requires: [answers.budget]\n", 1)
	h.agree([]byte(wants))
	id := h.submit("one", filled(1))
	h.settle()
	got := h.lead(id)
	same(t, "the lead without its fact", []any{got.GetState(), got.GetBlockedBy()}, []any{leadv1.State_STATE_HELD, "required-facts"})
	if !strings.Contains(got.GetBlockedText(), `Missing: answer "budget" of the form`) {
		t.Errorf("it waits because %s", got.GetBlockedText())
	}
	later := monday.Add(2 * time.Hour)
	less := strings.Replace(string(h.document()), "# in_force_from: 2027-01-01T00:00:00Z", "in_force_from: "+later.Format(time.RFC3339), 1)
	h.agree([]byte(less))
	h.settle()
	same(t, "the state before the other version is in force", h.lead(id).GetState(), leadv1.State_STATE_HELD)
	h.forward(3 * time.Hour)
	qualified := bodies[*leadv1.LeadQualified](h, id)
	if len(qualified) != 1 || qualified[0].GetAgreementVersion() != 2 {
		t.Fatalf("it was qualified by %v", qualified)
	}
	whole(t, h)
}
