package feedback

import (
	"maps"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// mostLooks is how often a lead is looked at before it is left alone until
// something moves or the process starts anew: a mistake here must not fill the
// log.
const mostLooks = 20

// atOnce is how many leads get their outcomes in one batch.
const atOnce = 100

// Releaser gives leads the outcomes that came before them: a ledger.Decider
// that hears nothing and is nudged by the fold.
type Releaser struct{ Waiting *Waiting }

// Service implements ledger.Decider.
func (r *Releaser) Service() string { return Name }

// Due implements ledger.Decider: no clock plays a part.
func (r *Releaser) Due(*ledger.View) time.Time { return time.Time{} }

// Wake answers the leads that are here and that outcomes wait for.
func (r *Releaser) Wake(v *ledger.View) []*ledger.Item {
	w := r.Waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	var items []*ledger.Item
	for _, id := range slices.Sorted(maps.Keys(w.due)) {
		switch {
		case len(items) == atOnce:
			return items
		case v.Place(lead.SubjectOf(id)).Seq == 0:
			// Not here; when it comes, the fold says so.
			delete(w.due, id)
		case w.due[id] < mostLooks:
			items = append(items, &ledger.Item{Lead: id, Cause: "outcome:" + id})
		}
	}
	return items
}

// Decide records what waits for each lead, or says why it cannot be recorded.
func (r *Releaser) Decide(v *ledger.View, items []*ledger.Item) ([]ledger.Draft, error) {
	return r.release(v.Now, v.Lead, items)
}

func (r *Releaser) release(now time.Time, leads func(string) (*lead.State, error), items []*ledger.Item) ([]ledger.Draft, error) {
	var drafts []ledger.Draft
	for _, item := range items {
		r.looked(item.Lead)
		folded, err := leads(item.Lead)
		if err != nil {
			return nil, err
		}
		if folded.ID == "" {
			continue
		}
		s := folded.Clone()
		for _, o := range r.Waiting.of(item.Lead) {
			drafts = append(drafts, settle(s, o, now)...)
		}
	}
	return drafts, nil
}

func (r *Releaser) looked(id string) {
	r.Waiting.mu.Lock()
	defer r.Waiting.mu.Unlock()
	if _, due := r.Waiting.due[id]; due {
		r.Waiting.due[id]++
	}
}

// settle ends one wait.
func settle(s *lead.State, o *waitingOutcome, now time.Time) []ledger.Draft {
	id, key := o.body.GetLeadId(), o.body.GetKey()
	released := &feedbackv1.OutcomeReleased{LeadId: id, Key: key, How: "recorded"}
	end := ledger.Draft{Subject: subjectWaiting(id), Body: released, Cause: "outcome:" + id + ":" + key, Correlation: id, Position: 1}
	cause := importCause(id, key)
	if _, done := s.Done(cause); done {
		return []ledger.Draft{end}
	}
	occurred := o.body.GetOccurredAt().AsTime()
	body, err := DecideImported(s, o.body.GetOutcome(), occurred, now)
	if err != nil {
		released.How, released.Text = "refused", cut(err.Error())
		return []ledger.Draft{end}
	}
	s.Evolve(body, occurred, now)
	s.Remember(cause, 0)
	return []ledger.Draft{{Subject: lead.SubjectOf(id), Body: body, Occurred: occurred, Cause: cause, Correlation: id, Actor: o.actor}, end}
}

// cut keeps a sentence inside what its event takes.
func cut(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), 500)])
}

// importCause names an imported outcome: the same key on the same lead is one.
func importCause(leadID, key string) string {
	return lead.CommandPrefix + "outcome:" + leadID + ":" + key
}
