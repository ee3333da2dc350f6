package agreement

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Endings records that an overlay has reached its end, once and dated at that
// instant: a ledger.Decider that hears nothing and is led by the clock. Decisions
// do not wait for it.
type Endings struct{ Register *Register }

// Service implements ledger.Decider.
func (*Endings) Service() string { return Name }

// Due implements ledger.Decider.
func (e *Endings) Due(v *ledger.View) time.Time {
	var next time.Time
	for _, one := range e.Register.endings() {
		if one.until.After(v.Woken) && (next.IsZero() || one.until.Before(next)) {
			next = one.until
		}
	}
	return next
}

// Wake implements ledger.Decider.
func (e *Endings) Wake(v *ledger.View) []*ledger.Item {
	for _, one := range e.Register.endings() {
		if !one.until.After(v.Now) {
			return []*ledger.Item{{Cause: "overlays"}}
		}
	}
	return nil
}

// Decide implements ledger.Decider.
func (e *Endings) Decide(v *ledger.View, _ []*ledger.Item) ([]ledger.Draft, error) {
	var drafts []ledger.Draft
	for _, one := range e.Register.endings() {
		if one.until.After(v.Now) || len(drafts) == ledger.MaxBatch {
			continue
		}
		drafts = append(drafts, ledger.Draft{
			Subject: Subject, Occurred: one.until, Cause: fmt.Sprintf("overlay:%d:%s", one.version.Number, one.overlay), Correlation: "agreement", Agreement: one.version.Number,
			Body: &agreementv1.OverlayEnded{Version: one.version.Number, Overlay: one.overlay, Until: timestamppb.New(one.until)},
		})
	}
	return drafts, nil
}
