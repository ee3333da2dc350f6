// Package report is what people read: the read model, the reports made of it and the
// lead in words. It promises that every figure comes from one agreed formula over the
// events of the log, that the same question has the same answer for marketing and
// for sales, and that its tables can be thrown away and folded again at any time.
//
// It hears every event of LEDGER, in order and in batches (Store.Apply, from
// where Store.Attach says), and folds them into SQL. It says nothing.
package report

import (
	"context"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Log is what is read of LEDGER itself.
type Log interface {
	// History answers all events of a subject in order; none for an unknown one.
	History(ctx context.Context, subject string) ([]*ledger.Event, error)
	// Follow calls fn with each event from the sequence on, in order, first those
	// that are there, then those that come, until the context ends or fn fails.
	// From 0 it begins with what comes from now on.
	Follow(ctx context.Context, from uint64, fn func(*ledger.Event) error) error
}

// Opener opens the personal data of a lead; fault.NotFound once it is erased.
type Opener func(ctx context.Context, leadID string, sealed *leadv1.Sealed) (*leadv1.PersonalData, error)

// Status says how the log and its consumers stand. What the read model knows
// itself (its own sequence and the time) is filled in afterwards.
type Status interface {
	Status(ctx context.Context) (*feedbackv1.GetStatusResponse, error)
}
