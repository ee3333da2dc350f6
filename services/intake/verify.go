package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// decoyKey is what a signature is computed with where there is no secret, so
// that an address that does not exist costs what a wrong signature costs.
var decoyKey = []byte("baton: there is no source behind this key")

// Verify says whether a body carries a valid signature. Place and algorithm
// come from the source's declaration, never from the request. Every secret is
// tried in full whether or not an earlier one matched, so that the time tells
// nothing; secrets change by being there side by side for a while.
func Verify(v *intakev1.Verification, secrets [][]byte, header http.Header, raw []byte) bool {
	given, wellFormed := signature(v, header)
	if len(secrets) == 0 {
		secrets, wellFormed = [][]byte{decoyKey}, false
	}
	match := 0
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(raw)
		match |= subtle.ConstantTimeCompare(mac.Sum(nil), given[:])
	}
	return wellFormed && match == 1 && v.GetAlgorithm() == "hmac-sha256"
}

// signature reads the signature that a request carries; one exactly.
func signature(v *intakev1.Verification, header http.Header) (sum [sha256.Size]byte, ok bool) {
	values := header.Values(v.GetHeader())
	if len(values) != 1 || v.GetHeader() == "" {
		return sum, false
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(values[0]), v.GetPrefix())
	if !ok || len(text) > 2*sha256.Size {
		return sum, false
	}
	var b []byte
	var err error
	switch v.GetEncoding() {
	case "hex":
		b, err = hex.DecodeString(text)
	case "base64":
		text = strings.TrimRight(text, "=")
		enc := base64.RawStdEncoding
		if strings.ContainsAny(text, "-_") {
			enc = base64.RawURLEncoding
		}
		b, err = enc.DecodeString(text)
	default:
		return sum, false
	}
	if err != nil || len(b) != sha256.Size {
		return sum, false
	}
	copy(sum[:], b)
	return sum, true
}

// TokenHash is how a source's address token is stored.
func TokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// tokenValid compares the token of an address with a source's; a source
// without one takes any address of its own.
func tokenValid(src *intakev1.SourceDeclared, token string) bool {
	sum := sha256.Sum256([]byte(token))
	want := src.GetTokenHash()
	return len(want) == 0 || subtle.ConstantTimeCompare(sum[:], want) == 1
}
