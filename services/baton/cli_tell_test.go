package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

func (s *system) PlaceMember(_ context.Context, req *routingv1.PlaceMemberRequest) (*routingv1.Member, error) {
	s.ask(req)
	return &routingv1.Member{Member: req.GetMember(), Team: req.GetTeam(), Manager: req.GetManager(), Office: req.GetOffice()}, nil
}

func (s *system) GiveFeedback(_ context.Context, req *feedbackv1.GiveFeedbackRequest) (*feedbackv1.GiveFeedbackResponse, error) {
	s.ask(req)
	return &feedbackv1.GiveFeedbackResponse{Sequence: 9, Missing: []string{"why"}}, nil
}

func (s *system) GetFeedbackForm(_ context.Context, req *feedbackv1.GetFeedbackFormRequest) (*feedbackv1.FeedbackForm, error) {
	s.ask(req)
	return &feedbackv1.FeedbackForm{
		LeadId: req.GetLeadId(), Missing: []string{"talk"}, DueAt: timestamppb.New(time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC)), Vertical: "retail", Phrases: []string{"too slow"},
		Given: &leadv1.FeedbackGiven{Interest: 4},
		Questions: []*feedbackv1.FeedbackQuestion{
			{Name: "interest", Text: "How interesting?", Required: true},
			{Name: "talk", Text: "How did it go?", Required: true, Choices: []*feedbackv1.FeedbackChoice{{Id: "well", Title: "Well"}, {Id: "hard", Title: "Hard"}}},
			{Name: "missing", Text: "What was missing?"},
		},
	}, nil
}

func (s *system) ListFeedback(_ context.Context, req *feedbackv1.ListFeedbackRequest) (*feedbackv1.ListFeedbackResponse, error) {
	s.ask(proto.CloneOf(req))
	out := &feedbackv1.ListFeedbackResponse{Feedback: []*feedbackv1.LeadFeedback{{LeadId: "lone", GivenAt: timestamppb.New(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)), Feedback: &leadv1.FeedbackGiven{
		Member: "ana", Campaign: "spring", Interest: 4, Why: []string{"urgent", "budget"}, Phrases: []string{"too slow", "month end"},
	}}}, NextPageToken: "2"}
	if req.GetPageToken() != "" {
		out.Feedback[0].LeadId, out.NextPageToken = "ltwo", ""
	}
	return out, nil
}

func TestTellByCommands(t *testing.T) {
	s := &system{}
	serve(t, s)
	ok(t, "lead", "outcome", "lone", "--kind", "touch", "--channel", "email", "--direction", "in", "--disposition", "spoke", "--minutes", "5", "--idempotency-key", "k1")
	ok(t, "lead", "outcome", "lone", "--kind", "stage", "--deal-stage", "offer", "--idempotency-key", "k2")
	var told []*feedbackv1.RecordOutcomeRequest
	for _, m := range s.asked {
		if req, is := m.(*feedbackv1.RecordOutcomeRequest); is {
			told = append(told, req)
		}
	}
	if diff := cmp.Diff([]*feedbackv1.RecordOutcomeRequest{
		{LeadId: "lone", IdempotencyKey: "k1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "email", Direction: "in", Disposition: "spoke", Minutes: 5},
		{LeadId: "lone", IdempotencyKey: "k2", Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, DealStage: "offer"},
	}, told, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	out := ok(t, "feedback", "give", "lone", "--interest", "4", "--ease", "2", "--why", "urgent,budget", "--talk", "well", "--missing", "timing", "--vertical", "retail", "--persona", "boss",
		"--phrase", "too slow", "--phrase", "month end", "--note", "tea", "--idempotency-key", "f")
	has(t, out, "Thank you (event 9).", "Still to be answered: why")
	if diff := cmp.Diff(&feedbackv1.GiveFeedbackRequest{LeadId: "lone", IdempotencyKey: "f", Note: "tea", Feedback: &leadv1.FeedbackGiven{
		Interest: 4, Ease: 2, Why: []string{"urgent", "budget"}, Talk: "well", Missing: []string{"timing"}, Vertical: "retail", Persona: "boss", Phrases: []string{"too slow", "month end"},
	}}, last[*feedbackv1.GiveFeedbackRequest](t, s), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	has(t, ok(t, "feedback", "form", "lone"), "interest *", "1 to 5", "well, hard", "none agreed", "Must be answered: talk, by 2026-03-05T09:00:00Z", "industry retail", "too slow")
	has(t, ok(t, "feedback", "list", "--campaign", "spring", "--since", "2026-03-01T00:00:00Z"), "lone", "ltwo", "spring", "urgent, budget", "too slow; month end")
	if req := last[*feedbackv1.ListFeedbackRequest](t, s); req.GetCampaign() != "spring" || !req.GetSince().AsTime().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) || req.GetPageToken() != "2" {
		t.Errorf("asked %v", req)
	}

	has(t, ok(t, "people", "place", "ana", "--team", "north", "--manager", "mia", "--office", "berlin", "--from", "2026-06-01T00:00:00Z", "--idempotency-key", "p"), "ana: north, under mia, in berlin")
	if diff := cmp.Diff(&routingv1.PlaceMemberRequest{
		Member: "ana", Team: "north", Manager: "mia", Office: "berlin", IdempotencyKey: "p", From: timestamppb.New(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)),
	}, last[*routingv1.PlaceMemberRequest](t, s), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestImportOutcomesSayMore(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "touches.csv", "external_id,outcome,occurred_at,channel,direction,disposition,minutes,deal_stage\n"+
		"1,touch,2026-01-01T10:00:00Z,call,Outbound,No Answer,3,offer\n1,stage,2026-01-02T10:00:00Z,,,,,First Meeting\n"+
		"1,stage,2026-01-03T10:00:00Z,,,,,\n1,touch,2026-01-04T10:00:00Z,call,sideways,,,\n1,touch,2026-01-05T10:00:00Z,call,in,,long,\n")
	tallied(t, "import", file, "--source", "crm", "--kind", "outcomes")
	var got []string
	for _, row := range last[*feedbackv1.ImportOutcomesRequest](t, s).GetRows() {
		row.Key = ""
		got = append(got, row.GetKind().String()[len("OUTCOME_KIND_"):]+" "+row.GetDirection()+" "+row.GetDisposition()+" "+row.GetDealStage())
	}
	same(t, "rows", got, []string{"TOUCH out no-answer ", "STAGE   first-meeting"})
	var reasons []string
	for _, row := range rejectsOf(t, file)[1:] {
		reasons = append(reasons, row[1]+": "+row[2])
	}
	same(t, "rejects", reasons, []string{
		": the outcome is stage, and deal_stage is empty", "direction: the direction is neither in nor out", "minutes: the minutes are no whole number from 0 to 1440",
	})
}

// Who comes new is made known and placed; who is known is placed where the row says
// otherwise, and left alone where it says nothing or the same.
func TestImportPeoplePlacesThem(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "people.csv", "handle,roles,team,manager,office\nAna,sales,North West,Mia Berg,Berlin\nZoe,sales,south,,\nMax,sales,,,\nZoe,sales,south,,\n")
	tallied(t, "import", file, "--kind", "people")
	var placed []string
	for _, m := range s.asked {
		if req, is := m.(*routingv1.PlaceMemberRequest); is {
			placed = append(placed, req.GetMember()+" "+req.GetTeam()+" "+req.GetManager()+" "+req.GetOffice())
		}
	}
	slices.Sort(placed)
	same(t, "placed", placed, []string{"ana north-west mia.berg berlin", "zoe south  "})
}
