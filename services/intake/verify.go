package intake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some senders sign with it, and as an HMAC it still holds
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Request is what a credential may stand in and what a signature may cover.
type Request struct {
	// Method in capitals.
	Method string
	// URL is the address under which the sender knows the door, scheme to query;
	// empty = it is not known here, and what signs it cannot be verified. It is
	// configured and never taken from the request.
	URL    string
	Header http.Header
	// Query of the address as it came.
	Query string
	// Body, the exact bytes.
	Body []byte
	// Now is what a timestamp is compared with.
	Now time.Time
}

// What a request is refused for, for the operator. None repeats anything that
// came.
const (
	refusedMissing   = "the credential is missing"
	refusedMalformed = "the credential is not written as declared"
	refusedStale     = "the timestamp is missing or too far from now"
	refusedText      = "something that is signed is missing: a header, or the door's public address"
	refusedWrong     = "the credential does not fit: another secret, or something was changed"
	refusedSecret    = "no secret is usable as declared"
	refusedDeclared  = "the verification cannot work as it is declared: correct the source"
)

// defaultTolerance is how far a timestamp may be from now, either way.
const defaultTolerance = 300 * time.Second

// maxCredential is the longest credential that is looked at, and maxDigests how
// many digests of one request are.
const (
	maxCredential = 8 << 10
	maxDigests    = 16
)

// decoyKey is what a signature is computed with where there is no secret, so
// that an address that does not exist costs what a wrong signature costs.
var decoyKey = []byte("baton: there is no source behind this key")

// Verify says whether a request carries a valid credential. Place, algorithm and
// version come from the source's declaration, never from the request. Every
// secret is tried in full whether or not an earlier one matched, so that the
// time tells nothing; secrets change by being there side by side for a while.
func Verify(v *intakev1.Verification, secrets [][]byte, r Request) bool {
	return Refusal(v, secrets, r) == ""
}

// Refusal is Verify with a reason: empty = the credential is valid. Reasons are
// for the operator, not for the sender.
func Refusal(v *intakev1.Verification, secrets [][]byte, r Request) string {
	switch v.GetAlgorithm() {
	case "hmac-sha256", "hmac-sha1", "sha256", "ed25519":
		return refusedDigest(v, secrets, r)
	case "equal", "basic":
		return refusedEqual(v, secrets, r)
	case "jws-hs256":
		return refusedJWS(v, secrets, r)
	default:
		keyedSum("hmac-sha256", decoyKey, [][]byte{r.Body})
		return refusedDeclared
	}
}

// refusedDigest checks a digest or signature over a text.
func refusedDigest(v *intakev1.Verification, secrets [][]byte, r Request) string {
	given, stamp, refused := readDigests(v, r)
	text, badText := signedText(v.GetSigned(), stamp, r)
	if refused == "" {
		refused = badText
	}
	if given == nil {
		given = [][]byte{make([]byte, digestSize(v.GetAlgorithm()))}
	}
	if text == nil {
		text = [][]byte{r.Body}
	}
	keys := usableKeys(v, secrets)
	if len(keys) == 0 {
		keys = [][]byte{decoyKey}
		refused = orElse(refused, refusedSecret)
	}
	match := 0
	for _, key := range keys {
		if v.GetAlgorithm() == "ed25519" {
			match |= signedBy(key, text, given)
			continue
		}
		sum := keyedSum(v.GetAlgorithm(), key, text)
		for _, digest := range given {
			match |= subtle.ConstantTimeCompare(sum, digest)
		}
	}
	if refused == "" && match != 1 {
		refused = refusedWrong
	}
	return refused
}

// readDigests reads the digests that a request carries and its timestamp, as
// spelled. There is one digest exactly unless several are declared; of several,
// those that are written otherwise are passed over: they are of other versions.
func readDigests(v *intakev1.Verification, r Request) (digests [][]byte, stamp, refused string) {
	value, refused := credential(v, r)
	if refused != "" {
		return nil, "", refused
	}
	stamp, ok := timestamp(v, value, r)
	if !ok {
		return nil, "", refusedStale
	}
	values := []string{value}
	if v.GetElement() != "" {
		values = elements(value, v.GetElement())
	}
	if v.GetSeveral() {
		values = strings.Fields(strings.Join(values, " "))
	} else if len(values) != 1 {
		return nil, stamp, refusedMalformed
	}
	for _, text := range values[:min(len(values), maxDigests)] {
		if digest, ok := digestOf(v, text); ok {
			digests = append(digests, digest)
		}
	}
	if digests == nil {
		return nil, stamp, refusedMalformed
	}
	return digests, stamp, ""
}

// digestOf reads one digest.
func digestOf(v *intakev1.Verification, text string) ([]byte, bool) {
	text, ok := strings.CutPrefix(text, v.GetPrefix())
	size := digestSize(v.GetAlgorithm())
	if !ok || len(text) > 2*size {
		return nil, false
	}
	var b []byte
	var err error
	switch v.GetEncoding() {
	case "hex":
		b, err = hex.DecodeString(text)
	case "base64":
		b, err = decodeBase64(text)
	default:
		return nil, false
	}
	return b, err == nil && len(b) == size
}

func digestSize(algorithm string) int {
	switch algorithm {
	case "hmac-sha1":
		return sha1.Size
	case "ed25519":
		return ed25519.SignatureSize
	default:
		return sha256.Size
	}
}

// keyedSum is the digest of a text under a key.
func keyedSum(algorithm string, key []byte, text [][]byte) []byte {
	var h hash.Hash
	switch algorithm {
	case "hmac-sha1":
		h = hmac.New(sha1.New, key)
	case "sha256": // some senders hash the secret in front of the text
		h = sha256.New()
		h.Write(key)
	default:
		h = hmac.New(sha256.New, key)
	}
	for _, part := range text {
		h.Write(part)
	}
	return h.Sum(nil)
}

// signedBy says whether one of the signatures is a public key's.
func signedBy(key []byte, text, given [][]byte) (match int) {
	if len(key) != ed25519.PublicKeySize {
		return 0
	}
	message := bytes.Join(text, nil)
	for _, signature := range given {
		if ed25519.Verify(key, message, signature) {
			match = 1
		}
	}
	return match
}

// usableKeys makes keys of secrets. An empty key is none: whoever has forgotten
// the secret signs with it.
func usableKeys(v *intakev1.Verification, secrets [][]byte) (keys [][]byte) {
	for _, secret := range secrets {
		key := bytes.TrimPrefix(secret, []byte(v.GetKeyPrefix()))
		var err error
		switch {
		case v.GetKeyEncoding() == "base64":
			key, err = decodeBase64(string(key))
		case v.GetAlgorithm() == "ed25519": // public keys are handed out in hex
			key, err = hex.DecodeString(string(key))
		}
		if err == nil && len(key) > 0 && (v.GetAlgorithm() != "ed25519" || len(key) == ed25519.PublicKeySize) {
			keys = append(keys, key)
		}
	}
	return keys
}

// refusedEqual checks a credential that is the secret itself.
func refusedEqual(v *intakev1.Verification, secrets [][]byte, r Request) string {
	value, refused := credential(v, r)
	if refused == "" {
		var ok bool
		if value, ok = plainCredential(v, value); !ok {
			refused = refusedMalformed
		}
	}
	// Digests are of one length, so that the time does not tell the secret's.
	given := sha256.Sum256([]byte(value))
	match, usable := 0, 0
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		usable++
		want := sha256.Sum256(secret)
		match |= subtle.ConstantTimeCompare(want[:], given[:])
	}
	switch {
	case refused != "":
		return refused
	case usable == 0:
		return refusedSecret
	case match != 1:
		return refusedWrong
	}
	return ""
}

// plainCredential takes off what is around a credential.
func plainCredential(v *intakev1.Verification, value string) (string, bool) {
	if v.GetAlgorithm() == "basic" {
		scheme, text, ok := strings.Cut(value, " ")
		if !ok || !strings.EqualFold(scheme, "Basic") {
			return "", false
		}
		b, err := decodeBase64(strings.TrimSpace(text))
		return string(b), err == nil
	}
	if v.GetElement() != "" {
		found := elements(value, v.GetElement())
		if len(found) != 1 {
			return "", false
		}
		value = found[0]
	}
	value, ok := strings.CutPrefix(value, v.GetPrefix())
	return value, ok
}

// decodeBase64 reads either alphabet, padded or not.
func decodeBase64(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	return enc.Strict().DecodeString(text)
}

// CheckVerification says what is wrong with a declaration, as an Invalid fault:
// it would refuse every delivery, or take what nobody has signed.
func CheckVerification(v *intakev1.Verification) error {
	wrong := func(what string) error { return fault.New(fault.Invalid, "verification: %s", what) }
	if v.GetPlace() == "body" && v.GetAlgorithm() != "equal" {
		return wrong("only what is equal to the secret can stand in the body: use \"equal\", or another place")
	}
	switch v.GetAlgorithm() {
	case "hmac-sha256", "hmac-sha1", "sha256", "ed25519":
		if v.GetEncoding() == "" {
			return wrong("say whether the digest is written in \"hex\" or in \"base64\"")
		}
	case "jws-hs256":
		if _, ok := fixedClaims(v.GetSigned()); !ok {
			return wrong("what is signed must be claims with their values, such as {\"iss\":\"name\"}, or nothing")
		}
		return nil
	case "equal", "basic":
		if v.GetSigned() != "" || v.GetTimestamp() != "" {
			return wrong("a credential that is the secret signs nothing: leave out the signed text and the timestamp")
		}
		return nil
	default:
		return wrong("the algorithm is none of hmac-sha256, hmac-sha1, sha256, ed25519, equal, basic, jws-hs256")
	}
	pieces, ok := parseSigned(v.GetSigned())
	if !ok {
		return wrong("the signed text must hold {body}; there are also {timestamp}, {method}, {url}, {url:decoded} and {header:NAME}")
	}
	if hasPiece(pieces, pieceTimestamp) != (v.GetTimestamp() != "") {
		return wrong("a timestamp counts only where it is signed: name its place, and put {timestamp} into the signed text")
	}
	if _, ok := strings.CutPrefix(v.GetTimestamp(), elementPrefix); ok && v.GetElement() == "" {
		return wrong("the timestamp is an element of a list, so the digest must be one as well: name it")
	}
	return nil
}

// TokenHash is how a source's address token is stored.
func TokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// tokenValid compares the token of an address with a source's, and with those
// that it had before and that are still taken; a source without one takes any
// address of its own.
func tokenValid(src *intakev1.SourceDeclared, token string, now time.Time) bool {
	if len(src.GetTokenHash()) == 0 {
		return true
	}
	sum := sha256.Sum256([]byte(token))
	match := subtle.ConstantTimeCompare(sum[:], src.GetTokenHash())
	for _, former := range src.GetFormerTokens() {
		if now.Before(former.GetEndsAt().AsTime()) {
			match |= subtle.ConstantTimeCompare(sum[:], former.GetTokenHash())
		}
	}
	return match == 1
}
