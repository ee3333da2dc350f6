package report

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
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

// fairnessEqualsACount goes through the events one by one, with fractions.
func fairnessEqualsACount(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 7)
		from, to := time.Time{}, far
		req := &feedbackv1.GetReportRequest{Report: reportFairness}
		if rapid.Bool().Draw(rt, "bounded") {
			from, to = start.Add(time.Hour), start.Add(50*24*time.Hour)
			req.From, req.To = timestamppb.New(from), timestamppb.New(to)
		}
		req.Pool = rapid.SampledFrom([]string{"", "inside"}).Draw(rt, "only")
		got := figuresOf(reportOf(rt, s, req))
		want := map[string]map[string]*big.Rat{}
		add := func(pool, member, name string, by *big.Rat) {
			key := pool + "/" + member
			if want[key] == nil {
				want[key] = map[string]*big.Rat{}
			}
			if want[key][name] == nil {
				want[key][name] = new(big.Rat)
			}
			want[key][name].Add(want[key][name], by)
		}
		one := func(pool, member, name string) { add(pool, member, name, big.NewRat(1, 1)) }
		fates := fatesOf(st)
		for _, e := range st.events {
			b, ok := e.Body.(*routingv1.PoolAdvanced)
			if !ok || !e.Occurred.Before(to) {
				continue
			}
			asked := !e.Occurred.Before(from)
			for _, step := range b.GetSteps() {
				pool, who := step.GetPool(), step.GetMember()
				if req.Pool != "" && req.Pool != pool {
					continue
				}
				if step.GetKind() == routingv1.StepKind_STEP_KIND_ADJUSTED {
					by := big.NewRat(step.GetLeads(), 1)
					name := "adjustments"
					if step.GetTurn() == leadv1.TurnKind_TURN_KIND_CREDIT {
						name = "credits"
					}
					if asked {
						add(pool, who, name, by)
					}
					grant := func(member string, by *big.Rat) {
						minus := new(big.Rat).Neg(by)
						add(pool, member, "off_quota_ever", minus)
						if asked {
							add(pool, member, "off_quota", minus)
						}
					}
					var sum int64
					for i, m := range step.GetEligible() {
						if sum == 0 {
							grant(who, by)
						}
						sum = 3
						grant(m, big.NewRat(-step.GetLeads()*step.GetWeights()[i], sum))
					}
					continue
				}
				counted := step.GetTurn() == leadv1.TurnKind_TURN_KIND_ROTATION
				if counted {
					one(pool, who, "off_quota_ever")
				}
				if asked {
					one(pool, who, "offered")
					one(pool, who, "ahead")
					one(pool, who, "by_"+turnWord(step.GetTurn()))
					if fate := fates[fateKey{step.GetLeadId(), step.GetOffer()}]; fate != "" {
						one(pool, who, fate)
					}
					if counted {
						one(pool, who, "off_quota")
					}
				}
				var here, all int64
				for _, w := range step.GetWeights() {
					here, all = here+w, all+w
				}
				for _, w := range step.GetOwedWeights() {
					all += w
				}
				quota := func(m string, w int64) {
					if !counted {
						return
					}
					part := big.NewRat(w, all)
					add(pool, m, "off_quota_ever", new(big.Rat).Neg(part))
					if asked {
						add(pool, m, "quota", part)
						add(pool, m, "off_quota", new(big.Rat).Neg(part))
					}
				}
				for i, m := range step.GetEligible() {
					quota(m, step.GetWeights()[i])
					if asked {
						one(pool, m, "eligible")
						add(pool, m, "share", big.NewRat(step.GetWeights()[i], here))
						add(pool, m, "ahead", big.NewRat(-step.GetWeights()[i], here))
					}
				}
				for i, m := range step.GetOwed() {
					quota(m, step.GetOwedWeights()[i])
				}
			}
		}
		for key, figures := range got {
			if key == totalKey {
				continue
			}
			for _, name := range []string{"eligible", "offered", "share", "ahead", "accepted", "declined", "timed_out", "by_rotation", "by_ownership", "by_override", "by_credit", "credits", "adjustments", "quota", "off_quota", "off_quota_ever"} {
				exact := 0.0
				if v := want[key][name]; v != nil {
					exact, _ = v.Float64()
				}
				if math.Abs(figures[name]-exact) > 1e-9 {
					rt.Fatalf("%s: %s is %v; a direct count says %v", key, name, figures[name], exact)
				}
			}
		}
		for key, figures := range want {
			if figures["offered"] != nil && got[key] == nil {
				rt.Fatalf("no row %s", key)
			}
		}
	})
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

type fateKey struct {
	lead  string
	offer int32
}

// fatesOf says what became of each offer, by folding each lead.
func fatesOf(st *story) map[fateKey]string {
	out := map[fateKey]string{}
	for _, id := range st.leads() {
		s, stands, with := &lead.State{ID: id}, int32(0), ""
		for _, e := range st.events {
			if e.Subject != lead.SubjectOf(id) {
				continue
			}
			s.Evolve(e.Body, e.Occurred, e.Recorded)
			end := func(fate string) {
				if stands > 0 {
					out[fateKey{id, stands}] = fate
				}
				stands = 0
			}
			switch b := e.Body.(type) {
			case *leadv1.LeadOffered:
				stands, with = b.GetOffer(), b.GetMember()
			case *leadv1.LeadReassigned:
				// Moved by hand it stands no more; of the past, with whom it is said to have been.
				if !s.Historical || s.Owner != "" && s.Owner != with {
					stands = 0
				}
			case *leadv1.OfferAccepted:
				end("accepted")
			case *leadv1.OfferRejected:
				end("declined")
			case *leadv1.OfferTimedOut:
				end("timed_out")
			case *leadv1.OutcomeRecorded:
				if b.GetHistorical() && s.Owner != "" && s.Owner != with {
					stands = 0
				}
			default:
				if s.Owner == "" && s.OfferedTo == "" {
					stands = 0
				}
			}
		}
	}
	return out
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

// loadEqualsACount folds each lead and follows it from owner to owner.
func loadEqualsACount(t *testing.T, s *Store) {
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		idle := st.say("", start, &routingv1.MemberAdded{Member: "zoe", Roles: []string{"sales"}, TokenHash: make([]byte, 32)})
		idle.Subject = "org.member.m1"
		other := st.say("", start, &routingv1.MemberAdded{Member: "yan", Roles: []string{"marketing"}, TokenHash: make([]byte, 32)})
		other.Subject = "org.member.m2"
		refill(rt, s, st.events, 7)
		historical := rapid.Bool().Draw(rt, "historical")
		want := map[string]map[string]float64{"zoe": {}, totalKey: {}}
		add := func(key, name string) {
			if want[key] == nil {
				want[key] = map[string]float64{}
			}
			want[key][name]++
		}
		for _, id := range st.leads() {
			state, owner, had := &lead.State{ID: id}, "", map[string]bool{}
			if st.lead(id, far).Historical && !historical {
				continue
			}
			for _, e := range st.events {
				if e.Subject != lead.SubjectOf(id) {
					continue
				}
				state.Evolve(e.Body, e.Occurred, e.Recorded)
				now := state.Owner
				if now == "" || now == owner {
					continue
				}
				if owner != "" {
					add(now, "changes")
					add(owner, "handed_on")
					add(totalKey, "changes")
					add(totalKey, "handed_on")
				}
				if len(had) == 0 {
					add(totalKey, "leads")
				}
				if !had[now] {
					had[now] = true
					add(now, "leads")
				}
				owner = now
			}
			switch state.State {
			case leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING:
				if state.Owner != "" {
					add(state.Owner, "open")
					add(totalKey, "open")
				}
			case leadv1.State_STATE_OFFERED:
				add(state.OfferedTo, "offers")
				add(totalKey, "offers")
			}
		}
		for key, figures := range want {
			if key != totalKey && figures["leads"] > 0 {
				figures["with_leads"] = 1
				want[totalKey]["with_leads"]++
			}
		}
		got := figuresOf(reportOf(rt, s, &feedbackv1.GetReportRequest{Report: reportLoad, Historical: historical}))
		for _, figures := range want {
			for _, name := range []string{"with_leads", "leads", "changes", "handed_on", "open", "offers"} {
				figures[name] += 0
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("a direct count (-) and the report (+):\n%s", diff)
		}
	})
}
