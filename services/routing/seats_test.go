package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// uneven are the weights of so many people.
func uneven(people int) []int64 {
	out := make([]int64, people)
	for i := range out {
		out[i] = 1 + int64(i%4)
	}
	return out
}

// limited is an agreement with so many people in inside sales, of whom some take few leads
// at a time, by one way to give.
func limited(t tester, people int, gives string) []byte {
	var members strings.Builder
	for i, weight := range uneven(people) {
		fmt.Fprintf(&members, "      - member: %s\n        weight: %d\n", sharer(i), weight)
		switch i % 5 {
		case 0:
			members.WriteString("        capacity: 1\n")
		case 1:
			members.WriteString("        at_most: { day: 2 }\n")
		}
	}
	doc := document(t, "      - member: ana\n      - member: ben\n      - member: chloe\n", members.String())
	at := bytes.Index(doc, []byte("id: inside-sales\n"))
	return slices.Concat(doc[:at], []byte("id: inside-sales\n"+gives), doc[at+len("id: inside-sales\n"):])
}

// A large pool's turns say what has changed of who is eligible. Written out in full they
// give the same books, whatever comes between; and a fold that was kept and read back
// goes on as before. What is known of its people from batch to batch is what looking at
// everybody finds: each batch is derived again so.
//
// Goes red if: it goes on over a change of the members, hours, leave or the date, or
// somebody to whom a lead was given or from whom one was taken is not looked at again.
func TestALargePoolSaysWhatHasChanged(t *testing.T) {
	for seed := range uint64(8) {
		gives := []string{"", "    gives_by: least-loaded\n", "    gives_by: strict-order\n", "    signed_in: true\n    quiet_before_end: 45m\n"}[seed%4]
		random := rand.New(rand.NewPCG(seed, 7))
		var members []string
		for i := range 80 {
			members = append(members, sharer(i))
		}
		w := newWorld(t, limited(t, 80, gives), append(members, "ana", "ben", "chloe", "dan")...)
		full, there := Counts{Rotations: map[string]*Rotation{}, Load: map[string]int64{}, Given: map[string]Given{}}, map[string]map[string]int64{}
		away := map[string]bool{}
		turns, changes := 0, 0
		for _, member := range members {
			w.present(member, true)
		}
		// Another router stands by, and the two take turns.
		standby := newFolding()
		for _, e := range w.events {
			standby.apply(e)
		}
		other := New(standby.register, standby.roster, standby.groups, standby.people)
		w.check = func(batch []*ledger.Event) {
			for _, e := range batch {
				standby.apply(e)
				body, ok := e.Body.(*routingv1.PoolAdvanced)
				if !ok {
					continue
				}
				for _, step := range body.GetSteps() {
					if step.GetSinceLast() {
						changes += len(step.GetEligible()) + len(step.GetLeft())
						turns++
						step = written(step, there)
						for _, m := range step.GetEligible() {
							if away[m] {
								t.Fatalf("%s is away and eligible", m)
							}
						}
					}
					full.apply(step)
				}
			}
			got, err := json.Marshal(books(w.folds.groups.Group("sales").Rotations))
			want, err2 := json.Marshal(books(full.Rotations))
			if err != nil || err2 != nil || string(got) != string(want) {
				t.Fatalf("the books are\n%s\nwritten out in full\n%s", got, want)
			}
		}
		sizes := []int{80, 40, 80, 60}
		for n := range 160 {
			id := fmt.Sprintf("l%d", n)
			switch member := sharer(random.IntN(80)); random.IntN(16) {
			case 0:
				if !away[member] {
					away[member] = true
					w.away(member, time.Time{})
				}
			case 1, 2:
				if gone := slices.Sorted(maps.Keys(away)); len(gone) > 0 {
					delete(away, gone[0])
					w.back(gone[0])
				}
			case 3:
				if n%40 >= 20 {
					w.agree(limited(t, sizes[n/40], gives), w.now)
				}
			case 4:
				keepAndRestore(t, w.folds.groups)
			case 5:
				w.until(w.now.Add(time.Duration(1+random.IntN(12)) * 25 * time.Minute))
			case 6:
				if !away[member] {
					w.away(member, w.now.Add(2*time.Hour))
				}
			case 7:
				w.present(member, random.IntN(2) == 0)
			case 8, 9, 10, 11:
				w.folds, standby = standby, w.folds
				w.service, other = other, w.service
			}
			w.qualify(id, int64(50))
			if random.IntN(4) == 0 {
				// A batch that is decided and never written.
				if _, err := w.service.decide(w.now, w.folds.lead, []*ledger.Item{{Lead: id, Cause: "lost:" + id}}); err != nil {
					t.Fatal(err)
				}
			}
			if random.IntN(3) > 0 {
				w.settle()
			}
			if s, _ := w.folds.lead(id); s.OfferedTo != "" && random.IntN(4) == 0 {
				if err := w.reject(id, s.OfferedTo, "no-answer"); err == nil {
					w.settle()
				}
			}
		}
		w.settle()
		if turns < 20 || changes == 0 || changes > 80*turns/4 {
			t.Fatalf("%d turns of the large pool named %d people", turns, changes)
		}
	}
}

// written is a step that says what has changed, with everybody who was eligible.
func written(step *routingv1.PoolStep, there map[string]map[string]int64) *routingv1.PoolStep {
	seats := there[step.GetPool()]
	if seats == nil {
		seats = map[string]int64{}
		there[step.GetPool()] = seats
	}
	for _, m := range step.GetLeft() {
		delete(seats, m)
	}
	for i, m := range step.GetEligible() {
		seats[m] = step.GetWeights()[i]
	}
	out := proto.Clone(step).(*routingv1.PoolStep)
	out.SinceLast, out.Left, out.Eligible, out.Weights = false, nil, nil, nil
	for _, m := range slices.Sorted(maps.Keys(seats)) {
		out.Eligible, out.Weights = append(out.Eligible, m), append(out.Weights, seats[m])
	}
	return out
}

// books are the rotations without who was eligible last.
func books(rotations map[string]*Rotation) map[string]*Rotation {
	out := map[string]*Rotation{}
	for pool, r := range rotations {
		if out[pool] = r.Clone(); r.turns > 0 {
			out[pool].seats = nil
		}
	}
	return out
}

// keepAndRestore writes the fold's rows, reads them back and goes on from there.
func keepAndRestore(t *testing.T, g *Groups) {
	t.Helper()
	rows, err := g.rows(g.all())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.restore(rows); err != nil {
		t.Fatal(err)
	}
}

// A decision on a large pool names the chosen, who would have come next, and some of
// each reason, and counts everybody. A small pool's names everybody, and so does every
// decision of an earlier logic.
func TestALargePoolsDecisionNamesSome(t *testing.T) {
	for _, people := range []int{largePool, largePool + 1, 200} {
		weights := uneven(people)
		doc := shareDocument(t, weights)
		var members []string
		for i := range people {
			if i != 7 {
				members = append(members, sharer(i))
			}
		}
		w := newWorld(t, doc, append(members, "ana", "ben", "chloe", "dan")...)
		for i := range 5 {
			w.away(sharer(20+i), time.Time{})
		}
		w.qualify("l1", 50)
		w.settle()
		body := w.last("l1").(*leadv1.LeadOffered)
		if people == largePool {
			if body.GetCounts() != nil || len(body.GetConsidered()) != people {
				t.Fatalf("%d people: %d are named, counts are %v", people, len(body.GetConsidered()), body.GetCounts())
			}
			continue
		}
		want := &leadv1.CandidateCounts{People: int64(people), Eligible: int64(people - 6), Reasons: []*leadv1.ReasonCount{{Reason: "away", People: 5}, {Reason: "not-known", People: 1}}}
		if !proto.Equal(body.GetCounts(), want) {
			t.Errorf("%d people: counts are %v, want %v", people, body.GetCounts(), want)
		}
		by := map[string]int{}
		chosen := candidate(body.GetConsidered(), body.GetMember())
		for _, c := range body.GetConsidered() {
			by[c.GetReason()]++
			// Of new books whoever must be served soonest has the greatest weight.
			if c.GetEligible() && c.GetWindowTo() != chosen.GetWindowTo() {
				t.Errorf("%s, due by %d, is named beside %s, due by %d, though others are due as soon", c.GetMember(), c.GetWindowTo(), chosen.GetMember(), chosen.GetWindowTo())
			}
		}
		if by[""] != namedEligible || by["away"] != namedAlike || by["not-known"] != 1 || chosen == nil {
			t.Errorf("%d people: named are %v", people, by)
		}
		if all, counts := named(Input{Logic: second}, make([]*leadv1.Candidate, people), nil); len(all) != people || counts != nil {
			t.Errorf("%d people: the logic of before names %d", people, len(all))
		}
	}
}

// What is to be said so that one set becomes another does that, and nothing more is said.
func TestSince(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	draw := func() (out []Seat) {
		for _, i := range random.Perm(12)[:random.IntN(13)] {
			out = append(out, Seat{Member: sharer(i), Weight: 1 + random.Int64N(2)})
		}
		return out
	}
	r := &Rotation{}
	for range 2000 {
		before, now := r.seats, draw()
		joined, left := r.since(now)
		r.change(joined, left)
		if want := slices.SortedFunc(slices.Values(now), bySeat); !slices.Equal(r.seats, want) {
			t.Fatalf("%v became %v, want %v", before, r.seats, want)
		}
		for _, s := range joined {
			if slices.Contains(before, s) {
				t.Fatalf("%v is said again", s)
			}
		}
		for _, m := range left {
			if !slices.ContainsFunc(before, func(s Seat) bool { return s.Member == m }) {
				t.Fatalf("%s left and was not there", m)
			}
		}
	}
}
