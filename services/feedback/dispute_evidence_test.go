package feedback

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// What is recorded after the handoff, in whatever order and however late, changes nothing
// of the lead as it was.
func TestEvidenceIsOfTheHandoff(t *testing.T) {
	later := func(rt *rapid.T) proto.Message {
		return []proto.Message{
			&leadv1.SubmissionRevised{Features: &leadv1.Features{Country: "US", Employees: 2}},
			&leadv1.LeadRemapped{Features: &leadv1.Features{Country: "FR"}},
			&leadv1.CallRecorded{CallId: "c9", Member: "quin", Qualifier: true, Reached: true, QuestionnaireVersion: "9"},
			&leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 2, CallId: "c9", Explanation: &leadv1.Explanation{Summary: "later", Criteria: []*leadv1.Criterion{{Id: "later"}}}},
			&leadv1.LeadNurtured{AgreementVersion: 2, Reason: "call", Explanation: &leadv1.Explanation{Summary: "back"}},
			&leadv1.OfferAccepted{Member: "ana", Offer: 1},
			&leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-budget", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 1},
			&leadv1.OfferTimedOut{Member: "ana", Offer: 1, DueAt: timestamppb.New(start), FiredAt: timestamppb.New(start)},
			&leadv1.LeadOffered{AgreementVersion: 2, Pool: "q", Group: "g", Member: "ben", Offer: 2, TakeBy: timestamppb.New(start), Turn: 1, Summary: "next"},
			&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"},
			&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana"},
		}[rapid.IntRange(0, 10).Draw(rt, "what")]
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := newCourt(t, settlingPart)
		handed := c.last("l1")
		was, err := evidence("l1", c.events[3:], handed)
		if err != nil {
			rt.Fatal(err)
		}
		touches, first := int64(0), time.Time{}
		for range rapid.IntRange(0, 12).Draw(rt, "how many") {
			body, late := later(rt), time.Duration(rapid.IntRange(-5, 5).Draw(rt, "hours"))*time.Hour
			at := c.time.Now().Add(late)
			c.put(lead.SubjectOf("l1"), body, at)
			if touch(body) && late >= 0 {
				if touches++; first.IsZero() || at.Before(first) {
					first = at
				}
			}
		}
		is, err := evidence("l1", c.events[3:], handed)
		if err != nil {
			rt.Fatal(err)
		}
		if is.GetTouches() != touches || !first.IsZero() && !is.GetFirstTouchAt().AsTime().Equal(first) {
			rt.Fatalf("%d touches from %v; want %d from %v", is.GetTouches(), is.GetFirstTouchAt().AsTime(), touches, first)
		}
		// What was done after the handoff is said beside it.
		is.Touches, is.FirstTouchAt, is.Reason = was.GetTouches(), was.GetFirstTouchAt(), was.GetReason()
		if !proto.Equal(is, was) {
			rt.Fatalf("the snapshot is %v; it was %v", is, was)
		}
	})
}

func TestEvidenceSays(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.add("l1", &leadv1.CallRecorded{CallId: "c1", Member: "quin", Qualifier: true, Reached: true, QuestionnaireVersion: "7"})
	c.offer("l1", 2, "ben")
	handed := c.last("l1")
	c.time.Set(c.time.Now().Add(time.Hour))
	c.add("l1", &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "other-offer", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 1})
	c.add("l1", &leadv1.OfferRejected{Member: "ben", Offer: 2, Reason: "no-budget", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 1})
	events, _ := c.History(context.Background(), "lead.l1")
	e, err := evidence("l1", events, handed)
	if err != nil {
		t.Fatal(err)
	}
	if e.GetQuestionnaireVersion() != "7" || e.GetMember() != "ben" || e.GetPool() != "p" || e.GetStage() != leadv1.Stage_STAGE_MQL || e.GetAgreementVersion() != 1 || e.GetReason() != "no-budget" || e.GetTouches() != 0 || e.GetFeatures().GetEmployees() != 80 {
		t.Errorf("evidence %v", e)
	}
	want := `stage: MQL
pool: p
member: ben
features: null
explanation: {"summary":"","criteria":[],"points":"0","points_needed":"0","missing":[],"signal":"","overlays":[],"questionnaire_version":"","score":null}
`
	e.Features, e.Explanation = nil, &leadv1.Explanation{}
	if text, err := takenDown(e); err != nil || string(text) != want {
		t.Errorf("the text is\n%s\nwant\n%s", text, want)
	}
}

// hintsOf are the verdicts that suggest themselves, in order.
func hintsOf(d *feedbackv1.Dispute) (out []string) {
	for _, h := range d.GetEvidence().GetHints() {
		out = append(out, strings.TrimSpace(lead.VerdictWord(h.GetVerdict())+" "+h.GetCriterion()))
	}
	return out
}

func TestHints(t *testing.T) {
	fresh := func(c *court) {}
	touched := func(c *court) {
		c.time.Set(c.time.Now().Add(time.Hour))
		c.add("l1", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"})
		c.time.Set(c.time.Now().Add(5 * time.Hour))
	}
	revised := func(c *court) {
		touched(c)
		c.add("l1", &leadv1.SubmissionRevised{Features: &leadv1.Features{Country: "DE", Employees: 3, HasEmail: true}})
	}
	// A decision after a call, and what a later call found.
	called := func(months int64, version string) func(*court) {
		return func(c *court) {
			six, later := int64(3), months
			c.add("l1", &leadv1.CallRecorded{CallId: "c1", Member: "quin", Qualifier: true, Reached: true, FitConfirmed: true, HorizonMonths: &six, QuestionnaireVersion: version})
			c.add("l1", &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, CallId: "c1", Explanation: &leadv1.Explanation{
				Summary: "sql", QuestionnaireVersion: version, Criteria: []*leadv1.Criterion{{Id: "horizon", Text: "Buys soon", Met: true, Values: []*leadv1.NamedValue{{Name: "call.horizon_months", Value: "3"}}}},
			}})
			c.offer("l1", 2, "ben")
			touched(c)
			c.add("l1", &leadv1.CallRecorded{CallId: "c2", Member: "quin", Qualifier: true, Reached: true, FitConfirmed: true, HorizonMonths: &later})
		}
	}
	for name, test := range map[string]struct {
		then     func(*court)
		actor    int
		claim    leadv1.DisputeClaim
		criteria []string
		want     []string
	}{
		"worked in time":           {then: touched, claim: notAsAgreed, want: []string{"as-agreed"}},
		"it may still be taken":    {then: fresh, claim: notAsAgreed, want: []string{"as-agreed"}},
		"nobody touched it":        {then: func(c *court) { c.time.Set(c.time.Now().Add(3 * time.Hour)) }, claim: notWorked, want: []string{"met-not-worked"}},
		"touched too late":         {then: func(c *court) { c.time.Set(c.time.Now().Add(2 * time.Hour)); touched(c) }, claim: notWorked, want: []string{"met-not-worked"}},
		"what held is contested":   {then: touched, claim: notAsAgreed, criteria: []string{"size"}, want: []string{"criterion-should-change size", "as-agreed"}},
		"the sender corrected":     {then: revised, claim: wrongData, want: []string{"data-error"}},
		"nothing speaks for wrong": {then: touched, claim: wrongData, want: []string{"data-error", "as-agreed"}},
		"a call says otherwise":    {then: called(24, "7"), claim: notAsAgreed, want: []string{"wrong-question horizon"}},
		"a call without a sheet":   {then: called(24, ""), claim: notAsAgreed, want: []string{"criterion-missing horizon"}},
		"a call says the same":     {then: called(4, "7"), claim: notAsAgreed, want: []string{"as-agreed"}},
		"what had to hold did not": {then: func(c *court) {
			q := qualified("region")
			q.Explanation.Criteria = append(q.Explanation.Criteria, &leadv1.Criterion{Id: "size", Must: true}, &leadv1.Criterion{Id: "soon"}, &leadv1.Criterion{Id: "business"})
			c.add("l1", q)
			c.offer("l1", 2, "ben")
			touched(c)
		}, claim: notAsAgreed, criteria: []string{"soon"}, want: []string{"criterion-missing size", "criterion-missing soon"}},
		"time that passed contradicts nothing": {then: func(c *court) {
			q := qualified("interested")
			c.add("l1", &leadv1.TouchAdded{Kind: "webinar"})
			c.add("l1", q)
			c.offer("l1", 2, "ben")
			touched(c)
			c.time.Set(c.time.Now().AddDate(1, 0, 0))
		}, claim: notAsAgreed, want: []string{"as-agreed"}},
		"not worked comes first for marketing": {then: func(c *court) {
			revised(c)
			c.offer("l1", 2, "ben")
			c.time.Set(c.time.Now().Add(3 * time.Hour))
			c.add("l1", &leadv1.SubmissionRevised{Features: &leadv1.Features{Country: "JP", HasEmail: true}})
		}, claim: notWorked, want: []string{"met-not-worked", "data-error"}},
	} {
		c := newCourt(t, settlingPart)
		test.then(c)
		actor := ana
		if test.claim == notWorked {
			actor = mark
		}
		d, err := c.o.OpenDispute(as(actor), &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: newKey(), Claim: test.claim, Criteria: test.criteria})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := hintsOf(d)
		if name == "not worked comes first for marketing" {
			got = slices.Compact(got)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v\n%v", name, got, test.want, d.GetEvidence().GetHints())
		}
		for _, h := range d.GetEvidence().GetHints() {
			// Whatever suggests itself can be decided.
			e, _ := caseOf("l1", must(c.History(context.Background(), "lead.l1")), d.GetDisputeId())
			if _, err := ruledOn(e, h.GetVerdict(), h.GetCriterion(), d.GetEvidence().GetQuestionnaireVersion(), d.GetEvidence().GetExplanation()); err != nil || h.GetText() == "" {
				t.Errorf("%s: %v cannot be decided: %v", name, h, err)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// handed is a court with so many leads that were handed over, one an hour.
func handedOver(t *testing.T, n int) *court {
	c := newCourt(t, settlingPart)
	for i := range n {
		id := "r" + string(rune('a'+i))
		c.time.Set(start.Add(time.Duration(i) * time.Hour))
		c.add(id, &leadv1.LeadReceived{Source: "web", ReceivedAt: timestamppb.New(c.time.Now())})
		c.add(id, qualified("region"))
		c.offer(id, 1, "ana")
	}
	c.time.Set(start.Add(48 * time.Hour))
	return c
}

func ids(r *feedbackv1.ListDisputesResponse) (out []string) {
	for _, d := range r.GetDisputes() {
		out = append(out, d.GetDisputeId())
	}
	return out
}

// The same draw is the same sample, whatever order the leads came in; another seed is
// another. Nothing is opened twice.
func TestDrawReview(t *testing.T) {
	c := handedOver(t, 20)
	c.offer("rb", 2, "ben")
	c.time.Set(c.time.Now().Add(time.Second))
	req := &feedbackv1.DrawReviewRequest{From: timestamppb.New(start), Seed: 7}
	first, err := c.o.DrawReview(as(judge), req)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(first.GetDisputes()); n != 3 {
		t.Errorf("%d cases; the agreement says 3", n)
	}
	for _, d := range first.GetDisputes() {
		o := d.GetOpened()
		if o.GetClaim() != ofReview || o.GetParty() != "system" || o.GetArbiter() != "arbi" || o.GetEscalateAt() != nil || d.GetOpenedBy() != "judge" {
			t.Errorf("drawn: %v", d)
		}
	}
	n := len(c.events)
	if again, err := c.o.DrawReview(as(manager), req); err != nil || !slices.Equal(ids(again), ids(first)) || len(c.events) != n {
		t.Errorf("the same draw: %v, %v, %d events; want %v", ids(again), err, len(c.events)-n, ids(first))
	}
	// Decided or not, a draw opens none of its cases again.
	if _, err := c.judge(manager, ids(first)[0], asAgreed, ""); err != nil {
		t.Errorf("a manager decides a review: %v", err)
	}
	n = len(c.events)
	if again, err := c.o.DrawReview(as(judge), req); err != nil || !slices.Equal(ids(again), ids(first)) || len(c.events) != n {
		t.Errorf("after a verdict: %v, %v", ids(again), err)
	}
	if err := c.answer(mark, ids(first)[1], true); err == nil || !strings.Contains(err.Error(), "nobody claims") {
		t.Errorf("answered: %v", err)
	}
	req.Seed, req.Size = 8, 20
	all, err := c.o.DrawReview(as(judge), req)
	if err != nil || len(all.GetDisputes()) != 20 {
		t.Fatalf("all: %v, %v", ids(all), err)
	}
	// What is open for review already is the case.
	if !slices.Contains(ids(all), ids(first)[1]) || slices.Contains(ids(all), ids(first)[0]) {
		t.Errorf("drew %v; of %v the first is decided and the second open", ids(all), ids(first))
	}
	for _, d := range all.GetDisputes() {
		want := int32(1)
		if d.GetLeadId() == "rb" {
			want = 2
		}
		if d.GetOpened().GetOffer() != want {
			t.Errorf("%s was drawn for offer %d", d.GetLeadId(), d.GetOpened().GetOffer())
		}
	}
	if got := must(c.o.DrawReview(as(judge), &feedbackv1.DrawReviewRequest{From: timestamppb.New(start.Add(time.Hour)), To: timestamppb.New(start.Add(3 * time.Hour)), Size: 50})); len(got.GetDisputes()) != 2 {
		t.Errorf("of two hours: %v", ids(got))
	}
}

func TestDrawIsTheSeedsAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		offers := rapid.MapOfN(rapid.StringMatching("l[a-z2-7]{8}"), rapid.Int32Range(1, 3), 1, 40).Draw(rt, "offers")
		n, seed := rapid.IntRange(1, 20).Draw(rt, "n"), rapid.Int64().Draw(rt, "seed")
		got := draw(seed, offers, n)
		if len(got) != min(n, len(offers)) {
			rt.Fatalf("%d drawn of %d; want %d", len(got), len(offers), n)
		}
		// Who was not drawn does not matter.
		less := map[string]int32{}
		for _, id := range got {
			less[id] = offers[id]
		}
		if again := draw(seed, less, n); !slices.Equal(again, got) {
			rt.Fatalf("without the others %v; want %v", again, got)
		}
		if more := draw(seed, offers, n+1); !slices.Equal(more[:len(got)], got) {
			rt.Fatalf("one more changes the others: %v, %v", more, got)
		}
	})
}
