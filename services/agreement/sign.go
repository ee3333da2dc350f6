package agreement

import (
	"crypto/ed25519"

	"github.com/leadbaton/baton/services/internal/fault"
)

// SignedText is what a party signs of the agreement.
func SignedText(digest []byte) []byte { return SignedAs("agreement", digest) }

// SignedAs is what a party signs: a fixed line that says what it is, and its
// digest. A signature under one thing is none under another.
func SignedAs(what string, digest []byte) []byte {
	return append([]byte("baton "+what+" v1\n"), digest...)
}

// Verify checks that a party of this agreement signed something by its digest.
func (a *Agreement) Verify(party, what string, digest []byte, key ed25519.PublicKey, signature []byte) error {
	own := a.PartyKey(party)
	if !own.Equal(key) {
		return fault.New(fault.Denied, "this is not the key that the agreement names for %s", party)
	}
	if !ed25519.Verify(own, SignedAs(what, digest), signature) {
		return fault.New(fault.Denied, "the signature of %s does not fit the document", party)
	}
	return nil
}
