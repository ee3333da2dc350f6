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
	"github.com/leadbaton/baton/services/internal/access"
)

// cases are one that sales opened and two that were drawn for review.
func (f *fixed) cases() []*feedbackv1.Dispute {
	if f.empty {
		return nil
	}
	all := []*feedbackv1.Dispute{
		{DisputeId: "sold-1", LeadId: offeredLead, State: "open", OpenedBy: "ben", OpenedAt: ago(3 * time.Hour), Opened: &leadv1.DisputeOpened{
			DisputeId: "sold-1", Party: "sales", Offer: 1, HandoffSequence: 4, Claim: leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED, Criteria: []string{"size"}, Arbiter: "arbi", EscalateAt: timestamppb.New(at.Add(40 * time.Hour)),
		}, Notes: []string{"two people <only>", "", ""}},
	}
	for _, id := range []string{"review-1", "review-2"} {
		all = append(all, &feedbackv1.Dispute{DisputeId: id, LeadId: acceptedLead, State: "open", OpenedBy: "arbi", OpenedAt: ago(2 * time.Hour), Opened: &leadv1.DisputeOpened{
			DisputeId: id, Party: "system", Offer: 1, HandoffSequence: 7, Claim: leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW, Arbiter: "arbi",
		}})
	}
	return all
}

func (f *fixed) ListDisputes(_ context.Context, ask *feedbackv1.ListDisputesRequest) (*feedbackv1.ListDisputesResponse, error) {
	out := &feedbackv1.ListDisputesResponse{}
	for _, d := range f.cases() {
		review := d.GetOpened().GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW
		if ask.GetReview() && !review || f.decided[d.GetDisputeId()] && !ask.GetDecided() {
			continue
		}
		out.Disputes = append(out.Disputes, d)
	}
	if ask.GetDecided() && ask.GetPageToken() == "" {
		out.NextPageToken = "9"
	}
	return out, nil
}

func (f *fixed) GetDispute(_ context.Context, ask *feedbackv1.GetDisputeRequest) (*feedbackv1.Dispute, error) {
	for _, d := range f.cases() {
		if d.GetDisputeId() != ask.GetDisputeId() {
			continue
		}
		d.Evidence = &feedbackv1.DisputeEvidence{
			HandedAt: ago(24 * time.Minute), Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 2, Pool: "north", Member: "ben", Digest: []byte{0xab, 0xcd}, Touches: 1, FirstTouchAt: ago(time.Minute),
			Explanation: &leadv1.Explanation{Summary: "It fitted then.", Criteria: []*leadv1.Criterion{{Id: "size", Text: "At least 20 employees", Must: true, Values: []*leadv1.NamedValue{{Name: "lead.employees", Value: "2"}}}}},
			Hints: []*feedbackv1.DisputeHint{
				{Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, Criterion: "size", Text: "it had to hold and did not"},
				{Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, Text: "nobody touched it"},
			},
		}
		return d, nil
	}
	return nil, status.Error(codes.NotFound, "there is no such case")
}

func (f *fixed) OpenDispute(_ context.Context, ask *feedbackv1.OpenDisputeRequest) (*feedbackv1.Dispute, error) {
	f.hand(ask)
	if ask.GetNote() == "again" {
		return nil, status.Error(codes.FailedPrecondition, "case sold-1 is open on the same offer")
	}
	return f.cases()[0], nil
}

func (f *fixed) AnswerDispute(_ context.Context, ask *feedbackv1.AnswerDisputeRequest) (*feedbackv1.Dispute, error) {
	f.hand(ask)
	return f.cases()[0], nil
}

func (f *fixed) DecideDispute(_ context.Context, ask *feedbackv1.DecideDisputeRequest) (*feedbackv1.Dispute, error) {
	f.hand(ask)
	if ask.GetVerdict() == leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION {
		return nil, status.Error(codes.FailedPrecondition, "no questionnaire was asked")
	}
	for _, d := range f.cases() {
		if d.GetDisputeId() == ask.GetDisputeId() {
			if f.decided == nil {
				f.decided = map[string]bool{}
			}
			f.decided[ask.GetDisputeId()] = true
			d.Decided = &leadv1.DisputeDecided{Finding: "marketing"}
			return d, nil
		}
	}
	return nil, status.Error(codes.NotFound, "there is no such case")
}

func TestDisputesAreShown(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	s.get("/disputes").has(t, 200, "sold-1 open not as agreed sales", "arbi", "review-1", "drawn for review")
	s.get("/disputes?decided=yes").has(t, 200, "Later ones", "Verdict")
	page := s.get("/disputes/sold-1")
	page.has(t, 200, "not as agreed offer 1", "Contested size", "As it was handed over", "It fitted then.", "At least 20 employees", "did not hold", "abcd", "two people <only>", "It is so", "It is not")
	if strings.Contains(page.text, "What suggests itself") {
		t.Error("marketing is to decide what it did not agree to")
	}
	s.get("/disputes/nobody").has(t, 404, "there is no such case")
	s.get("/leads/"+offeredLead).has(t, 200, "Dispute this handoff")
	s.fixed.empty = true
	s.get("/disputes").has(t, 200, "No case is open")
	s.get("/disputes?review=yes").has(t, 200, "Nothing waits for review")
}

// A case that was drawn takes one click, and the next one comes by itself.
func TestAReviewTakesOneClickALead(t *testing.T) {
	s := newStand(t)
	s.signIn(maxToken)
	at := "/disputes/review-1"
	s.get(at).has(t, 200, "What suggests itself", "a criterion was not met: size it had to hold and did not")
	a := s.post(at+"/decide", url.Values{"choice": {"criterion-missing size"}, "key": {"k1"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/disputes/review-2" {
		t.Fatalf("a verdict answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	s.get("/disputes/review-2").has(t, 200, "Case review-1 is decided: a finding against marketing. This is the next one.")
	a = s.post("/disputes/review-2/decide", url.Values{"verdict": {"met-not-worked"}, "criterion": {"size"}, "note": {" seen "}, "key": {"k2"}})
	if a.Header.Get("Location") != "/disputes" {
		t.Errorf("after the last one it leads to %q", a.Header.Get("Location"))
	}
	want := []*feedbackv1.DecideDisputeRequest{
		{DisputeId: "review-1", Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, Criterion: "size", IdempotencyKey: "k1"},
		{DisputeId: "review-2", Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, Note: "seen", IdempotencyKey: "k2"},
	}
	if diff := cmp.Diff(want, handed[*feedbackv1.DecideDisputeRequest](s.fixed), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	s.post(at+"/decide", url.Values{"verdict": {"wrong-question"}, "criterion": {"size"}, "note": {"typed <note>"}}).has(t, 409, "no questionnaire was asked", "typed <note>")
	s.post(at+"/decide", url.Values{"verdict": {"mood"}}).has(t, 400, "closed by one of the verdicts")
}

func TestADisputeIsOpenedAndAnsweredByThePages(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	at := "/leads/" + offeredLead + "/dispute"
	s.get(at).has(t, 200, "not as agreed", "wrong data", "Contested criteria")
	if strings.Contains(s.get(at).text, "as agreed and not worked") {
		t.Error("sales is to claim what is marketing's to claim")
	}
	a := s.post(at, url.Values{"claim": {"wrong-data"}, "criterion": {"size", "region"}, "note": {" n "}, "key": {"k"}})
	if a.Header.Get("Location") != "/disputes/sold-1" {
		t.Errorf("it leads to %q", a.Header.Get("Location"))
	}
	want := &feedbackv1.OpenDisputeRequest{LeadId: offeredLead, Claim: leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA, Criteria: []string{"size", "region"}, Note: "n", IdempotencyKey: "k"}
	if diff := cmp.Diff(want, handed[*feedbackv1.OpenDisputeRequest](s.fixed)[0], protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	s.post(at, url.Values{"claim": {"wrong-data"}, "note": {"again"}}).has(t, 409, "case sold-1 is open", "again")

	s.signIn(cloToken)
	s.post("/disputes/sold-1/answer", url.Values{}).has(t, 400, "An answer says")
	s.post("/disputes/sold-1/answer", url.Values{"agrees": {"no"}, "note": {"eighty"}, "key": {"k-a"}})
	said := handed[*feedbackv1.AnswerDisputeRequest](s.fixed)
	if diff := cmp.Diff([]*feedbackv1.AnswerDisputeRequest{{DisputeId: "sold-1", Note: "eighty", IdempotencyKey: "k-a"}}, said, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

// What a page offers follows the rule by which the service decides.
func TestWhoIsOfferedAVerdict(t *testing.T) {
	open, review := (&fixed{}).cases()[0], (&fixed{}).cases()[1]
	agreed, decided := (&fixed{}).cases()[0], (&fixed{}).cases()[0]
	agreed.Answered, decided.Decided = &leadv1.DisputeAnswered{Agrees: true}, &leadv1.DisputeDecided{}
	who := func(handle string, roles ...string) access.Actor { return access.Actor{Handle: handle, Roles: roles} }
	for _, test := range []struct {
		name           string
		d              *feedbackv1.Dispute
		reader         access.Actor
		answer, decide bool
	}{
		{"open, the other side", open, who("clo", access.Marketing), true, false},
		{"open, the same side", open, who("ana", access.Sales), false, false},
		{"open, who opened it", open, who("ben", access.Marketing), false, false},
		{"open, the arbiter", open, who("arbi", access.Marketing), false, true},
		{"open, another arbiter", open, who("judge", access.Arbiter), false, true},
		{"open, a manager", open, who("max", access.Manager), false, false},
		{"open, nobody knows who reads", open, access.Actor{}, true, true},
		{"agreed, a side", agreed, who("ana", access.Sales), false, true},
		{"agreed, a manager", agreed, who("max", access.Manager), false, false},
		{"drawn, a manager", review, who("max", access.Manager), false, true},
		{"drawn, a side", review, who("clo", access.Marketing), false, false},
		{"decided, the arbiter", decided, who("arbi", access.Arbiter), false, false},
	} {
		if a, d := mayAnswer(test.reader, test.d), mayDecide(test.reader, test.d); a != test.answer || d != test.decide {
			t.Errorf("%s: answer %v, decide %v; want %v, %v", test.name, a, d, test.answer, test.decide)
		}
	}
}
