package qualification

import (
	"slices"

	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// SubjectLine holds which leads wait for an agreement.
const SubjectLine = "org.line.qualification"

// Line is the fold of the waiting line, oldest first.
type Line struct {
	order []string
	in    map[string]bool
}

// NewLine is an empty line.
func NewLine() *Line { return &Line{in: map[string]bool{}} }

// Apply folds one event.
func (l *Line) Apply(e *ledger.Event) {
	body, ok := e.Body.(*qualificationv1.LineAdvanced)
	if !ok {
		return
	}
	for _, id := range body.GetHeld() {
		if !l.in[id] {
			l.in[id] = true
			l.order = append(l.order, id)
		}
	}
	for _, id := range body.GetFreed() {
		delete(l.in, id)
		switch i := slices.Index(l.order, id); {
		case i == 0:
			// The common way: the oldest go first, and the rest need not move.
			l.order = l.order[1:]
		case i > 0:
			l.order = slices.Delete(l.order, i, i+1)
		}
	}
}

// Has says whether a lead waits.
func (l *Line) Has(id string) bool { return l.in[id] }

// Len counts who waits.
func (l *Line) Len() int { return len(l.in) }

// First answers the n oldest.
func (l *Line) First(n int) []string {
	return slices.Clone(l.order[:min(n, len(l.order))])
}
