package intake

import (
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// moves are what a tool sends of an appointment that is moved twice: each time a
// new one that names the old, and the old one called off, naming the new.
var moves = []struct {
	names  []alias
	create bool
}{
	{[]alias{{id: "A"}}, true},
	{[]alias{{"A", true}, {id: "B"}}, false},
	{[]alias{{id: "B"}, {"A", true}}, true},
	{[]alias{{"B", true}, {"A", true}, {id: "C"}}, false},
	{[]alias{{id: "C"}, {"B", true}}, true},
}

// TestNamesInAnyOrder holds that whatever the order, an appointment that is moved
// twice is one lead, and what the last one says is what stands. Only where the
// first and the last are here before anything that links them are there two: a
// lead that is there is never taken back.
func TestNamesInAnyOrder(t *testing.T) {
	var order func(rest []int, so []int)
	orders := 0
	order = func(rest, so []int) {
		if len(rest) == 0 {
			orders++
			follow(t, so)
			return
		}
		for i, n := range rest {
			order(append(append([]int{}, rest[:i]...), rest[i+1:]...), append(so[:len(so):len(so)], n))
		}
	}
	order([]int{0, 1, 2, 3, 4}, nil)
	if orders != 120 {
		t.Fatalf("%d orders", orders)
	}
}

func follow(t *testing.T, so []int) {
	t.Helper()
	fold := NewNames()
	opened, says := map[string]bool{}, map[string]string{}
	unlinked := 0 // of the first and the last, those that came before any link
	for _, n := range so {
		m := moves[n]
		if n == 1 || n == 2 || n == 3 {
			if unlinked < 2 {
				unlinked = -5
			}
		} else {
			unlinked++
		}
		c := newChain(fold)
		lead, replaced := c.lead(m.names, "lead of "+m.names[0].id)
		for _, said := range c.name(m.names, "s", lead) {
			fold.Apply(&ledger.Event{Body: said})
		}
		if m.create && !(opened[lead] && replaced) {
			opened[lead], says[lead] = true, m.names[0].id
		}
	}
	want := 1
	if unlinked == 2 {
		want = 2
	}
	if len(opened) != want {
		t.Errorf("in the order %v there are %d leads, want %d", so, len(opened), want)
	}
	last, _ := newChain(fold).lead([]alias{{id: "C"}}, "")
	if says[last] != "C" {
		t.Errorf("in the order %v the lead says what %s said", so, says[last])
	}
	if lead := fold.leadOf("C"); lead != last {
		t.Errorf("in the order %v C stands for %s, want %s", so, lead, last)
	}
}

// TestANameStandsForOneLead holds that an id never changes what it stands for,
// and that what one submission of a batch says counts for the next.
func TestANameStandsForOneLead(t *testing.T) {
	fold := NewNames()
	for _, said := range []*intakev1.SubmissionNamed{{SubmissionId: "A", LeadId: "l1"}, {SubmissionId: "A", LeadId: "l2", Replaced: true}, {SubmissionId: "A", LeadId: "l3"}} {
		fold.Apply(&ledger.Event{Body: said})
	}
	if stands := fold.stands["A"]; stands != (naming{"l1", true}) {
		t.Errorf("A stands for %v", stands)
	}
	c := newChain(fold)
	c.name([]alias{{id: "B"}, {"A", true}}, "s", "l1")
	if lead, replaced := c.lead([]alias{{id: "C"}, {"B", true}}, "l9"); lead != "l1" || replaced {
		t.Errorf("C belongs to %s, replaced %v", lead, replaced)
	}
	if lead, _ := newChain(nil).lead([]alias{{id: "C"}, {"B", true}}, "l9"); lead != "l9" {
		t.Errorf("without a fold C belongs to %s", lead)
	}
}
