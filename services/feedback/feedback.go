// Package feedback brings what became of each lead back to both departments. It
// promises that what a member says in one call is one event, however often the call
// is repeated, and that what comes before its lead waits for it.
//
// It says OutcomeRecorded, for members who tell what they did and for files of other
// systems; OutcomeWaiting and OutcomeReleased for outcomes that come before their
// leads; and FeedbackGiven, for what sales learned that marketing wants to know. What it
// hears are those alone; figures are made of its events by report.
package feedback

import (
	"context"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Log is what feedback reads of LEDGER.
type Log interface {
	// History answers all events of a subject in order; none for an unknown one.
	History(ctx context.Context, subject string) ([]*ledger.Event, error)
}

// Writer says events about one lead. It folds the lead's subject, asks decide
// for drafts, publishes them with the sequence it folded, and asks again when
// somebody was faster. It answers the sequence of the last event said.
type Writer interface {
	Say(ctx context.Context, decide func(s *lead.State, lastSeq uint64) ([]ledger.Draft, error), leadID string) (uint64, error)
}

// Sealer seals text under a named key, which is on disk before it answers.
type Sealer func(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
