package report

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// pools that people of different weights come to and leave: sets of those who are
// there, as shifts and leave make them.
func shifts(random *rand.Rand) []*present {
	var out []*present
	for range 12 {
		var words []string
		for i, m := range []string{"ana", "ben", "cy", "dea", "eli", "fay", "gus", "hal"} {
			if i < 2 || random.IntN(3) > 0 {
				words = append(words, fmt.Sprintf("%s=%d", m, 1+i%3))
			}
		}
		out = append(out, newPresent(strings.Join(words, " ")))
	}
	return out
}

// byWeight draws one of those who are there.
func byWeight(random *rand.Rand, there *present) string {
	at := random.Float64() * there.here
	for _, s := range there.seats {
		if at -= float64(s.weight); at < 0 {
			return s.member
		}
	}
	return there.seats[len(there.seats)-1].member
}

// play gives out leads of varying quality, each to whom choose says.
func play(seed uint64, turns int, choose func(random *rand.Rand, there *present, q quality) (member, kind string)) []*feedbackv1.Finding {
	random := rand.New(rand.NewPCG(seed, 7))
	books, sets := newPoolBooks(), shifts(random)
	for i := range turns {
		// Whoever is there stays for a while.
		there := sets[(i/20)%len(sets)]
		q := quality{stage: 2, margin: int64(random.IntN(41))}
		member, kind := choose(random, there, q)
		books.take(given{pool: "inside", member: member, kind: kind, how: kind, counted: kind == "rotation", there: there, quality: q}, true)
	}
	books.close()
	return findings(map[string]*poolBooks{"inside": books})
}

func fair(random *rand.Rand, there *present, _ quality) (string, string) {
	return byWeight(random, there), "rotation"
}

func found(fs []*feedbackv1.Finding) (out []string) {
	for _, f := range fs {
		if f.GetVerdict() == verdictNotExplained {
			out = append(out, f.GetTest()+" "+f.GetMember())
		}
	}
	return out
}

// TestFairGivesNoAlarm: where every turn goes at random among those who were there, a
// report in a hundred may find something, and no more.
func TestFairGivesNoAlarm(t *testing.T) {
	alarms := 0
	for seed := range uint64(1000) {
		if len(found(play(seed, 600, fair))) > 0 {
			alarms++
		}
	}
	// With a level of 1 %, more than 21 of 1,000 would be seen once in 1,700 runs.
	if alarms > 21 {
		t.Errorf("%d of 1,000 fair pools were found unfair; the level is %v", alarms, FalseAlarms)
	}
	// A test that never speaks has no level.
	if alarms == 0 {
		t.Errorf("no alarm in 1,000 fair pools: the level that is stated is not the one that is held")
	}
	t.Logf("%d false alarms of 1,000", alarms)
}

// TestRotationGivesNoAlarm: a rotation stays nearer to quota than chance does, and how
// good the leads are is still chance.
func TestRotationGivesNoAlarm(t *testing.T) {
	alarms := 0
	for seed := range uint64(1000) {
		owed := map[string]float64{}
		fs := play(seed, 600, func(_ *rand.Rand, there *present, _ quality) (string, string) {
			best := ""
			for _, s := range there.seats {
				owed[s.member] += float64(s.weight) / there.here
				if best == "" || owed[s.member] > owed[best] {
					best = s.member
				}
			}
			owed[best]--
			return best, "rotation"
		})
		for _, f := range found(fs) {
			if strings.HasPrefix(f, testShare) {
				t.Fatalf("seed %d: %s was found in a rotation", seed, f)
			}
			alarms++
		}
	}
	if alarms > 21 {
		t.Errorf("%d of 1,000 rotations were found unfair", alarms)
	}
	t.Logf("%d false alarms of 1,000", alarms)
}

// TestFavouriteIsFound: whoever is given 30 % of the leads beside the rotation, and
// whoever is given as many as anybody but the good ones, is found by name.
func TestFavouriteIsFound(t *testing.T) {
	const seeds = 200
	some := func(there *present) bool {
		return slices.ContainsFunc(there.seats, func(s seat) bool { return s.member == "dea" })
	}
	for _, test := range []struct {
		name, want string
		choose     func() func(*rand.Rand, *present, quality) (string, string)
	}{
		{"30 % of all leads by hand", testShare + " dea", func() func(*rand.Rand, *present, quality) (string, string) {
			return func(random *rand.Rand, there *present, _ quality) (string, string) {
				if some(there) && random.Float64() < 0.3 {
					return "dea", "override"
				}
				return byWeight(random, there), "rotation"
			}
		}},
		{"only good leads, and no more of them", testGood + " dea", func() func(*rand.Rand, *present, quality) (string, string) {
			debt := 0
			return func(random *rand.Rand, there *present, q quality) (string, string) {
				m := byWeight(random, there)
				switch {
				case some(there) && m != "dea" && q.margin > 20 && random.Float64() < 0.08:
					debt++ // a good one more, and a bad one less
					return "dea", "rotation"
				case m == "dea" && q.margin <= 20 && debt > 0:
					debt--
					for m == "dea" {
						m = byWeight(random, there)
					}
				}
				return m, "rotation"
			}
		}},
	} {
		hits, wrong := 0, 0
		for seed := range uint64(seeds) {
			fs := found(play(seed, 2000, test.choose()))
			if slices.Contains(fs, test.want) {
				hits++
			}
			if test.want == testGood+" dea" && slices.Contains(fs, testShare+" dea") {
				wrong++
			}
		}
		if hits*100 < 95*seeds {
			t.Errorf("%s: found in %d of %d", test.name, hits, seeds)
		}
		if wrong > seeds/10 {
			t.Errorf("%s: in %d of %d it was taken for a matter of numbers", test.name, wrong, seeds)
		}
		t.Logf("%s: found in %d of %d", test.name, hits, seeds)
	}
}

// TestWhoWasThereExplains: somebody who is there alone gets everything, and nothing is
// wrong with that.
func TestWhoWasThereExplains(t *testing.T) {
	books, alone, all := newPoolBooks(), newPresent("ana=1"), newPresent("ana=1 ben=1")
	for i := range 400 {
		g := given{member: "ana", kind: "rotation", how: "rotation", there: alone, quality: quality{2, int64(i % 7)}}
		if i%4 == 0 {
			g.there, g.member = all, []string{"ana", "ben"}[i/4%2]
		}
		books.take(g, true)
	}
	books.close()
	fs := findings(map[string]*poolBooks{"inside": books})
	if got := found(fs); len(got) > 0 {
		t.Errorf("found %v, though ana was there alone at three of four turns", got)
	}
	if !strings.HasPrefix(fs[0].GetText(), "Explained by who was there: over 400 turns") {
		t.Errorf("said is %q", fs[0].GetText())
	}
	if b := books.people["ana"]; b.share != 350 || b.offered != 350 || b.eligible != 400 {
		t.Errorf("ana: %+v; want a share of 350, and 350 leads", b)
	}
}

func TestTooFewToSay(t *testing.T) {
	books, both := newPoolBooks(), newPresent("ana=1 ben=1")
	for range 8 {
		books.take(given{member: "ana", kind: "override", how: "override", there: both}, true)
	}
	books.close()
	for _, f := range findings(map[string]*poolBooks{"inside": books}) {
		if f.GetVerdict() != verdictTooFew {
			t.Errorf("%s: %s: %s", f.GetTest(), f.GetVerdict(), f.GetText())
		}
	}
}

// TestOutsider: leads that go by hand to somebody who was not there are found too.
func TestOutsider(t *testing.T) {
	books, both := newPoolBooks(), newPresent("ana=1 ben=1")
	for i := range 400 {
		g := given{member: []string{"ana", "ben"}[i%2], kind: "rotation", how: "rotation", there: both}
		if i%10 == 0 {
			g.member, g.kind, g.how = "cy", "override", "override"
		}
		books.take(g, true)
	}
	books.close()
	fs := findings(map[string]*poolBooks{"inside": books})
	if got := found(fs); !slices.Contains(got, testShare+" cy") {
		t.Fatalf("found %v; want cy", got)
	}
	if want := "cy got 40.0 turns more than their share among those who were there (40 of 400 turns; 0.0 were to be expected). Of these by override +40.0."; !strings.Contains(fs[slices.IndexFunc(fs, func(f *feedbackv1.Finding) bool { return f.GetMember() == "cy" })].GetText(), want) {
		t.Errorf("said is %q; want %q in it", fs[0].GetText(), want)
	}
}

// TestShiftsExplainGoodLeads: good leads come at night, when only ana and ben are
// there; at each hour they go to all alike.
func TestShiftsExplainGoodLeads(t *testing.T) {
	day, night := newPresent("ana=1 ben=1 cy=1 dea=1"), newPresent("ana=1 ben=1")
	random := rand.New(rand.NewPCG(3, 3))
	books := newPoolBooks()
	for i := range 2000 {
		g := given{kind: "rotation", how: "rotation", counted: true, there: day, quality: quality{2, int64(random.IntN(30))}}
		if i%3 == 0 {
			g.there = night
			g.quality.margin += 15
		}
		g.member = byWeight(random, g.there)
		books.take(g, true)
	}
	books.close()
	if got := found(findings(map[string]*poolBooks{"inside": books})); len(got) > 0 {
		t.Errorf("found %v, though the good leads came when ana and ben were there", got)
	}
}

// TestSetsAreStoredOnce: a pool of many people costs a row a turn, not a row a person.
func TestSetsAreStoredOnce(t *testing.T) {
	s, st := openStore(t), &story{}
	var words []string
	for i := range 32 {
		words = append(words, fmt.Sprintf("person.%02d=%d", i, 1+i%3))
	}
	for i := range 300 {
		id := fmt.Sprintf("l%d", i)
		st.received(id, start, nil)
		st.offer(id, start, "inside", fmt.Sprintf("person.%02d", i%32), leadv1.TurnKind_TURN_KIND_ROTATION, 1, strings.Join(words[i%3:], " "))
	}
	refill(t, s, st.events, 100)
	if turns, sets := len(dump(t, s, "turns", "sequence")), len(dump(t, s, "turn_sets", "set_id")); turns != 300 || sets != 3 {
		t.Errorf("%d turns and %d sets are stored; want 300 and 3", turns, sets)
	}
}

// TestTurnsOfALargePool: turns that say what has changed of who was there give the tables
// that turns give which name everybody, also when what is in memory is lost between.
func TestTurnsOfALargePool(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 3))
	whole, changed := &story{}, &story{}
	there := map[string]int64{}
	for i := range 120 {
		id, at := fmt.Sprintf("l%d", i), start.Add(time.Duration(i)*time.Minute)
		full := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: id, Pool: "inside", Member: "m1", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Offer: 1}
		if i%7 == 0 {
			full.Owed, full.OwedWeights = []string{"on.leave"}, []int64{2}
		}
		short := proto.Clone(full).(*routingv1.PoolStep)
		short.SinceLast = true
		for range random.IntN(4) {
			m := fmt.Sprintf("m%d", random.IntN(60))
			if _, is := there[m]; is && random.IntN(2) == 0 {
				delete(there, m)
				short.Left = append(short.Left, m)
			} else if !slices.Contains(short.GetLeft(), m) && !slices.Contains(short.GetEligible(), m) {
				there[m] = 1 + random.Int64N(3)
				short.Eligible, short.Weights = append(short.Eligible, m), append(short.Weights, there[m])
			}
			// Whoever came and left at once is only said to have left.
			for j := len(short.GetEligible()) - 1; j >= 0; j-- {
				if _, is := there[short.GetEligible()[j]]; !is {
					short.Eligible, short.Weights = slices.Delete(short.Eligible, j, j+1), slices.Delete(short.Weights, j, j+1)
				}
			}
		}
		for _, m := range slices.Sorted(maps.Keys(there)) {
			full.Eligible, full.Weights = append(full.Eligible, m), append(full.Weights, there[m])
		}
		for st, step := range map[*story]*routingv1.PoolStep{whole: full, changed: short} {
			st.received(id, at, nil)
			st.say(id, at, &leadv1.LeadOffered{
				AgreementVersion: 1, Pool: "inside", Group: "g", Member: "m1", Offer: 1, TakeBy: timestamppb.New(at.Add(time.Hour)), Rule: "r",
				Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Summary: "next in turn", Considered: []*leadv1.Candidate{{Member: "m1", Eligible: true, Weight: 1}},
				Counts: &leadv1.CandidateCounts{People: 60, Eligible: int64(len(there))},
			})
			st.ofPool(at, step)
		}
	}
	s := openStore(t)
	refill(t, s, whole.events, 17)
	turns, sets := dump(t, s, "v_turns", "sequence"), dump(t, s, "assignments", "sequence")
	if err := s.Reset(t.Context(), "log"); err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(changed.events, 17) {
		if err := s.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if random.IntN(3) == 0 {
			s.forget()
		}
	}
	if got := dump(t, s, "v_turns", "sequence"); !slices.Equal(got, turns) {
		for i := range got {
			if got[i] != turns[i] {
				t.Fatalf("turn %d is %s\nwant %s", i, got[i], turns[i])
			}
		}
	}
	if got := dump(t, s, "assignments", "sequence"); !slices.Equal(got, sets) || strings.Contains(strings.Join(got, ""), "set_id=m") {
		t.Errorf("the assignments differ")
	}
}
