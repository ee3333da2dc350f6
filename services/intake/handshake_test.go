package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

func handshakeDoor() *doorBench {
	signed := func(header, text string) *intakev1.Verification {
		return &intakev1.Verification{Algorithm: "hmac-sha256", Header: header, Encoding: "hex", Signed: text, SecretRef: "env:APP"}
	}
	return newTestDoor(func(c *DoorConfig) {
		c.Secrets = secretMap{"env:APP": {"app secret", "the one before"}, "env:VERIFY": {"verify me", "old token"}}
		c.Sources = sourceMap{
			"meta":     {SourceId: "s-meta", Name: "meta", Handshake: "meta", HandshakeRef: "env:VERIFY", Verification: signed("X-Hub-Signature-256", "")},
			"bare":     {SourceId: "s-bare", Name: "bare", Handshake: "meta", Verification: signed("X-Hub-Signature-256", "")},
			"lost":     {SourceId: "s-lost", Name: "lost", Handshake: "meta", HandshakeRef: "env:LOST"},
			"linkedin": {SourceId: "s-li", Name: "linkedin", Handshake: "linkedin", Verification: signed("X-LI-Signature", "hmacsha256={body}")},
			"closed":   {SourceId: "s-closed", Name: "closed", Handshake: "linkedin", HandshakeRef: "env:APP", TokenHash: TokenHash("right")},
			"events":   {SourceId: "s-ce", Name: "events", Handshake: "cloudevents", Origins: []string{"https://events.b.example", "https://b.example:8443"}},
			"plain":    {SourceId: "s-plain", Name: "plain"},
		}
	})
}

const challengeID = "890e4665-4dfe-4ab1-b689-ed553bceeed0"

func TestHandshakes(t *testing.T) {
	meta := func(mode, token, challenge string) string {
		return "?" + url.Values{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {challenge}}.Encode()
	}
	linkedIn := func(code string) string { return "?" + url.Values{"challengeCode": {code}}.Encode() }
	answer := `{"challengeCode":"` + challengeID + `","challengeResponse":"` + hex.EncodeToString(macOf(sha256.New, "app secret", challengeID)) + `"}`
	tests := []struct {
		name, path string
		status     int
		body       string // empty = a message
	}{
		{"meta", "/hooks/meta" + meta("subscribe", "verify me", "1158201444"), 200, "1158201444"},
		{"meta, with a slash", "/hooks/meta/" + meta("subscribe", "verify me", "1158201444"), 200, "1158201444"},
		{"meta, the other token", "/hooks/meta" + meta("subscribe", "old token", "x"), 200, "x"},
		{"meta, markup stays text", "/hooks/meta" + meta("subscribe", "verify me", "<script>alert(1)</script>"), 200, "<script>alert(1)</script>"},
		{"meta, another token", "/hooks/meta" + meta("subscribe", "guess", "1158201444"), 403, ""},
		{"meta, no token", "/hooks/meta" + meta("subscribe", "", "1158201444"), 403, ""},
		{"meta, the secret of its deliveries", "/hooks/meta" + meta("subscribe", "app secret", "1158201444"), 403, ""},
		{"meta, another mode", "/hooks/meta" + meta("unsubscribe", "verify me", "1158201444"), 403, ""},
		{"meta, no challenge", "/hooks/meta" + meta("subscribe", "verify me", ""), 400, ""},
		{"meta, a long challenge", "/hooks/meta" + meta("subscribe", "verify me", strings.Repeat("1", 257)), 400, ""},
		{"meta, a challenge of two lines", "/hooks/meta" + meta("subscribe", "verify me", "a\r\nb"), 400, ""},
		{"meta, no token declared", "/hooks/bare" + meta("subscribe", "app secret", "1158201444"), 503, ""},
		{"meta, its token is gone", "/hooks/lost" + meta("subscribe", "", "1158201444"), 503, ""},
		{"meta, only looking", "/hooks/meta", 200, "This address takes forms and webhooks by POST.\n"},
		{"linkedin", "/hooks/linkedin" + linkedIn(challengeID), 200, answer},
		{"linkedin, a body to sign", "/hooks/linkedin" + linkedIn(`hmacsha256={"leadAction":"CREATED"}`), 400, ""},
		{"linkedin, a body behind a UUID", "/hooks/linkedin" + linkedIn(challengeID+"\nhmacsha256={}"), 400, ""},
		{"linkedin, a line end behind it", "/hooks/linkedin" + linkedIn(challengeID+"\n"), 400, ""},
		{"linkedin, a UUID of version 1", "/hooks/linkedin" + linkedIn("890e4665-4dfe-1ab1-b689-ed553bceeed0"), 400, ""},
		{"linkedin, a UUID of no variant", "/hooks/linkedin" + linkedIn("890e4665-4dfe-4ab1-c689-ed553bceeed0"), 400, ""},
		{"linkedin, in braces", "/hooks/linkedin" + linkedIn("{"+challengeID+"}"), 400, ""},
		{"linkedin, nothing", "/hooks/linkedin" + linkedIn(""), 400, ""},
		{"linkedin, where nobody answers", "/hooks/plain" + linkedIn(challengeID), 200, "This address takes forms and webhooks by POST.\n"},
		{"linkedin, at nobody", "/hooks/nobody" + linkedIn(challengeID), 404, ""},
		{"without the address's token", "/hooks/closed" + linkedIn(challengeID), 401, ""},
		{"with the address's token", "/hooks/closed/right" + linkedIn(challengeID), 200, answer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := handshakeDoor()
			res := d.do(call{method: "GET", path: tt.path})
			body := bodyOf(t, res)
			if res.StatusCode != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if kind := res.Header.Get("Content-Type"); strings.Contains(kind, "html") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("a browser would read it as a page: %q", kind)
			}
			var message struct{ Message string }
			if tt.body == "" && (json.Unmarshal([]byte(body), &message) != nil || message.Message == "") {
				t.Errorf("no message: %s", body)
			}
			if d.keep.count() != 0 {
				t.Error("something was kept")
			}
			for _, secret := range []string{"verify me", "old token", "app secret", "guess"} {
				if strings.Contains(d.log.String(), secret) || strings.Contains(body, secret) {
					t.Errorf("%q was repeated", secret)
				}
			}
		})
	}
}

// What the handshake signs is never a delivery's signature.
func TestHandshakeIsNoOracle(t *testing.T) {
	d := handshakeDoor()
	body := `{"leadAction":"DELETED"}`
	for _, code := range []string{"hmacsha256=" + body, challengeID} {
		res := d.do(call{method: "GET", path: "/hooks/linkedin?" + url.Values{"challengeCode": {code}}.Encode()})
		var answer struct{ ChallengeResponse string }
		if err := json.Unmarshal([]byte(bodyOf(t, res)), &answer); err != nil {
			t.Fatal(err)
		}
		if res := d.do(call{path: "/hooks/linkedin", body: body, headers: map[string]string{"X-LI-Signature": answer.ChallengeResponse}}); res.StatusCode != 401 {
			t.Errorf("%q: a forged body was answered with %d", code, res.StatusCode)
		}
	}
	signature := hex.EncodeToString(macOf(sha256.New, "app secret", "hmacsha256="+body))
	if res := d.do(call{path: "/hooks/linkedin", body: body, headers: map[string]string{"X-LI-Signature": signature}}); res.StatusCode != 200 {
		t.Errorf("a good body: %d", res.StatusCode)
	}
}

func TestHandshakeIsLimited(t *testing.T) {
	d := handshakeDoor()
	d.Handler.(*door).Allow = func(source, address string) (time.Duration, bool) {
		return time.Second, source != "s-li" || address != "192.0.2.1"
	}
	if res := d.do(call{method: "GET", path: "/hooks/linkedin?challengeCode=" + challengeID}); res.StatusCode != 429 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

func TestCloudEventsHandshake(t *testing.T) {
	tests := []struct {
		name, path, origin string
		status             int
		allowed            string
	}{
		{"listed", "/hooks/events", "https://events.b.example", 200, "https://events.b.example"},
		{"by its host", "/hooks/events", "events.b.example", 200, "events.b.example"},
		{"by its host and port", "/hooks/events", "b.example:8443", 200, "b.example:8443"},
		{"another host", "/hooks/events", "evil.example", 403, ""},
		{"a host below", "/hooks/events", "x.events.b.example", 403, ""},
		{"everyone", "/hooks/events", "*", 403, ""},
		{"a source that does not answer", "/hooks/plain", "events.b.example", 204, ""},
		{"nobody", "/hooks/nobody", "events.b.example", 204, ""},
		{"a browser asks", "/hooks/events", "", 204, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := handshakeDoor()
			headers := map[string]string{"WebHook-Request-Callback": "http://127.0.0.1/", "WebHook-Request-Rate": "100"}
			if tt.origin != "" {
				headers["WebHook-Request-Origin"] = tt.origin
			}
			res := d.do(call{method: http.MethodOptions, path: tt.path, headers: headers})
			if res.StatusCode != tt.status || res.Header.Get("WebHook-Allowed-Origin") != tt.allowed || (res.Header.Get("WebHook-Allowed-Rate") != "") != (tt.allowed != "") {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			if res.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}
