package routing

import (
	"fmt"
	"slices"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// deactivate takes somebody out by a command, and answers its refusal.
func (w *world) deactivate(handle string) error {
	w.t.Helper()
	return w.command("", "op", &member{subject: "org.member." + handle, handle: handle, body: &routingv1.MemberDeactivated{Member: handle, Reason: "left the company"}})
}

// leaving is a world in which dan holds so many leads, every second one accepted.
func leaving(t *testing.T, leads int) *world {
	t.Helper()
	w := newWorld(t, document(t, capacities(0, 0)...), "dan")
	w.check = w.everyPrefix
	for i := range leads {
		id := fmt.Sprintf("l%03d", i)
		w.qualify(id, 500)
	}
	w.settle()
	for i := range leads {
		if id := fmt.Sprintf("l%03d", i); i%2 == 0 {
			if err := w.accept(id, "dan"); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.settle()
	w.roster(&routingv1.MemberAdded{Member: "chloe", Roles: []string{"sales"}, TokenHash: make([]byte, 32)})
	w.settle()
	return w
}

// moved counts the moves since a sequence, by batch of the log, and checks each.
func (w *world) moved(since int) (batches []int) {
	w.t.Helper()
	basis := uint64(0)
	for _, e := range w.events[since:] {
		body, ok := e.Body.(*leadv1.LeadReassigned)
		if !ok {
			continue
		}
		if e.Basis != basis {
			batches, basis = append(batches, 0), e.Basis
		}
		batches[len(batches)-1]++
		var n int
		id, _ := lead.FromSubject(e.Subject)
		_, _ = fmt.Sscanf(id, "l%d", &n)
		if body.GetFrom() != "dan" || body.GetReason() != "left" || body.GetBatchId() != "1" || body.GetAccepted() != (n%2 == 0) || body.GetAgreementVersion() != 0 {
			w.t.Errorf("record %d of %s says %v", e.Seq, id, body)
		}
	}
	return batches
}

// Goes red if: a lead of who left stays with them, goes to them again, is moved twice or
// by another move, or the deactivation and the first of them are not one batch.
func TestWhoeverLeavesLeavesTheirLeads(t *testing.T) {
	t.Parallel()
	w := leaving(t, 250)
	w.commands = 0
	before := len(w.events)
	if err := w.deactivate("dan"); err != nil {
		t.Fatal(err)
	}
	if first := w.events[before]; first.Body.(*routingv1.MemberDeactivated).GetMember() != "dan" || first.Logic != Logic {
		t.Errorf("the first record is %v", first)
	}
	if got := w.moved(before); !slices.Equal(got, []int{100}) {
		t.Errorf("the batch of the command moves %v leads, want 100", got)
	}
	w.settle()
	if got := w.moved(before); !slices.Equal(got, []int{100, 100, 50}) {
		t.Errorf("the batches move %v leads, want 100, 100 and 50", got)
	}
	load := w.folds.groups.Group("sales").Load
	if load["dan"] != 0 || load["chloe"] != 250 {
		t.Errorf("loads are %v", load)
	}
	freed := 0
	for _, e := range w.events[before:] {
		if body, ok := e.Body.(*personv1.OwnerChanged); ok && body.GetMember() == "" {
			freed++
		}
	}
	if freed != 125 {
		t.Errorf("%d people have no owner any more, want 125", freed)
	}
	w.wellKept()
}

// The process dies after the first batch: the next one goes on by itself, under the
// same move.
func TestAMoveOfWhoLeftGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	w := leaving(t, 250)
	w.commands = 0
	before := len(w.events)
	if err := w.deactivate("dan"); err != nil {
		t.Fatal(err)
	}
	w.notices, w.nudged = nil, false
	next := newFolding()
	for _, e := range w.events {
		next.apply(e)
	}
	w.folds, w.service = next, New(next.register, next.roster, next.groups, nil)
	*w.folds.groups = *carriedOver(t, w.folds.groups)
	w.nudged = true // A desk that starts looks at once.
	w.settle()
	if got := w.moved(before); !slices.Equal(got, []int{100, 100, 50}) {
		t.Errorf("the batches move %v leads, want 100, 100 and 50", got)
	}
	if load := w.folds.groups.Group("sales").Load; load["dan"] != 0 || load["chloe"] != 250 {
		t.Errorf("loads are %v", load)
	}
	w.wellKept()
}

// In the very batch that takes somebody out nobody gives them anything any more.
func TestWhoeverIsTakenOutGetsNothingInTheSameBatch(t *testing.T) {
	t.Parallel()
	w := leaving(t, 1)
	w.roster(&routingv1.MemberDeactivated{Member: "chloe", Reason: "left"})
	w.settle()
	w.qualify("new", 500)
	w.notices = nil
	w.handle(
		&ledger.Item{Actor: "op", Command: &member{subject: "org.member.dan", handle: "dan", body: &routingv1.MemberDeactivated{Member: "dan", Reason: "left"}}, Cause: "cmd:x"},
		&ledger.Item{Lead: "new", Cause: "test:1"},
		&ledger.Item{Actor: "op", Command: &member{subject: "org.member.dan", handle: "dan", body: &routingv1.PresenceChanged{Member: "dan", Present: true}}, Cause: "cmd:y"},
	)
	for _, id := range []string{"l000", "new"} {
		if body, ok := w.last(id).(*leadv1.LeadQueued); !ok || body.GetBlockedBy() != "empty-pool" {
			t.Errorf("%s: it says %v", id, w.last(id))
		}
	}
	if w.folds.roster.Member("dan").SignedIn.After(monday) || !w.folds.roster.Member("dan").SignedIn.IsZero() {
		t.Error("whoever is gone has signed in")
	}
	// Whoever comes back begins anew, and with none of what they had.
	w.roster(&routingv1.MemberAdded{Member: "dan", Roles: []string{"sales"}, TokenHash: make([]byte, 32)})
	w.settle()
	if w.holderOf("l000") != "dan" || w.folds.state("l000").Owner != "" {
		t.Errorf("dan is back, and it says %v", w.last("l000"))
	}
	w.wellKept()
}
