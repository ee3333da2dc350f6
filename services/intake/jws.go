package intake

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// hashClaim is the claim that holds the body's SHA-256 in hex, unless the
// declaration names another as its element.
const hashClaim = "sha256"

// refusedJWS checks a compact JWS whose claims hold the body's digest. The
// algorithm is HS256 whatever the JWS says of itself; one that says otherwise is
// refused. The signed text of the declaration is the claims that must stand
// there, such as {"iss":"name"}.
func refusedJWS(v *intakev1.Verification, secrets [][]byte, r Request) string {
	value, refused := credential(v, r)
	value, ok := strings.CutPrefix(value, v.GetPrefix())
	if refused == "" && !ok {
		refused = refusedMalformed
	}
	head, rest, _ := strings.Cut(value, ".")
	payload, tail, _ := strings.Cut(rest, ".")
	given, err := strictBase64URL(tail)
	if err != nil || len(given) != sha256.Size {
		given, refused = make([]byte, sha256.Size), orElse(refused, refusedMalformed)
	}
	keys := usableKeys(v, secrets)
	if len(keys) == 0 {
		keys, refused = [][]byte{decoyKey}, orElse(refused, refusedSecret)
	}
	match := 0
	for _, key := range keys {
		sum := keyedSum("hmac-sha256", key, [][]byte{[]byte(head), {'.'}, []byte(payload)})
		match |= subtle.ConstantTimeCompare(sum, given)
	}
	// The body is hashed in any case; nothing of the claims is read before the
	// signature holds.
	body := sha256.Sum256(r.Body)
	switch {
	case refused != "":
		return refused
	case match != 1:
		return refusedWrong
	case !isHS256(head):
		return refusedMalformed
	}
	return refusedClaims(v, payload, body, r.Now)
}

func isHS256(head string) bool {
	b, err := strictBase64URL(head)
	if err != nil {
		return false
	}
	var header struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	return json.Unmarshal(b, &header) == nil && header.Alg == "HS256" && header.Crit == nil
}

func refusedClaims(v *intakev1.Verification, payload string, body [sha256.Size]byte, now time.Time) string {
	b, err := strictBase64URL(payload)
	var claims map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err != nil || dec.Decode(&claims) != nil {
		return refusedMalformed
	}
	fixed, ok := fixedClaims(v.GetSigned())
	if !ok {
		return refusedDeclared
	}
	for name, want := range fixed {
		if claims[name] != want {
			return refusedWrong
		}
	}
	if ends, ok := claims["exp"].(json.Number); ok {
		if at, err := ends.Int64(); err != nil || now.After(time.Unix(at, 0).Add(defaultTolerance)) {
			return refusedStale
		}
	}
	text, _ := claims[orElse(v.GetElement(), hashClaim)].(string)
	given, err := hex.DecodeString(text)
	if err != nil || subtle.ConstantTimeCompare(given, body[:]) != 1 {
		return refusedWrong
	}
	return ""
}

// fixedClaims reads the claims that a declaration demands.
func fixedClaims(signed string) (claims map[string]any, ok bool) {
	if signed == "" {
		return nil, true
	}
	if json.Unmarshal([]byte(signed), &claims) != nil {
		return nil, false
	}
	for _, value := range claims {
		if _, text := value.(string); !text {
			return nil, false
		}
	}
	return claims, true
}

func strictBase64URL(text string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(text)
}
