package agreement

import (
	"crypto/ed25519"
	"slices"
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
	Signatures []Signature
	// InForceFrom is zero until both parties have signed.
	InForceFrom time.Time
	// Agreement is the compiled document.
	Agreement *Agreement
}

// Signature is one party's.
type Signature struct {
	Party     string
	At        time.Time
	Actor     string
	PublicKey ed25519.PublicKey
}

// SignedBy says whether a party has signed.
func (v *Version) SignedBy(party string) bool {
	return slices.ContainsFunc(v.Signatures, func(s Signature) bool { return s.Party == party })
}

// Register is the fold of the agreement's life: every version, in order.
type Register struct {
	versions []*Version
}

// Apply folds one event.
func (r *Register) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *agreementv1.AgreementProposed:
		v := &Version{Number: body.GetVersion(), Document: body.GetDocument(), Digest: body.GetDigest(), ProposedAt: e.Recorded, ProposedBy: e.Actor}
		// A document that does not compile here was proposed by a newer version;
		// it stays listed and cannot decide.
		v.Agreement, _ = Restore(body.GetDocument())
		r.versions = append(r.versions, v)
	case *agreementv1.AgreementSigned:
		v := r.Version(body.GetVersion())
		if v == nil {
			return
		}
		v.Signatures = append(v.Signatures, Signature{body.GetParty(), e.Recorded, e.Actor, body.GetPublicKey()})
		if from := body.GetInForceFrom(); from != nil {
			v.InForceFrom = from.AsTime()
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

// last is the newest version; nil = none.
func (r *Register) last() *Version {
	if len(r.versions) == 0 {
		return nil
	}
	return r.versions[len(r.versions)-1]
}
