package feedback

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Clerk puts cases that nobody decides in time before those who are agreed, one after
// another, and notes on decided ones which proposal they led to: a ledger.Decider that
// hears nothing, is nudged by the docket and led by the clock. What it says of a lead
// stands on the lead's last event, so that of two who say the same one is heard.
type Clerk struct{ Docket *Docket }

// Service implements ledger.Decider.
func (c *Clerk) Service() string { return Name }

// Due implements ledger.Decider.
func (c *Clerk) Due(*ledger.View) time.Time { return c.Docket.next() }

// Wake implements ledger.Decider.
func (c *Clerk) Wake(v *ledger.View) []*ledger.Item { return c.wake(v.Now) }

func (c *Clerk) wake(now time.Time) (items []*ledger.Item) {
	for _, d := range c.Docket.dueBy(now, atOnce) {
		items = append(items, &ledger.Item{Lead: d.lead, Cause: "dispute:" + d.id})
	}
	for _, l := range c.Docket.unlinked(atOnce) {
		items = append(items, &ledger.Item{Lead: l.lead, Cause: l.event})
	}
	return items
}

// Decide implements ledger.Decider.
func (c *Clerk) Decide(v *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	return c.decide(v.Now, items), nil
}

func (c *Clerk) decide(now time.Time, items []*ledger.Item) []ledger.Draft {
	var drafts []ledger.Draft
	looked := map[string]bool{}
	for _, item := range items {
		if looked[item.Lead] {
			continue
		}
		looked[item.Lead] = true
		for _, d := range c.Docket.of(item.Lead) {
			drafts = append(drafts, escalations(d, c.Docket.register.Version(d.version), now)...)
		}
		for _, l := range c.Docket.unlinked(atOnce) {
			if l.lead == item.Lead {
				drafts = append(drafts, ledger.Draft{
					Subject: lead.SubjectOf(l.lead), Correlation: l.lead, Cause: l.event, Position: l.place,
					Body: &leadv1.DisputeLinked{DisputeId: l.id, AgreementVersion: l.version},
				})
			}
		}
	}
	return drafts
}

// escalations are the steps of a case that are due, each dated at its own instant and
// said once. Those who are told, and by which time, are those of the agreement that was
// in force when the case was opened.
func escalations(d docketed, v *agreement.Version, now time.Time) (drafts []ledger.Draft) {
	told := tell(v)
	for step, due := d.step, d.due; !due.IsZero() && !due.After(now) && int(step) < len(told); {
		step++
		body := &leadv1.DisputeEscalated{DisputeId: d.id, Step: step, To: told[step-1], DueAt: timestamppb.New(due), FiredAt: timestamppb.New(now)}
		var next time.Time
		if int(step) < len(told) {
			terms, _ := v.Agreement.Disputes()
			next = after(v.Agreement, terms, due)
		}
		if !next.IsZero() {
			body.NextAt = timestamppb.New(next)
		}
		drafts = append(drafts, ledger.Draft{
			Subject: lead.SubjectOf(d.lead), Body: body, Occurred: due, Correlation: d.lead,
			Cause: fmt.Sprintf("dispute:%s:step:%d", d.id, step), Agreement: v.Number,
		})
		due = next
	}
	return drafts
}

// tell are those who are told that a case lies, in order; none = nobody is agreed.
func tell(v *agreement.Version) []string {
	if v == nil || v.Agreement == nil {
		return nil
	}
	terms, ok := v.Agreement.Disputes()
	if !ok {
		return nil
	}
	return append([]string{terms.Arbiter}, terms.Then...)
}

// after is when the agreed time has passed since an instant; zero = never.
func after(a *agreement.Agreement, terms agreement.Disputes, since time.Time) time.Time {
	calendar, ok := a.Calendar(terms.Calendar)
	if !ok {
		return time.Time{}
	}
	at, _ := calendar.Add(since, terms.Within)
	return at
}
