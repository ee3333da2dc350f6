// Package qualification finds out which leads are worth a seller's time, and
// says why.
//
// It promises: every kept lead gets exactly one answer from the agreement in
// force (a stage, or nurture) with the values that decided; a lead that no
// agreement can decide waits in a visible line and says so; SAL and SQL rest
// on a call by somebody who holds the qualifier role; and every decision can
// be derived again from the log alone.
//
// It hears lead.* and org.agreement.*; it says QualificationHeld,
// LeadQualified, LeadNurtured, NurtureAdvanced, CallRecorded, and LineAdvanced for
// its line.
package qualification

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/score"
)

// Name is the service's one word.
const Name = "qualification"

// Hears are the subjects that make it look.
var Hears = []string{"lead.*", "org.agreement.*"}

// Qualification is the service.
type Qualification struct {
	register *agreement.Register
	scores   *score.Register
	line     *Line
	later    *Later
}

// New makes the service on top of its folds. Without scores none stands beside
// the points.
func New(register *agreement.Register, scores *score.Register, line *Line, later *Later) *Qualification {
	return &Qualification{register: register, scores: scores, line: line, later: later}
}

// Service implements ledger.Decider.
func (q *Qualification) Service() string { return Name }

// Decide looks at every item's lead as it stands.
func (q *Qualification) Decide(v *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	return q.decide(v.Now, v.Lead, items)
}

// decide is Decide on top of whatever answers the folded leads.
func (q *Qualification) decide(now time.Time, leads func(id string) (*lead.State, error), items []*ledger.Item) ([]ledger.Draft, error) {
	var drafts []ledger.Draft
	line := &qualificationv1.LineAdvanced{}
	seen, commanded := map[string]bool{}, map[string]bool{}
	for _, item := range items {
		if item.Lead == "" {
			continue
		}
		state, err := leads(item.Lead)
		if err != nil {
			return nil, err
		}
		if item.Command != nil {
			// A repeat within the batch is answered by what the first one says.
			if commanded[item.Cause] {
				continue
			}
			if d, ok := q.command(state, item, now); ok {
				commanded[item.Cause] = true
				drafts = append(drafts, d)
			}
			continue
		}
		if seen[item.Lead] {
			continue
		}
		seen[item.Lead] = true
		in := Input{Lead: state, Now: now, Score: inForce(q.scores, now)}
		if version := q.register.InForce(now); version != nil {
			in.Agreement, in.Version = version.Agreement, version.Number
		}
		body := Decide(in)
		if body == nil {
			continue
		}
		drafts = append(drafts, ledger.Draft{
			Subject: lead.SubjectOf(item.Lead), Body: body, Cause: item.Cause, Correlation: item.Lead, TraceParent: item.Trace,
			Agreement: in.Version, Logic: Logic,
		})
		if held, ok := body.(*leadv1.QualificationHeld); ok && held.GetRule() == RuleNoAgreement {
			line.Held = append(line.Held, item.Lead)
		} else if q.line.Has(item.Lead) {
			line.Freed = append(line.Freed, item.Lead)
		}
	}
	if len(line.GetHeld())+len(line.GetFreed()) > 0 {
		drafts = append(drafts, ledger.Draft{Subject: SubjectLine, Body: line, Cause: items[0].Cause, Position: 1, Correlation: "line"})
	}
	return drafts, nil
}

// Due is when a lead is looked at again, or when another agreement comes into
// force while somebody waits for one.
func (q *Qualification) Due(v *ledger.View) time.Time {
	due := q.later.Next()
	if q.line.Len() == 0 && len(q.later.lacking) == 0 {
		return due
	}
	if change := q.register.NextChange(v.Woken); !change.IsZero() && (due.IsZero() || change.Before(due)) {
		due = change
	}
	return due
}

// wakeMost bounds one wake-up: the rest follows at once.
const wakeMost = 100

// Wake answers the leads whose date has come; the held ones, oldest first, once an
// agreement can decide them; and those that lack a fact, once another one is in
// force.
func (q *Qualification) Wake(v *ledger.View) []*ledger.Item {
	version := q.register.InForce(v.Now)
	if version == nil {
		return nil
	}
	var items []*ledger.Item
	for _, id := range q.later.Due(v.Now, wakeMost) {
		items = append(items, &ledger.Item{Lead: id, Cause: "recheck:" + id + ":" + q.later.at[id].Format(time.RFC3339)})
	}
	for _, id := range q.line.First(wakeMost - len(items)) {
		items = append(items, &ledger.Item{Lead: id, Cause: "agreement:" + id + ":" + version.InForceFrom.Format(time.RFC3339)})
	}
	for _, id := range q.later.Lacking(version.Number, wakeMost-len(items)) {
		items = append(items, &ledger.Item{Lead: id, Cause: fmt.Sprintf("agreement:%s:%d", id, version.Number)})
	}
	return items
}

// Rederive answers what the decision that an event holds must be, from the
// lead and the agreements as they stood at its basis.
func Rederive(e *ledger.Event, state *lead.State, register *agreement.Register, scores *score.Register) (proto.Message, error) {
	if e.Logic != Logic && e.Logic != second && e.Logic != first {
		return nil, fault.New(fault.NotFound, "the logic %q is not one that this version of Baton can run", e.Logic)
	}
	in := Input{Lead: state, Now: e.Recorded, Logic: e.Logic, Score: inForce(scores, e.Recorded)}
	if version := register.InForce(e.Recorded); version != nil {
		in.Agreement, in.Version = version.Agreement, version.Number
	}
	return Decide(in), nil
}

// inForce is the learned score that stands beside the points; nil = none does.
func inForce(scores *score.Register, at time.Time) *score.Model {
	if scores == nil {
		return nil
	}
	return scores.Model(at)
}
