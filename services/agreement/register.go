package agreement

import (
	"crypto/ed25519"
	"slices"
	"sync/atomic"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Subject holds the life of the agreement.
const Subject = "org.agreement.main"

// Version is one proposal and what became of it.
type Version struct {
	Number     int64
	Document   []byte
	Digest     []byte
	ProposedAt time.Time
	ProposedBy string
	// Why it was proposed, and the disputes whose verdicts it answers; Sequence of the
	// proposal in LEDGER.
	Why        string
	Disputes   []string
	Sequence   uint64
	Signatures []Signature
	// InForceFrom is zero until both parties have signed.
	InForceFrom time.Time
	// Agreement is the compiled document.
	Agreement *Agreement
	// Receipts say who has read it, in order.
	Receipts []Receipt
	// Ended are the overlays whose end was recorded.
	Ended []Ending
}

// Signature is one party's.
type Signature struct {
	Party     string
	At        time.Time
	Actor     string
	PublicKey ed25519.PublicKey
	Signature []byte
	Sequence  uint64
}

// Receipt says that somebody has read a version.
type Receipt struct {
	Member string
	At     time.Time
}

// Ending is the recorded end of an overlay.
type Ending struct {
	Overlay string
	At      time.Time
}

// SignedBy says whether a party has signed.
func (v *Version) SignedBy(party string) bool {
	return slices.ContainsFunc(v.Signatures, func(s Signature) bool { return s.Party == party })
}

// ReadBy says whether somebody has read it.
func (v *Version) ReadBy(member string) bool {
	return slices.ContainsFunc(v.Receipts, func(r Receipt) bool { return r.Member == member })
}

// EndedAt is when the end of an overlay was recorded; zero = it was not.
func (v *Version) EndedAt(overlay string) time.Time {
	for _, e := range v.Ended {
		if e.Overlay == overlay {
			return e.At
		}
	}
	return time.Time{}
}

// Register is the fold of the agreement's life: every version, in order.
type Register struct {
	versions []*Version
	nudge    atomic.Pointer[func()]
}

// Nudge has f called whenever a version has got both signatures: what is due may
// be something else from then on. f must not wait.
func (r *Register) Nudge(f func()) { r.nudge.Store(&f) }

// Apply folds one event.
func (r *Register) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *agreementv1.AgreementProposed:
		v := &Version{
			Number: body.GetVersion(), Document: body.GetDocument(), Digest: body.GetDigest(), ProposedAt: e.Recorded, ProposedBy: e.Actor,
			Why: body.GetWhy(), Disputes: body.GetDisputes(), Sequence: e.Seq,
		}
		// A document that does not compile here was proposed by a newer version;
		// it stays listed and cannot decide.
		v.Agreement, _ = Restore(body.GetDocument())
		r.versions = append(r.versions, v)
	case *agreementv1.AgreementSigned:
		v := r.Version(body.GetVersion())
		if v == nil {
			return
		}
		v.Signatures = append(v.Signatures, Signature{body.GetParty(), e.Recorded, e.Actor, body.GetPublicKey(), body.GetSignature(), e.Seq})
		if from := body.GetInForceFrom(); from != nil {
			v.InForceFrom = from.AsTime()
			if nudge := r.nudge.Load(); nudge != nil {
				(*nudge)()
			}
		}
	case *agreementv1.AgreementRead:
		if v := r.Version(body.GetVersion()); v != nil && !v.ReadBy(e.Actor) {
			v.Receipts = append(v.Receipts, Receipt{e.Actor, e.Recorded})
		}
	case *agreementv1.OverlayEnded:
		if v := r.Version(body.GetVersion()); v != nil {
			v.Ended = append(v.Ended, Ending{body.GetOverlay(), e.Recorded})
		}
	}
}

// Version answers one version; nil = there is none.
func (r *Register) Version(number int64) *Version {
	if number < 1 || number > int64(len(r.versions)) {
		return nil
	}
	return r.versions[number-1]
}

// Versions are all versions in the order of their proposals.
func (r *Register) Versions() []*Version { return r.versions }

// InForce is the version in force at an instant: of all that both have signed
// and whose time has come, the one whose time came last. nil = none.
func (r *Register) InForce(at time.Time) *Version {
	var best *Version
	for _, v := range r.versions {
		if v.InForceFrom.IsZero() || v.InForceFrom.After(at) || v.Agreement == nil {
			continue
		}
		if best == nil || !v.InForceFrom.Before(best.InForceFrom) {
			best = v
		}
	}
	return best
}

// Clocked says whether any version has clocks.
func (r *Register) Clocked() bool {
	return slices.ContainsFunc(r.versions, func(v *Version) bool { return v.Agreement != nil && len(v.Agreement.clocks) > 0 })
}

// InForceUntil is when another version takes a version's place; zero = none that
// is known of. Where it is the instant from which the version is in force, the
// version never is.
func (r *Register) InForceUntil(v *Version) time.Time {
	var until time.Time
	for _, other := range r.versions {
		from := other.InForceFrom
		if other == v || v.InForceFrom.IsZero() || from.IsZero() || other.Agreement == nil || from.Before(v.InForceFrom) || (from.Equal(v.InForceFrom) && other.Number < v.Number) {
			continue
		}
		if until.IsZero() || from.Before(until) {
			until = from
		}
	}
	return until
}

// Standing is how far a version is at an instant.
func (r *Register) Standing(v *Version, at time.Time) agreementv1.Standing {
	switch {
	case v.InForceFrom.IsZero():
		return agreementv1.Standing_STANDING_DRAFT
	case v == r.InForce(at):
		return agreementv1.Standing_STANDING_IN_FORCE
	case v.InForceFrom.After(at):
		return agreementv1.Standing_STANDING_AGREED
	}
	return agreementv1.Standing_STANDING_PAST
}

// NextChange is the next instant after which another version is in force; zero
// = none is known.
func (r *Register) NextChange(after time.Time) time.Time {
	var next time.Time
	for _, v := range r.versions {
		if v.InForceFrom.After(after) && (next.IsZero() || v.InForceFrom.Before(next)) {
			next = v.InForceFrom
		}
	}
	return next
}

// due is an overlay's end of which nothing is recorded.
type due struct {
	version *Version
	overlay string
	until   time.Time
}

// endings are the ends of overlays that are not recorded, of versions that are in
// force until then. An exception that a later version took out ends with its
// version and not by itself.
func (r *Register) endings() []due {
	var out []due
	for _, v := range r.versions {
		if v.Agreement == nil || v.InForceFrom.IsZero() {
			continue
		}
		for _, o := range v.Agreement.overlays {
			if r.InForce(o.Until.Add(-1)) == v && v.EndedAt(o.ID).IsZero() {
				out = append(out, due{v, o.ID, o.Until})
			}
		}
	}
	return out
}

// last is the newest version; nil = none.
func (r *Register) last() *Version {
	if len(r.versions) == 0 {
		return nil
	}
	return r.versions[len(r.versions)-1]
}
