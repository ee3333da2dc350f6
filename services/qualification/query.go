package qualification

import (
	"context"
	"sync"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Sealer seals free text under a key of its own.
type Sealer interface {
	Seal(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)
	MAC(purpose string, parts ...[]byte) []byte
}

// Desk carries commands out.
type Desk interface {
	Do(ctx context.Context, item *ledger.Item) (uint64, error)
}

// History answers a subject's events.
type History interface {
	History(ctx context.Context, subject string) ([]*ledger.Event, error)
}

// Server answers baton.qualification.v1.QualificationService.
type Server struct {
	qualificationv1.UnimplementedQualificationServiceServer
	Desk  Desk
	Log   History
	Seals Sealer
	Clock clock.Clock
	// Standing says what a preview decides by; nil = nothing is in force.
	Standing Standing
	// Version answers one version of the agreement; nil = decisions are not made
	// again to explain them.
	Version func(number int64) *agreement.Version
	// Records are what a trial reads; nil = nothing can be tried.
	Records Records
	trying  sync.Mutex
}
