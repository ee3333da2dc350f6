package feedback

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

func TestDecideImported(t *testing.T) {
	const (
		touch   = leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
		working = leadv1.OutcomeKind_OUTCOME_KIND_WORKING
		won     = leadv1.OutcomeKind_OUTCOME_KIND_WON
		lost    = leadv1.OutcomeKind_OUTCOME_KIND_LOST
	)
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	open := lead.State{ID: "l1", State: leadv1.State_STATE_OFFERED, OfferedTo: "ben", ReceivedAt: start}
	past := lead.State{ID: "l1", State: leadv1.State_STATE_WORKING, Owner: "ana", Historical: true, ReceivedAt: start}
	closed := past
	closed.State, closed.ClosedAt = leadv1.State_STATE_WON, hour(5)
	refused := lead.State{ID: "l1", State: leadv1.State_STATE_REFUSED, ReceivedAt: start}
	for _, c := range []struct {
		name string
		s    lead.State
		o    *leadv1.OutcomeRecorded
		at   time.Time
		want *leadv1.OutcomeRecorded
		kind fault.Kind
	}{
		{"won elsewhere while it is offered here", open, &leadv1.OutcomeRecorded{Kind: won, Member: "ana", ValueMinor: 5, Currency: "EUR"}, hour(1), &leadv1.OutcomeRecorded{Kind: won, Member: "ana", ValueMinor: 5, Currency: "EUR"}, 0},
		{"nobody is named", open, &leadv1.OutcomeRecorded{Kind: working}, hour(1), &leadv1.OutcomeRecorded{Kind: working, Member: "ben"}, 0},
		{"lost without a reason", past, &leadv1.OutcomeRecorded{Kind: lost}, hour(1), &leadv1.OutcomeRecorded{Kind: lost, Member: "ana", Historical: true}, 0},
		{"a touch takes a lead from nobody", past, &leadv1.OutcomeRecorded{Kind: touch, Member: "ben"}, hour(1), &leadv1.OutcomeRecorded{Kind: touch, Member: "ben"}, 0},
		{"a touch before the deal was closed", closed, &leadv1.OutcomeRecorded{Kind: touch, Member: "ana"}, hour(4), &leadv1.OutcomeRecorded{Kind: touch, Member: "ana", Historical: true}, 0},
		{"a touch after it", closed, &leadv1.OutcomeRecorded{Kind: touch}, hour(6), nil, fault.State},
		{"won twice", closed, &leadv1.OutcomeRecorded{Kind: won}, hour(4), nil, fault.State},
		{"a test", refused, &leadv1.OutcomeRecorded{Kind: touch}, hour(1), nil, fault.State},
		{"in the future", open, &leadv1.OutcomeRecorded{Kind: won}, hour(11), nil, fault.Invalid},
		{"before the lead", open, &leadv1.OutcomeRecorded{Kind: won}, hour(-1), nil, fault.Invalid},
		{"a value of what is not won", open, &leadv1.OutcomeRecorded{Kind: lost, ValueMinor: 5, Currency: "EUR"}, hour(1), nil, fault.Invalid},
		{"a value without a currency", open, &leadv1.OutcomeRecorded{Kind: won, ValueMinor: 5}, hour(1), nil, fault.Invalid},
		{"a reason of what is not lost", open, &leadv1.OutcomeRecorded{Kind: won, Reason: "price"}, hour(1), nil, fault.Invalid},
		{"a channel of what is no touch", open, &leadv1.OutcomeRecorded{Kind: won, Channel: "call"}, hour(1), nil, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecideImported(&c.s, c.o, c.at, hour(10))
			if c.want == nil && fault.Of(err) != c.kind || c.want != nil && (err != nil || !proto.Equal(c.want, got)) {
				t.Errorf("got %v, %v; want %v, %v", got, err, c.want, c.kind)
			}
		})
	}
}

// TestReleaseIsSaidOnce: an outcome that stands on its lead already only ends
// its wait.
func TestReleaseIsSaidOnce(t *testing.T) {
	w := NewWaiting()
	nudged := 0
	w.Nudge(func() { nudged++ })
	seq := uint64(0)
	apply := func(subject string, body proto.Message) {
		seq++
		w.Apply(&ledger.Event{Seq: seq, Subject: subject, Body: body, Recorded: start, Actor: "eve"})
	}
	for i := range 3 {
		apply("org.outcome.l1", &feedbackv1.OutcomeWaiting{
			LeadId: "l1", Source: "crm", Key: fmt.Sprint("k", i), OccurredAt: timestamppb.New(start.Add(time.Duration(5-i) * time.Hour)),
			Outcome: &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"},
		})
	}
	if nudged != 3 {
		t.Errorf("nudged %d times", nudged)
	}
	apply("lead.l2", &leadv1.LeadReceived{})
	if nudged != 3 {
		t.Error("nudged for a lead that nothing waits for")
	}
	apply("lead.l1", &leadv1.LeadReceived{})
	if nudged != 4 {
		t.Error("not nudged for the lead")
	}
	s := &lead.State{ID: "l1", State: leadv1.State_STATE_RECEIVED, ReceivedAt: start}
	s.Remember(importCause("l1", "k1"), 7)
	r := &Releaser{w}
	drafts, err := r.release(start.Add(100*time.Hour), func(string) (*lead.State, error) { return s, nil }, []*ledger.Item{{Lead: "l1"}})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, d := range drafts {
		switch b := d.Body.(type) {
		case *leadv1.OutcomeRecorded:
			said = append(said, "recorded "+d.Cause+" by "+d.Actor)
		case *feedbackv1.OutcomeReleased:
			said = append(said, b.GetHow()+" "+b.GetKey())
		}
	}
	// In the order in which they happened, not in which they came.
	want := []string{"recorded cmd:outcome:l1:k2 by eve", "recorded k2", "recorded k1", "recorded cmd:outcome:l1:k0 by eve", "recorded k0"}
	if fmt.Sprint(said) != fmt.Sprint(want) {
		t.Errorf("said %v; want %v", said, want)
	}
	for _, d := range drafts {
		if b, is := d.Body.(*feedbackv1.OutcomeReleased); is {
			apply(d.Subject, b)
		}
	}
	if out, _ := w.List(0, 10); len(out) != 0 || len(w.due) != 0 {
		t.Errorf("still waiting: %v, due %v", out, w.due)
	}
}
