// Package feedback brings what became of each lead back to both departments. It
// promises that every figure comes from one agreed formula over the events of
// the log, that the same question has the same answer for marketing and for
// sales, and that its tables can be thrown away and folded again at any time.
//
// It hears every event of LEDGER, in order and in batches (Store.Apply, from
// where Store.Attach says), and folds the leads' own into SQL. It says
// OutcomeRecorded, for members who tell what they did and for files of other
// systems; OutcomeWaiting and OutcomeReleased for outcomes that come before their
// leads.
package feedback

import (
	"context"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Log is what feedback reads of LEDGER.
type Log interface {
	// History answers all events of a subject in order; none for an unknown one.
	History(ctx context.Context, subject string) ([]*ledger.Event, error)
	// Follow calls fn with each event from the sequence on, in order, first those
	// that are there, then those that come, until the context ends or fn fails.
	// From 0 it begins with what comes from now on.
	Follow(ctx context.Context, from uint64, fn func(*ledger.Event) error) error
}

// Writer says events about one lead. It folds the lead's subject, asks decide
// for drafts, publishes them with the sequence it folded, and asks again when
// somebody was faster. It answers the sequence of the last event said.
type Writer interface {
	Say(ctx context.Context, decide func(s *lead.State, lastSeq uint64) ([]ledger.Draft, error), leadID string) (uint64, error)
}

// Sealer seals text under a named key, which is on disk before it answers.
type Sealer func(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)

// Opener opens the personal data of a lead; fault.NotFound once it is erased.
type Opener func(ctx context.Context, leadID string, sealed *leadv1.Sealed) (*leadv1.PersonalData, error)

// Status says how the log and its consumers stand. What the read model knows
// itself (its own sequence and the time) is filled in afterwards.
type Status interface {
	Status(ctx context.Context) (*feedbackv1.GetStatusResponse, error)
}
