package feedback

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// told are the steps that were said, as step, whom, when due and when fired.
func (c *court) told() (out []string) {
	for _, e := range c.events {
		if b, ok := e.Body.(*leadv1.DisputeEscalated); ok {
			if !e.Occurred.Equal(b.GetDueAt().AsTime()) {
				c.t.Errorf("step %d is dated %v, and was due %v", b.GetStep(), e.Occurred, b.GetDueAt().AsTime())
			}
			next := "-"
			if b.GetNextAt() != nil {
				next = b.GetNextAt().AsTime().Format("Mon 15:04")
			}
			out = append(out, fmt.Sprintf("%s %d %s %s fired %s next %s", b.GetDisputeId(), b.GetStep(), b.GetTo(), b.GetDueAt().AsTime().Format("Mon 15:04"), b.GetFiredAt().AsTime().Format("Mon 15:04"), next))
		}
	}
	return out
}

// Frozen at any moment and left open: to the arbiter at the instant, then to each after
// the same working time, never early and once each.
func TestEscalation(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	due := time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC)
	if at := c.clerk.Due(nil); !at.Equal(due) {
		t.Fatalf("due %v; want %v", at, due)
	}
	c.time.Set(due.Add(-time.Nanosecond))
	if said := c.work(); len(said) != 0 {
		t.Fatalf("early: %v", said)
	}
	c.time.Set(due)
	c.work()
	first := "l1-1 1 arbi Tue 16:00 fired Tue 16:00 next Thu 16:00"
	if got := c.told(); !slices.Equal(got, []string{first}) {
		t.Fatalf("said %q; want %q", got, first)
	}
	if said := c.work(); len(said) != 0 {
		t.Fatalf("twice: %v", said)
	}
	// Nobody was there for a week: each step has its own instant all the same. The second
	// is due on Thursday, the third after the weekend.
	c.time.Set(due.AddDate(0, 0, 8))
	c.work()
	if got, want := c.told(), []string{first, "l1-1 2 boss Thu 16:00 fired Wed 16:00 next Mon 16:00", "l1-1 3 chief Mon 16:00 fired Wed 16:00 next -"}; !slices.Equal(got, want) {
		t.Errorf("said\n%q; want\n%q", got, want)
	}
	if at := c.clerk.Due(nil); !at.IsZero() {
		t.Errorf("after the last step something is due at %v", at)
	}
	d, err := c.judge(arbi, "l1-1", missing, "size")
	if err != nil || len(d.GetEscalated()) != 3 {
		t.Errorf("decided %v, %v", d, err)
	}
}

// A step that both desks say at once is one event by its cause; the one that comes second
// folds the first and has nothing to say.
func TestEscalationOfTwoDesks(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	c.time.Set(time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC))
	other := &Clerk{Docket: c.docket}
	mine, theirs := c.clerk.decide(c.time.Now(), c.clerk.wake(c.time.Now())), other.decide(c.time.Now(), other.wake(c.time.Now()))
	if len(mine) != 1 || len(theirs) != 1 || mine[0].Cause != theirs[0].Cause || mine[0].Position != theirs[0].Position {
		t.Fatalf("%v and %v", mine, theirs)
	}
	c.write(mine)
	if said := other.decide(c.time.Now(), []*ledger.Item{{Lead: "l1", Cause: "dispute:l1-1"}}); len(said) != 0 {
		t.Errorf("the other says %v as well", said)
	}
}

// A process that starts anew folds the same docket and goes on where it stopped.
func TestEscalationAfterARestart(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	c.open(mark, notWorked)
	for at := start; at.Before(start.AddDate(0, 0, 10)); at = at.Add(7 * time.Hour) {
		c.time.Set(at)
		c.work()
		c.register, c.docket = &agreement.Register{}, nil
		c.docket = NewDocket(c.register)
		for _, e := range c.events {
			c.fold(e)
		}
		c.clerk = &Clerk{Docket: c.docket}
	}
	seen := map[string]int{}
	for _, e := range c.events {
		if b, ok := e.Body.(*leadv1.DisputeEscalated); ok {
			seen[fmt.Sprint(b.GetDisputeId(), " ", b.GetStep())]++
		}
	}
	if len(seen) != 6 {
		t.Errorf("said %v; want three steps of two cases", seen)
	}
	for what, n := range seen {
		if n != 1 {
			t.Errorf("%s was said %d times", what, n)
		}
	}
}

// What both agree on and nobody closes is put before the arbiter as well, and stays theirs
// to close.
func TestEscalationOfWhatIsAgreed(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	if err := c.answer(mark, "l1-1", true); err != nil {
		t.Fatal(err)
	}
	c.time.Set(time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC))
	if said := c.work(); len(said) != 1 {
		t.Errorf("said %v", said)
	}
	if d, err := c.judge(ana, "l1-1", missing, "size"); err != nil || d.GetDecided().GetBy() != "ana" {
		t.Errorf("closed: %v, %v", d, err)
	}
}

// Who is told is agreed when the case is opened; a later version changes nothing of it.
func TestEscalationKeepsItsAgreement(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	c.time.Set(c.time.Now().Add(time.Hour))
	document := c.register.Version(1).Document
	c.agree(append(slices.Clone(document), '\n'))
	c.agree([]byte(string(document[:len(document)-len(settlingPart)]) + "\ndisputes: {arbiter: other, within: 1h, calendar: office}\n"))
	c.time.Set(start.AddDate(0, 0, 10))
	c.work()
	var to []string
	for _, e := range c.events {
		if b, ok := e.Body.(*leadv1.DisputeEscalated); ok {
			to = append(to, b.GetTo())
		}
	}
	if !slices.Equal(to, []string{"arbi", "boss", "chief"}) {
		t.Errorf("told %v", to)
	}
	c.offer("l1", 2, "ben")
	if d := c.open(ana, wrongData); d.GetOpened().GetArbiter() != "other" {
		t.Errorf("a case by the new version: %v", d.GetOpened())
	}
}

// A proposal says which verdicts it answers, and each case which proposal it led to, once.
func TestLinks(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.open(ana, notAsAgreed)
	c.open(ana, wrongData)
	for i, id := range []string{"l1-1", "l1-2"} {
		if _, err := c.judge(arbi, id, []leadv1.DisputeVerdict{shouldChange, dataError}[i], []string{"size", ""}[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.put(agreement.Subject, &agreementv1.AgreementProposed{Version: 2, Document: c.register.Version(1).Document, Disputes: []string{"l1-1", "l1-2", "l1-1", "nobody-1"}}, c.time.Now())
	said := c.work()
	if len(said) != 2 || said[0].Position == said[1].Position && said[0].Cause == said[1].Cause {
		t.Fatalf("said %v", said)
	}
	c.put(agreement.Subject, &agreementv1.AgreementProposed{Version: 3, Document: c.register.Version(1).Document, Disputes: []string{"l1-2"}}, c.time.Now())
	c.work()
	for id, want := range map[string][]int64{"l1-1": {2}, "l1-2": {2, 3}} {
		if d, err := c.o.dispute(as(audit), audit, id); err != nil || !slices.Equal(d.GetLedTo(), want) {
			t.Errorf("%s led to %v, %v; want %v", id, d.GetLedTo(), err, want)
		}
	}
	if decided, ok := c.docket.Decided("nobody-1"); decided || ok {
		t.Error("a case that is not there is known")
	}
}

// Escalations of many cases on many leads are in time, whatever order they fall due in.
func TestEscalationOfMany(t *testing.T) {
	c := handedOver(t, 20)
	for i := range 20 {
		id := "r" + string(rune('a'+i))
		c.add(id, &leadv1.DisputeOpened{DisputeId: id + "-1", Party: "sales", Offer: 1, Claim: notAsAgreed, AgreementVersion: 1, Arbiter: "arbi", EscalateAt: timestamppb.New(start.Add(time.Duration(20-i) * 100 * time.Hour))}).Agreement = 1
	}
	c.docket = NewDocket(c.register)
	for _, e := range c.events {
		c.docket.Apply(e)
	}
	c.clerk = &Clerk{Docket: c.docket}
	for range 1000 {
		next := c.clerk.Due(nil)
		if next.IsZero() {
			break
		}
		if next.Before(c.time.Now()) {
			t.Fatalf("at %v something is due at %v still", c.time.Now(), next)
		}
		c.time.Set(next)
		c.work()
	}
	n := 0
	for _, e := range c.events {
		if b, ok := e.Body.(*leadv1.DisputeEscalated); ok {
			n++
			if !b.GetFiredAt().AsTime().Equal(b.GetDueAt().AsTime()) {
				t.Errorf("%s: due %v, fired %v", b.GetDisputeId(), b.GetDueAt().AsTime(), b.GetFiredAt().AsTime())
			}
		}
	}
	if n != 60 {
		t.Errorf("%d steps; want 3 of each of 20 cases", n)
	}
}
