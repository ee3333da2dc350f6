package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func (f *fixed) GetFeedbackForm(_ context.Context, ask *feedbackv1.GetFeedbackFormRequest) (*feedbackv1.FeedbackForm, error) {
	if f.empty {
		return nil, status.Error(codes.Unavailable, "not now")
	}
	choice := func(id, title string) *feedbackv1.FeedbackChoice {
		return &feedbackv1.FeedbackChoice{Id: id, Title: title}
	}
	return &feedbackv1.FeedbackForm{
		LeadId: ask.GetLeadId(), Vertical: "kettles", Persona: "initiator", Missing: []string{"interest", "talk"}, DueAt: timestamppb.New(at.Add(24 * time.Hour)),
		Phrases:      []string{"too slow"},
		Dispositions: []*feedbackv1.FeedbackChoice{choice("spoke", "Spoke with <them>"), choice("no-answer", "Nobody answered")},
		DealStages:   []*feedbackv1.FeedbackChoice{choice("offer", "Offer sent")},
		Questions: []*feedbackv1.FeedbackQuestion{
			{Name: "interest", Text: "How interesting was it, from 1 (not at all) to 5 (very)?", Required: true},
			{Name: "why", Text: "Why?", Several: true, Choices: []*feedbackv1.FeedbackChoice{choice("urgent", "The need is urgent"), choice("budget", "There is a budget")}},
			{Name: "talk", Text: "How did the talk go?", Required: true, Choices: []*feedbackv1.FeedbackChoice{choice("well", "It went well"), choice("hard", "It was hard")}},
			{Name: "missing", Text: "Which information was missing, for the next campaign?", Several: true},
			{Name: "vertical", Text: "Which industry are they in?", Choices: []*feedbackv1.FeedbackChoice{choice("kettles", "kettles"), choice("teapots", "teapots")}},
			{Name: "persona", Text: "Who was it?", Choices: []*feedbackv1.FeedbackChoice{choice("initiator", "Initiator")}},
			{Name: "ease", Text: "How easy was it to get on with them, from 1 (hard) to 5 (easy)?"},
			{Name: "phrases", Text: "Which words did they use?", Several: true},
		},
		Given: &leadv1.FeedbackGiven{Member: "ben", Interest: 2, Why: []string{"budget"}, Phrases: []string{"month end"}},
	}, nil
}

func (f *fixed) RecordOutcome(_ context.Context, ask *feedbackv1.RecordOutcomeRequest) (*feedbackv1.RecordOutcomeResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hands = append(f.hands, ask)
	if ask.GetNote() == "refuse" {
		return nil, status.Error(codes.FailedPrecondition, "the lead is won already")
	}
	return &feedbackv1.RecordOutcomeResponse{Sequence: 12}, nil
}

func (f *fixed) GiveFeedback(_ context.Context, ask *feedbackv1.GiveFeedbackRequest) (*feedbackv1.GiveFeedbackResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hands = append(f.hands, ask)
	if ask.GetNote() == "refuse" {
		return nil, status.Error(codes.InvalidArgument, "phrases: number 1 holds an address")
	}
	return &feedbackv1.GiveFeedbackResponse{Sequence: 13, Missing: []string{"talk"}}, nil
}

// Goes red if: who has a lead cannot say on its page what became of it, what the form holds
// is not what is sent, or somebody else is asked.
func TestWhoHasALeadTellsOnItsPage(t *testing.T) {
	s := newStand(t)
	s.signIn(benToken)
	f := s.fixed
	page := s.get("/leads/" + acceptedLead)
	for _, part := range []string{
		"Record a touch", "Spoke with &lt;them&gt;", "Say how the deal stands", "Offer sent",
		"Tell marketing what you learned", `name="interest" value="2" required checked`, `value="budget" checked`, `<option value="kettles" selected>`, `<option value="initiator" selected>`,
		`name="phrases" value="month end"`, `<option value="too slow">`, "must be answered", "What sales learned", "There is a budget",
	} {
		if !strings.Contains(page.text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(page.text, "Which information was missing") {
		t.Error("a question without anything to choose from is asked")
	}
	done := s.post("/leads/"+acceptedLead+"/outcomes", url.Values{
		"key": {"k1"}, "kind": {"touch"}, "channel": {"call"}, "direction": {"out"}, "disposition": {"spoke"}, "minutes": {"7"}, "at": {"2026-03-02T08:30"}, "note": {" said hello "},
		"reason": {"left from elsewhere"},
	})
	if done.StatusCode != http.StatusSeeOther {
		t.Errorf("a touch: %d", done.StatusCode)
	}
	s.get("/leads/"+acceptedLead).has(t, 200, "Recorded.")
	s.post("/leads/"+acceptedLead+"/outcomes", url.Values{"key": {"k2"}, "kind": {"won"}, "value": {"1200.50"}, "currency": {"eur"}})
	s.post("/leads/"+acceptedLead+"/outcomes", url.Values{"key": {"k3"}, "kind": {"lost"}, "reason": {"No  budget"}, "currency": {"EUR"}})
	s.post("/leads/"+acceptedLead+"/outcomes", url.Values{"key": {"k4"}, "kind": {"stage"}, "deal_stage": {"offer"}})
	want := []*feedbackv1.RecordOutcomeRequest{
		{
			LeadId: acceptedLead, IdempotencyKey: "k1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call", Direction: "out", Disposition: "spoke", Minutes: 7, Note: "said hello",
			OccurredAt: timestamppb.New(time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC)),
		},
		{LeadId: acceptedLead, IdempotencyKey: "k2", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 120050, Currency: "EUR"},
		{LeadId: acceptedLead, IdempotencyKey: "k3", Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Reason: "no-budget"},
		{LeadId: acceptedLead, IdempotencyKey: "k4", Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, DealStage: "offer"},
	}
	if diff := cmp.Diff(want, handed[*feedbackv1.RecordOutcomeRequest](f), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// What stood against it is said, and what was typed is there.
	for _, form := range []url.Values{
		{"kind": {"touch"}, "channel": {"call"}, "minutes": {"an hour"}},
		{"kind": {"won"}, "value": {"12"}, "currency": {"euros"}},
		{"kind": {"won"}, "value": {"a lot"}, "currency": {"EUR"}},
		{"key": {"k5"}},
		{"kind": {"lost"}, "at": {"yesterday"}},
	} {
		if got := s.post("/leads/"+acceptedLead+"/outcomes", form); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%v: %d", form, got.StatusCode)
		}
	}
	refused := s.post("/leads/"+acceptedLead+"/outcomes", url.Values{"key": {"k6"}, "kind": {"lost"}, "reason": {"price"}, "note": {"refuse"}})
	for _, part := range []string{"the lead is won already", `value="price"`, ">refuse</textarea>"} {
		if !strings.Contains(strings.ToLower(refused.text), part) {
			t.Errorf("after a refusal the page lacks %q", part)
		}
	}

	told := s.post("/leads/"+acceptedLead+"/feedback", url.Values{
		"key": {"f1"}, "interest": {"4"}, "why": {"urgent", "budget"}, "talk": {"well"}, "vertical": {"teapots"}, "persona": {"initiator"}, "ease": {"5"}, "phrases": {"too slow", " ", ""}, "note": {"tea"},
	})
	if told.StatusCode != http.StatusSeeOther {
		t.Errorf("feedback: %d", told.StatusCode)
	}
	s.get("/leads/"+acceptedLead).has(t, 200, "Thank you: marketing reads it. Still to be answered: talk.")
	said := &feedbackv1.GiveFeedbackRequest{LeadId: acceptedLead, IdempotencyKey: "f1", Note: "tea", Feedback: &leadv1.FeedbackGiven{
		Interest: 4, Why: []string{"urgent", "budget"}, Talk: "well", Vertical: "teapots", Persona: "initiator", Ease: 5, Phrases: []string{"too slow"},
	}}
	if diff := cmp.Diff([]*feedbackv1.GiveFeedbackRequest{said}, handed[*feedbackv1.GiveFeedbackRequest](f), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	kept := s.post("/leads/"+acceptedLead+"/feedback", url.Values{"key": {"f2"}, "interest": {"5"}, "phrases": {"a@b"}, "note": {"refuse"}})
	for _, part := range []string{"holds an address", `name="interest" value="5" required checked`, `value="a@b"`} {
		if !strings.Contains(kept.text, part) {
			t.Errorf("after a refusal the page lacks %q", part)
		}
	}

	// Ana has it not and had it not; she reads what was learned.
	other := newStand(t)
	other.signIn(anaToken)
	page = other.get("/leads/" + acceptedLead)
	for _, part := range []string{"Record a touch", "Say how the deal stands", "Tell marketing"} {
		if strings.Contains(page.text, part) {
			t.Errorf("somebody else is asked %q", part)
		}
	}
	if !strings.Contains(page.text, "What sales learned") {
		t.Error("what was learned is not for everybody")
	}
	// A manager says how the deal stands and what was learned, but touches nobody.
	managed := newStand(t)
	managed.signIn(maxToken)
	page = managed.get("/leads/" + acceptedLead)
	if strings.Contains(page.text, "Record a touch") || !strings.Contains(page.text, "Say how the deal stands") || !strings.Contains(page.text, "Tell marketing") {
		t.Error("a manager is asked something else")
	}
}
