package report

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

func reportOf(t fataler, s *Store, req *feedbackv1.GetReportRequest) *feedbackv1.Report {
	t.Helper()
	q, err := question(req, far)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Report(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// figuresOf are the rows of a report by their keys, without what is unknown.
func figuresOf(r *feedbackv1.Report) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, row := range append(r.GetRows(), r.GetTotal()) {
		out[row.GetKey()] = map[string]float64{}
		for _, f := range row.GetFigures() {
			if !f.GetUnknown() {
				out[row.GetKey()][f.GetName()] = f.GetValue()
			}
		}
	}
	return out
}

// thereByDecision: a turn that the rotation does not count names nobody; who was there
// stands in the offer, and a favourite who is made by such turns is found all the same.
func thereByDecision(t *testing.T, s *Store) {
	st := &story{}
	for i := range 100 {
		id := fmt.Sprintf("l%d", i)
		st.received(id, start, nil)
		st.offer(id, start, "inside", "ana", leadv1.TurnKind_TURN_KIND_OVERRIDE, 1, "ana=1 ben=1").ChosenBy = "override"
		st.events[len(st.events)-1].Body.(*routingv1.PoolAdvanced).Steps[0].Eligible = nil
	}
	refill(t, s, st.events, 30)
	r := reportOf(t, s, &feedbackv1.GetReportRequest{Report: reportFairness})
	got := figuresOf(r)
	if got["inside/ana"]["share"] != 50 || got["inside/ben"]["eligible"] != 100 || got["inside/ana"]["off_quota_ever"] != 0 {
		t.Errorf("got %v; want a share of 50 for each, and no turn that counts", got)
	}
	if f := r.GetFindings()[0]; f.GetVerdict() != verdictNotExplained || f.GetMember() != "ana" || f.GetLeads() != 50 || !strings.Contains(f.GetText(), "by override +50.0") {
		t.Errorf("found %v", f)
	}
}

// secondChances are leads with known fates.
func secondChances(t *testing.T, s *Store) {
	st := &story{}
	rejected := func(id, member string, n int32, at time.Duration) {
		st.say(id, start.Add(at), &leadv1.OfferRejected{Member: member, Offer: n, Reason: "no-budget", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: 1})
	}
	offer := func(id, member string, n int32, at time.Duration) {
		st.offer(id, start.Add(at), "inside", member, leadv1.TurnKind_TURN_KIND_ROTATION, n, "ana=1 ben=1")
	}
	accepted := func(id, member string, n int32, at time.Duration) {
		st.say(id, start.Add(at), &leadv1.OfferAccepted{Member: member, Offer: n})
	}
	won := func(id, member string, at time.Duration, minor int64) {
		st.say(id, start.Add(at), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: member, ValueMinor: minor, Currency: "EUR"})
	}
	const h = time.Hour
	for _, id := range []string{"l1", "l2", "l3", "l4", "l5", "l6"} {
		st.received(id, start, nil)
		offer(id, "ana", 1, h)
	}
	// l1: declined by ana, won by ben.
	rejected("l1", "ana", 1, 2*h)
	offer("l1", "ben", 2, 3*h)
	accepted("l1", "ben", 2, 4*h)
	won("l1", "ben", 90*h, 123_450)
	// l2: accepted and given back by ana, taken by ben, not closed.
	accepted("l2", "ana", 1, 2*h)
	rejected("l2", "ana", 1, 3*h)
	offer("l2", "ben", 2, 4*h)
	accepted("l2", "ben", 2, 5*h)
	st.say("l2", start.Add(6*h), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, Explanation: explained("x")})
	// l3: declined by ana and ben, won by cy: one lead, two who declined it.
	rejected("l3", "ana", 1, 2*h)
	offer("l3", "ben", 2, 3*h)
	rejected("l3", "ben", 2, 4*h)
	offer("l3", "cy", 3, 5*h)
	accepted("l3", "cy", 3, 6*h)
	won("l3", "cy", 90*h, 50)
	// l4: declined by ana, nobody else.
	rejected("l4", "ana", 1, 2*h)
	// l5: declined by ana, who has it again and wins it.
	rejected("l5", "ana", 1, 2*h)
	offer("l5", "ana", 2, 3*h)
	accepted("l5", "ana", 2, 4*h)
	won("l5", "ana", 90*h, 999)
	// l6: nobody declined it.
	accepted("l6", "ana", 1, 2*h)
	// l7: declined by cy in another pool, and released by nobody's doing before.
	st.received("l7", start, nil)
	st.offer("l7", start.Add(h), "field", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
	st.offer("l7", start.Add(2*h), "field", "cy", leadv1.TurnKind_TURN_KIND_ROTATION, 2, "cy=1")
	rejected("l7", "cy", 2, 3*h)
	refill(t, s, st.events, 4)
	r := reportOf(t, s, &feedbackv1.GetReportRequest{Report: reportSecondChance})
	got := figuresOf(r)
	for key, want := range map[string]map[string]float64{
		"ana":    {"declined": 5, "taken": 3, "sql": 1, "won": 2, "value": 1235},
		"ben":    {"declined": 1, "taken": 1, "sql": 0, "won": 1, "value": 0.5},
		"cy":     {"declined": 1, "taken": 0},
		totalKey: {"declined": 6, "taken": 3, "sql": 1, "won": 2, "value": 1235},
	} {
		for name, v := range want {
			if got[key][name] != v {
				t.Errorf("%s: %s is %v; want %v", key, name, got[key][name], v)
			}
		}
	}
	var listed []string
	for _, c := range r.GetSecondChances() {
		listed = append(listed, c.GetLeadId()+" "+c.GetDeclinedBy()+" "+c.GetReason()+" "+c.GetTakenBy()+" "+c.GetState())
	}
	if diff := cmp.Diff([]string{"l3 ana no-budget cy won", "l3 ben no-budget cy won", "l2 ana no-budget ben accepted", "l1 ana no-budget ben won"}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if r.GetCurrency() != "EUR" {
		t.Errorf("the currency is %q", r.GetCurrency())
	}
	// Before the deals were closed nobody had won anything.
	early := figuresOf(reportOf(t, s, &feedbackv1.GetReportRequest{Report: reportSecondChance, AsOf: timestamppb.New(start.Add(10 * h))}))
	if early["ana"]["won"] != 0 || early["ana"]["taken"] != 3 {
		t.Errorf("as of ten hours later: %v", early["ana"])
	}
	if other := reportOf(t, s, &feedbackv1.GetReportRequest{Report: reportSecondChance, Pool: "east"}); len(other.GetRows()) != 0 {
		t.Errorf("of a pool that gave nothing: %v", other.GetRows())
	}
}
