package ledger

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// told is what one caller of Say was answered.
type told struct {
	events []*Event
	err    error
}

// meanwhile lets callers say something while a batch is under way, one after
// the other, and answers what each was told, in their order.
func meanwhile(t *testing.T, l *Ledger, says ...func() ([]*Event, error)) []told {
	t.Helper()
	l.saying.turn <- struct{}{}
	var answers []chan told
	for _, say := range says {
		answer := make(chan told, 1)
		answers = append(answers, answer)
		go func() { events, err := say(); answer <- told{events, err} }()
		eventually(t, "what is said waits for its turn", func() bool {
			l.saying.mu.Lock()
			defer l.saying.mu.Unlock()
			return len(l.saying.queue) == len(answers)
		})
	}
	<-l.saying.turn
	var out []told
	for _, answer := range answers {
		out = append(out, <-answer)
	}
	return out
}

// batches answers the batch of each record from a sequence on.
func batches(t *testing.T, l *Ledger, from uint64) (ids []string) {
	t.Helper()
	last, err := l.Last(t.Context(), StreamLedger)
	if err != nil {
		t.Fatal(err)
	}
	err = l.Read(t.Context(), StreamLedger, from, last, func(r *Record) error {
		ids = append(ids, strings.Join(r.Header[hBatchID], " "))
		return nil
	}, func(seq uint64, why string) error { t.Errorf("record %d: %s", seq, why); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func attached(id string) Draft {
	return Draft{Subject: "lead." + id, Cause: "attached:" + id, Body: &leadv1.PersonAttached{PersonId: "p", MatchedBy: "new"}}
}

// What is said while a batch is under way shares the next one, and each caller
// is told where its own stands.
func TestWhatWaitsSharesOneBatch(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	say := func(drafts ...Draft) func() ([]*Event, error) {
		return func() ([]*Event, error) { return l.Say(t.Context(), "intake", l.live, noon, drafts...) }
	}
	got := meanwhile(t, l, say(received("a"), received("b")), say(received("c")), say(received("d"), attached("d"), received("e")))
	want := uint64(2)
	for i, g := range got {
		if g.err != nil {
			t.Fatalf("caller %d: %v", i, g.err)
		}
		for _, e := range g.events {
			if e.Seq != want {
				t.Errorf("caller %d was told that %s stands at %d, want %d", i, e.Subject, e.Seq, want)
			}
			want++
			stored, err := l.History(t.Context(), e.Subject)
			if err != nil || !slices.ContainsFunc(stored, func(s *Event) bool { return s.Seq == e.Seq && s.Hash == e.Hash }) {
				t.Errorf("what stands at %d is not what caller %d said; %v", e.Seq, i, err)
			}
		}
	}
	ids := batches(t, l, 2)
	if len(ids) != 6 || ids[0] == "" || len(slices.Compact(ids)) != 1 {
		t.Errorf("six events that waited together stand in the batches %q", ids)
	}
}

// One caller's stale fold is its own: the others of its batch are not refused
// with it.
func TestStaleFoldRefusesNobodyElse(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("old")); err != nil {
		t.Fatal(err)
	}
	none := func(string) Place { return Place{} }
	say := func(drafts ...Draft) func() ([]*Event, error) {
		return func() ([]*Event, error) { return l.Say(t.Context(), "intake", none, noon, drafts...) }
	}
	got := meanwhile(t, l, say(received("a"), received("b")), say(received("c"), received("old")), say(received("d")))
	if got[0].err != nil || got[2].err != nil || !fault.Is(got[1].err, fault.Conflict) {
		t.Fatalf("the three were told %v, %v, %v", got[0].err, got[1].err, got[2].err)
	}
	for subject, n := range map[string]int{"lead.a": 1, "lead.b": 1, "lead.c": 0, "lead.d": 1, "lead.old": 1} {
		if history, err := l.History(t.Context(), subject); err != nil || len(history) != n {
			t.Errorf("%s has %d events, want %d; %v", subject, len(history), n, err)
		}
	}
}

// Of two that speak of the same subject the first one is taken, whatever shares
// its batch, and the second is told that the subject has moved.
func TestSameSubjectIsNotSharedInABatch(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	say := func(drafts ...Draft) func() ([]*Event, error) {
		return func() ([]*Event, error) { return l.Say(t.Context(), "intake", l.live, noon, drafts...) }
	}
	got := meanwhile(t, l, say(received("a")), say(received("a"), received("b")), say(received("b"), received("c")), say(received("d")))
	if got[0].err != nil || !fault.Is(got[1].err, fault.Conflict) || got[2].err != nil || got[3].err != nil {
		t.Fatalf("the four were told %v, %v, %v, %v", got[0].err, got[1].err, got[2].err, got[3].err)
	}
	if a, b := got[0].events[0].Seq, got[3].events[0].Seq; a != 2 || b != 3 {
		t.Errorf("what fits one batch stands at %d and %d", a, b)
	}
}

// Who gives up before its turn has said nothing.
func TestGivingUpBeforeTheTurnSaysNothing(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	l.saying.turn <- struct{}{}
	if _, err := l.Say(ctx, "intake", l.live, noon, received("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("who gave up was told %v", err)
	}
	<-l.saying.turn
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("b")); err != nil {
		t.Fatal(err)
	}
	if history, err := l.History(t.Context(), "lead.a"); err != nil || len(history) != 0 {
		t.Errorf("what was given up stands %d times; %v", len(history), err)
	}
}
