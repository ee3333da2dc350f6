package score

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// History folds the leads in the log into what can be learned from them. The
// zero value has seen nothing.
type History struct {
	leads map[string]*course
}

// course is how one lead went, as far as a training wants to know.
type course struct {
	received *leadv1.LeadReceived
	// touched is when a person of ours first touched it; zero = nobody did.
	touched time.Time
	// later are the fields that a later reading of the body filled, with when.
	later  map[string]time.Time
	ended  outcome
	called outcome
	refuse bool
}

// outcome is what became of a lead: not known, yes or no.
type outcome int

const (
	open outcome = iota
	yes
	no
)

// Apply folds one event of a lead; what is none is let go.
func (h *History) Apply(id string, body proto.Message, occurred, recorded time.Time) {
	if h.leads == nil {
		h.leads = map[string]*course{}
	}
	if e, ok := body.(*leadv1.LeadReceived); ok {
		h.leads[id] = &course{received: &leadv1.LeadReceived{ReceivedAt: e.GetReceivedAt(), Features: e.GetFeatures()}}
		return
	}
	c := h.leads[id]
	if c == nil {
		return
	}
	switch e := body.(type) {
	case *leadv1.LeadRefused:
		c.refuse = true
	case *leadv1.SubmissionRevised:
		if !e.GetConflict() {
			c.fill(e.GetFeatures(), recorded)
		}
	case *leadv1.LeadRemapped:
		c.fill(e.GetFeatures(), recorded)
	case *leadv1.CallRecorded:
		c.touch(occurred)
	case *leadv1.OfferAccepted:
		c.touch(occurred)
	case *leadv1.OfferRejected:
		c.touch(occurred)
		if e.GetConsequence() == leadv1.Consequence_CONSEQUENCE_DISQUALIFY {
			c.ended = no
		}
	case *leadv1.OutcomeRecorded:
		c.touch(occurred)
		switch e.GetKind() {
		case leadv1.OutcomeKind_OUTCOME_KIND_WON:
			c.ended = yes
		case leadv1.OutcomeKind_OUTCOME_KIND_LOST:
			c.ended = no
		}
	case *leadv1.LeadQualified:
		switch {
		case e.GetStage() == leadv1.Stage_STAGE_SQL:
			c.called = yes
		case e.GetCallId() != "" && c.called == open:
			c.called = no
		}
	case *leadv1.LeadNurtured:
		// Only a call says that a lead is none; the profile says it before.
		if e.GetReason() == "call" && c.called == open {
			c.called = no
		}
	}
}

func (c *course) touch(at time.Time) {
	if c.touched.IsZero() || at.Before(c.touched) {
		c.touched = at
	}
}

func (c *course) fill(f *leadv1.Features, at time.Time) {
	before := filled(c.received.GetFeatures())
	for _, name := range filled(f) {
		if _, known := c.later[name]; known || slices.Contains(before, name) {
			continue
		}
		if c.later == nil {
			c.later = map[string]time.Time{}
		}
		c.later[name] = at
	}
}

// outcome is what became of the lead by a label. A lead that was called SQL
// stays one; one that ended without a call never was.
func (c *course) outcome(label scorev1.Label) outcome {
	switch {
	case c.refuse:
		return open
	case label == scorev1.Label_LABEL_SQL && c.called != open:
		return c.called
	case label == scorev1.Label_LABEL_SQL && c.ended == yes:
		return open
	}
	return c.ended
}

// Known are the leads whose outcome is known, in the order of their ids.
func (h *History) Known(label scorev1.Label) []Known {
	var out []Known
	for _, id := range slices.Sorted(maps.Keys(h.leads)) {
		c := h.leads[id]
		became := c.outcome(label)
		if became == open {
			continue
		}
		k := Known{Lead: id, At: c.received.GetReceivedAt().AsTime(), Features: c.received.GetFeatures(), Yes: became == yes}
		for _, name := range slices.Sorted(maps.Keys(c.later)) {
			if !c.touched.IsZero() && !c.later[name].Before(c.touched) {
				k.Late = append(k.Late, name)
			}
		}
		out = append(out, k)
	}
	return out
}
