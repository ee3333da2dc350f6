package intake

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// Handshakes by which a sender makes sure that an address is whose it thinks.
const (
	handshakeMeta        = "meta"
	handshakeLinkedIn    = "linkedin"
	handshakeCloudEvents = "cloudevents"
)

const (
	metaMode      = "hub.mode"
	metaToken     = "hub.verify_token"
	metaChallenge = "hub.challenge"
	maxChallenge  = 256

	linkedInChallenge = "challengeCode"
)

// uuidV4 is the only challenge that is answered with a MAC under a key that also
// verifies deliveries. Anything freer would let a stranger have a body signed:
// what deliveries sign begins with "hmacsha256=", which no UUID does.
var uuidV4 = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$`)

// handshake answers a sender's challenge. It answers false, and nothing was
// said, where the source has none or nobody asks for one.
func (x *exchange) handshake(src *intakev1.SourceDeclared, token string) bool {
	kind := src.GetHandshake()
	query := x.r.URL.Query()
	if !(kind == handshakeMeta && query.Has(metaMode) || kind == handshakeLinkedIn && query.Has(linkedInChallenge)) {
		return false
	}
	if x.d.Allow != nil {
		if wait, ok := x.d.Allow(src.GetSourceId(), address(x.r)); !ok {
			x.tooMany(wait)
			return true
		}
	}
	now := x.d.Clock.Now()
	if !x.token(src, token, now) {
		return true
	}
	var secrets [][]byte
	var err error
	switch {
	case src.GetHandshakeRef() != "":
		secrets, err = x.d.Secrets.Resolve(src.GetHandshakeRef())
	case kind == handshakeLinkedIn && src.GetVerification() != nil:
		// One secret is for both.
		secrets, err = ResolveAll(x.d.Secrets, src.GetVerification(), now)
	}
	if len(secrets) == 0 {
		reason := "no secret is declared"
		if err != nil {
			reason = err.Error()
		}
		x.d.Logger.ErrorContext(x.r.Context(), "a handshake's secret cannot be had; the sender is turned away until it can", "source_id", src.GetSourceId(), "error", reason)
		x.noSecret()
		return true
	}
	if kind == handshakeMeta {
		x.meta(query, secrets)
	} else {
		x.linkedIn(query.Get(linkedInChallenge), secrets[0])
	}
	return true
}

// meta answers the bare challenge, as plain text, to whoever knows the token.
func (x *exchange) meta(query url.Values, tokens [][]byte) {
	given, match := sha256.Sum256([]byte(query.Get(metaToken))), 0
	for _, token := range tokens {
		want := sha256.Sum256(token)
		match |= subtle.ConstantTimeCompare(want[:], given[:])
	}
	if match != 1 || query.Get(metaMode) != "subscribe" {
		x.refuse(http.StatusForbidden, "bad-handshake", "the verify token is not this source's: enter the one that was set for it")
		return
	}
	challenge := query.Get(metaChallenge)
	if challenge == "" || len(challenge) > maxChallenge || !printable(challenge) {
		x.refuse(http.StatusBadRequest, "bad-handshake", "the challenge must be 1 to 256 printable characters")
		return
	}
	x.text("handshake", challenge)
}

// linkedIn answers the challenge and its MAC. Of several secrets the first
// counts.
func (x *exchange) linkedIn(challenge string, secret []byte) {
	if !uuidV4.MatchString(challenge) {
		x.refuse(http.StatusBadRequest, "bad-handshake", "the challenge must be a UUID of version 4")
		return
	}
	body, err := json.Marshal(struct {
		Code     string `json:"challengeCode"`
		Response string `json:"challengeResponse"`
	}{challenge, hex.EncodeToString(keyedSum("hmac-sha256", secret, [][]byte{[]byte(challenge)}))})
	if err != nil {
		x.refuse(http.StatusInternalServerError, "broken", "something is broken here: try again later")
		return
	}
	x.outcome = "handshake"
	x.json(http.StatusOK, body)
}

// cloudEvents answers a sender that asks whether it may send events: only a
// listed origin may. It answers false, and nothing was said, where nobody asks
// or the source does not answer at all. A callback is never called.
func (x *exchange) cloudEvents(src *intakev1.SourceDeclared) bool {
	origin := x.r.Header.Get("WebHook-Request-Origin")
	if src.GetHandshake() != handshakeCloudEvents || origin == "" {
		return false
	}
	for _, listed := range src.GetOrigins() {
		// Senders name themselves with or without a scheme.
		_, host, _ := strings.Cut(listed, "://")
		if strings.EqualFold(origin, listed) || strings.EqualFold(origin, host) {
			h := x.w.Header()
			h.Set("WebHook-Allowed-Origin", origin)
			h.Set("WebHook-Allowed-Rate", "*")
			x.outcome, x.status = "handshake", http.StatusOK
			x.w.WriteHeader(x.status)
			return true
		}
	}
	x.refuse(http.StatusForbidden, "bad-handshake", "this origin may not send here: have it listed with the source")
	return true
}
