package routing

import (
	"context"
	"slices"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Moves knows where in the log the moves by hand stand, so that one can be taken back
// without reading all of the log. It is a fold; which leads a move holds is read from the
// log itself.
type Moves struct {
	spans map[string]span
	order []string
	most  int
}

// span is the first and the last event of a move.
type span struct{ first, last uint64 }

// movesKept bounds what is remembered; an older move is looked for in all of the log
// before them.
const movesKept = 20_000

// NewMoves is the fold of nothing.
func NewMoves() *Moves { return &Moves{spans: map[string]span{}, most: movesKept} }

// Apply folds one event.
func (m *Moves) Apply(e *ledger.Event) {
	body, ok := e.Body.(*leadv1.LeadReassigned)
	if !ok {
		return
	}
	id := body.GetBatchId()
	s, known := m.spans[id]
	if !known {
		s.first = e.Seq
		m.order = append(m.order, id)
	}
	s.last = e.Seq
	m.spans[id] = s
	if len(m.order) > m.most {
		delete(m.spans, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
}

// where answers between which events a move stands; ok is false where there is none.
func (m *Moves) where(batch string) (s span, ok bool) {
	if s, ok = m.spans[batch]; ok || len(m.order) < m.most {
		return s, ok
	}
	// Forgotten, or never there: what is remembered began after it.
	return span{1, m.spans[m.order[len(m.order)-1]].last}, true
}

// reassignedType is the type of the events that a move consists of.
var reassignedType = ledger.TypeOf(&leadv1.LeadReassigned{})

// leadsOf answers the leads of a move, in the order in which they were moved.
func (s *Server) leadsOf(ctx context.Context, batch string) (leads []string, err error) {
	var at span
	var known bool
	s.Log.Follower().View(func(*ledger.View) { at, known = s.Moves.where(batch) })
	if !known {
		return nil, nil
	}
	err = s.Log.Read(ctx, ledger.StreamLedger, at.first, at.last, func(r *ledger.Record) error {
		if r.Type() != reassignedType {
			return nil
		}
		e, err := r.Decode()
		if err != nil {
			return err
		}
		if id, ok := lead.FromSubject(e.Subject); ok && e.Body.(*leadv1.LeadReassigned).GetBatchId() == batch {
			leads = append(leads, id)
		}
		return nil
	}, unreadable)
	return leads, err
}

func unreadable(seq uint64, why string) error {
	return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
}
