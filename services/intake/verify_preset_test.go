package intake

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some senders sign with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// vector is a request that verifies. The tests sign by themselves, each tool in
// words of its own, and share nothing with what verifies.
type vector struct {
	name         string
	verification *intakev1.Verification
	secret       string
	request      Request
	// credential and stamp are headers; empty = there is none.
	credential, stamp string
}

func (s vector) change(f func(*Request)) Request {
	r := s.request
	r.Header, r.Body = r.Header.Clone(), bytes.Clone(r.Body)
	f(&r)
	return r
}

func (s vector) valid(r Request) bool {
	return Verify(s.verification, [][]byte{[]byte(s.secret)}, r)
}

func presetVerification(t *testing.T, name string) *intakev1.Verification {
	t.Helper()
	v := PresetOf(name).GetVerification()
	if v == nil {
		t.Fatalf("%s does not sign", name)
	}
	v = proto.CloneOf(v)
	v.SecretRef = "env:SECRET"
	return v
}

func macOf(h func() hash.Hash, key, text string) []byte {
	mac := hmac.New(h, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

var (
	signedAt = time.Date(2026, 3, 2, 9, 0, 0, 123e6, time.UTC)
	unixS    = strconv.FormatInt(signedAt.Unix(), 10)
	unixMS   = strconv.FormatInt(signedAt.UnixMilli(), 10)
)

const (
	vectorSecret = "only this tool and the door know it"
	vectorBody   = `{"email":"ana@b.example","message":"Grüße"}`
	vectorURL    = "https://leads.b.example/hooks/tool?utm_source=a%2Fb"
)

// vectors are one for each preset that has a credential, and for what presets do
// not use.
func vectors(t *testing.T) []vector {
	t.Helper()
	sha2 := func(text string) string { return hex.EncodeToString(macOf(sha256.New, vectorSecret, text)) }
	sha2b := func(text string) string {
		return base64.StdEncoding.EncodeToString(macOf(sha256.New, vectorSecret, text))
	}
	plain := func(text string) string {
		sum := sha256.Sum256([]byte(vectorSecret + text))
		return hex.EncodeToString(sum[:])
	}
	segment := base64.RawURLEncoding.EncodeToString
	bodySum := sha256.Sum256([]byte(vectorBody))
	claims := segment([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + segment(fmt.Appendf(nil, `{"iss":"netlify","sha256":"%x"}`, bodySum))
	key := strings.Repeat("k", 32)
	public, private, err := ed25519.GenerateKey(strings.NewReader(strings.Repeat("seed", 8)))
	if err != nil {
		t.Fatal(err)
	}
	of := func(preset, header, value string, more ...string) vector {
		v := vector{name: preset, verification: presetVerification(t, preset), secret: vectorSecret, credential: header}
		v.request = Request{Method: "POST", URL: vectorURL, Header: http.Header{}, Body: []byte(vectorBody), Now: signedAt}
		v.request.Header.Set("Content-Type", "application/json")
		v.request.Header.Set(header, value)
		for i := 0; i < len(more); i += 2 {
			v.request.Header.Set(more[i], more[i+1])
			if strings.Contains(strings.ToLower(more[i]), "timestamp") {
				v.stamp = more[i]
			}
		}
		return v
	}
	keyed := func(v vector, secret string) vector { v.secret = secret; return v }
	declared := func(v vector, name string, d *intakev1.Verification) vector {
		v.name, v.verification = name, d
		d.SecretRef = "env:SECRET"
		return v
	}
	standard := func() string {
		return "v1," + base64.StdEncoding.EncodeToString(macOf(sha256.New, key, "msg_1."+unixS+"."+vectorBody))
	}
	v3 := sha2b("POST" + "https://leads.b.example/hooks/tool?utm_source=a/b" + vectorBody + unixMS)
	list := []vector{
		of("hubspot", "X-HubSpot-Signature-v3", v3, "X-HubSpot-Request-Timestamp", unixMS),
		of("hubspot-workflow", "X-HubSpot-Signature-v3", v3, "X-HubSpot-Request-Timestamp", unixMS),
		of("hubspot-v2", "X-HubSpot-Signature", plain("POST"+vectorURL+vectorBody)),
		of("hubspot-v1", "X-HubSpot-Signature", plain(vectorBody)),
		of("typeform", "Typeform-Signature", "sha256="+sha2b(vectorBody)),
		of("webflow", "x-webflow-signature", sha2(unixMS+":"+vectorBody), "x-webflow-timestamp", unixMS),
		of("wpforms", "X-WPForms-Webhook-Signature", "t="+unixS+",v="+sha2(unixS+"."+vectorBody)),
		of("calendly", "Calendly-Webhook-Signature", "t="+unixS+",v1="+sha2(unixS+"."+vectorBody)),
		of("formspree", "Formspree-Signature", "t="+unixS+",v1="+sha2(unixS+"."+vectorBody)),
		of("tally", "Tally-Signature", sha2b(vectorBody)),
		of("framer", "Framer-Signature", "sha256="+sha2(vectorBody+"sub-1"), "Framer-Webhook-Submission-Id", "sub-1"),
		of("linkedin", "X-LI-Signature", sha2("hmacsha256="+vectorBody)),
		of("meta", "X-Hub-Signature-256", "sha256="+sha2(vectorBody)),
		of("github", "X-Hub-Signature-256", "sha256="+sha2(vectorBody)),
		of("surveymonkey", "Sm-Signature", base64.StdEncoding.EncodeToString(macOf(sha1.New, vectorSecret, vectorBody))),
		of("netlify", "X-Webhook-Signature", claims+"."+segment(macOf(sha256.New, vectorSecret, claims))),
		keyed(of("standard-webhooks", "webhook-signature", standard(), "webhook-id", "msg_1", "webhook-timestamp", unixS), "whsec_"+base64.StdEncoding.EncodeToString([]byte(key))),
		keyed(of("svix", "svix-signature", standard(), "svix-id", "msg_1", "svix-timestamp", unixS), base64.RawStdEncoding.EncodeToString([]byte(key))),
		declared(keyed(of("standard-webhooks", "webhook-signature", "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("msg_1."+unixS+"."+vectorBody))), "webhook-id", "msg_1", "webhook-timestamp", unixS),
			"whpk_"+base64.StdEncoding.EncodeToString(public)), "ed25519", &intakev1.Verification{
			Algorithm: "ed25519", Header: "webhook-signature", Prefix: "v1a,", Encoding: "base64", Several: true, KeyEncoding: "base64", KeyPrefix: "whpk_",
			Signed: "{header:webhook-id}.{timestamp}.{body}", Timestamp: "webhook-timestamp",
		}),
		declared(keyed(of("github", "X-Sign", hex.EncodeToString(ed25519.Sign(private, []byte(unixS+vectorBody))), "X-Sign-Timestamp", unixS), hex.EncodeToString(public)), "ed25519 in hex", &intakev1.Verification{
			Algorithm: "ed25519", Header: "X-Sign", Encoding: "hex", Signed: "{timestamp}{body}", Timestamp: "X-Sign-Timestamp", TimestampUnit: "s",
		}),
	}
	return list
}

// One byte of the body, the timestamp, the clock, the secret, the header:
// nothing may be otherwise.
func checkVector(t *testing.T, s vector, step int) {
	t.Helper()
	if !s.valid(s.request) {
		t.Fatalf("does not verify: %s", Refusal(s.verification, [][]byte{[]byte(s.secret)}, s.request))
	}
	for i := 0; i < len(s.request.Body); i += step {
		if s.valid(s.change(func(r *Request) { r.Body[i] ^= 1 })) {
			t.Fatalf("verifies with byte %d changed", i)
		}
	}
	if s.valid(s.change(func(r *Request) { r.Body = append(r.Body, ' ') })) {
		t.Error("verifies with a byte more")
	}
	if s.valid(s.change(func(r *Request) { r.Header.Del(s.credential) })) {
		t.Error("verifies without its header")
	}
	if s.valid(s.change(func(r *Request) { r.Header.Add(s.credential, r.Header.Get(s.credential)) })) {
		t.Error("verifies with its header twice")
	}
	for _, secret := range []string{"", s.secret + "x", s.secret[1:], strings.ToUpper(s.secret) + "="} {
		if Verify(s.verification, [][]byte{[]byte(secret)}, s.request) {
			t.Errorf("verifies under another secret")
		}
	}
	if Verify(s.verification, nil, s.request) {
		t.Error("verifies without a secret")
	}
	if !Verify(s.verification, [][]byte{[]byte("c2VjcmV0"), []byte(s.secret)}, s.request) || !Verify(s.verification, [][]byte{[]byte(s.secret), []byte("c2VjcmV0")}, s.request) {
		t.Error("does not verify while the secret changes")
	}
	for _, name := range signedHeaders(s.verification.GetSigned()) {
		if s.valid(s.change(func(r *Request) { r.Header.Set(name, r.Header.Get(name)+"x") })) || s.valid(s.change(func(r *Request) { r.Header.Del(name) })) {
			t.Errorf("verifies with %s changed", name)
		}
	}
	if strings.Contains(s.verification.GetSigned(), "{url") {
		if s.valid(s.change(func(r *Request) { r.URL += "x" })) || s.valid(s.change(func(r *Request) { r.URL = "" })) || s.valid(s.change(func(r *Request) { r.Method = "PUT" })) {
			t.Error("verifies at another address")
		}
	}
	checkTime(t, s)
}

func checkTime(t *testing.T, s vector) {
	t.Helper()
	place := s.verification.GetTimestamp()
	if place == "" {
		return
	}
	tolerance := 300 * time.Second
	if n := s.verification.GetToleranceSeconds(); n > 0 {
		tolerance = time.Duration(n) * time.Second
	}
	unit := time.Second
	if s.verification.GetTimestampUnit() == "ms" {
		unit = time.Millisecond
	}
	for _, late := range []time.Duration{tolerance, -tolerance} {
		within, beyond := late-late/300, late+late/300
		if !s.valid(s.change(func(r *Request) { r.Now = r.Now.Add(within) })) {
			t.Errorf("does not verify %s later", within)
		}
		if s.valid(s.change(func(r *Request) { r.Now = r.Now.Add(beyond) })) {
			t.Errorf("verifies %s later", beyond)
		}
	}
	// The stamp itself, one unit on: still near, no longer signed.
	from, to := strconv.FormatInt(s.request.Now.UnixNano()/int64(unit), 10), strconv.FormatInt(s.request.Now.UnixNano()/int64(unit)+1, 10)
	header := place
	if strings.HasPrefix(place, elementPrefix) {
		header = s.credential
	}
	if value := s.request.Header.Get(header); !strings.Contains(value, from) {
		t.Fatalf("no timestamp %s in %q", from, value)
	}
	for _, stamp := range []string{to, "", "-" + from, "0" + strings.Repeat("9", 30), from + "x"} {
		if s.valid(s.change(func(r *Request) { r.Header.Set(header, strings.Replace(r.Header.Get(header), from, stamp, 1)) })) {
			t.Errorf("verifies with the timestamp %q", stamp)
		}
	}
	// Two timestamps, each beside the other: which one is meant is not guessed.
	if s.valid(s.change(func(r *Request) {
		if header == place {
			r.Header.Add(header, to)
			return
		}
		r.Header.Set(header, r.Header.Get(header)+","+strings.TrimPrefix(place, elementPrefix)+"="+to)
	})) {
		t.Error("verifies with two timestamps")
	}
}

// What is signed and is not there is not left out, and the operator is told why
// each is refused.
func TestRefusals(t *testing.T) {
	hexed := func(signed string) *intakev1.Verification {
		return &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X-Sign", Encoding: "hex", Signed: signed}
	}
	stamped := hexed("{timestamp}{body}")
	stamped.Timestamp = "X-Time"
	of := func(text string) string { return hex.EncodeToString(macOf(sha256.New, vectorSecret, text)) }
	tests := []struct {
		name   string
		v      *intakev1.Verification
		secret string
		value  string
		want   string
	}{
		{"good", hexed(""), vectorSecret, of(vectorBody), ""},
		{"no credential", hexed(""), vectorSecret, "", refusedMissing},
		{"no hex", hexed(""), vectorSecret, "zz", refusedMalformed},
		{"another body", hexed(""), vectorSecret, of("x"), refusedWrong},
		{"no address: without it", hexed("{method}{url}{body}"), vectorSecret, of("POST" + vectorBody), refusedText},
		{"no address: only the body", hexed("{method}{url}{body}"), vectorSecret, of(vectorBody), refusedText},
		{"no header: without it", hexed("{body}{header:X-Id}"), vectorSecret, of(vectorBody), refusedText},
		{"no timestamp", stamped, vectorSecret, of(vectorBody), refusedStale},
		{"a timestamp from nowhere", hexed("{timestamp}{body}"), vectorSecret, of(vectorBody), refusedStale},
		{"a text without the body", hexed("{method}"), vectorSecret, of("POST"), refusedDeclared},
		{"a text that is broken: only the body", hexed("{bodi}{body}"), vectorSecret, of(vectorBody), refusedDeclared},
		{"no algorithm", &intakev1.Verification{Header: "X-Sign"}, vectorSecret, of(vectorBody), refusedDeclared},
		{"an empty secret", hexed(""), "", of(vectorBody), refusedSecret},
		{"the decoy's signature", hexed(""), "", hex.EncodeToString(macOf(sha256.New, string(decoyKey), vectorBody)), refusedSecret},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Method: "POST", Header: http.Header{}, Body: []byte(vectorBody), Now: signedAt}
			if tt.value != "" {
				r.Header.Set("X-Sign", tt.value)
			}
			if got := Refusal(tt.v, [][]byte{[]byte(tt.secret)}, r); got != tt.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestVerifyVectors(t *testing.T) {
	covered := map[string]bool{"google-ads": true, "zapier": true, "make": true, "cloudevents": true} // see TestVerifyEqual
	for _, s := range vectors(t) {
		covered[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			if err := CheckVerification(s.verification); err != nil {
				t.Error(err)
			}
			checkVector(t, s, 1)
			t.Run("door", func(t *testing.T) { throughDoor(t, s) })
		})
	}
	for _, p := range Presets() {
		if p.GetVerification() != nil && !covered[p.GetName()] {
			t.Errorf("no vector for %s", p.GetName())
		}
	}
}

// throughDoor sends a vector to a door: it is taken, and changed it is not.
func throughDoor(t *testing.T, s vector) {
	t.Helper()
	v := proto.CloneOf(s.verification)
	address, query, _ := strings.Cut(s.request.URL, "?")
	v.PublicUrl = address
	d := newTestDoor(func(c *DoorConfig) {
		c.Clock = clock.NewVirtual(s.request.Now)
		c.Secrets = secretMap{v.GetSecretRef(): {s.secret}}
		c.Sources = sourceMap{"tool": {SourceId: "s-tool", Name: "tool", Verification: v}}
	})
	send := func(body []byte) int {
		headers := map[string]string{}
		for name := range s.request.Header {
			headers[name] = s.request.Header.Get(name)
		}
		path := "/hooks/tool"
		if query != "" {
			path += "?" + query
		}
		return d.do(call{method: s.request.Method, path: path, body: string(body), headers: headers}).StatusCode
	}
	changed := bytes.Clone(s.request.Body)
	changed[len(changed)/2] ^= 1
	if status := send(changed); status != 401 || d.keep.count() != 0 {
		t.Errorf("changed: %d, %d kept", status, d.keep.count())
	}
	if status := send(s.request.Body); status != 200 || d.keep.count() != 1 {
		t.Fatalf("%d, %d kept: %s", status, d.keep.count(), d.log)
	}
	if kept := d.keep.bodies[0]; !bytes.Equal(kept.GetRaw(), s.request.Body) || kept.GetHeaders()[strings.ToLower(s.credential)] != "" || !d.keep.deliveries[0].GetSigned() {
		t.Errorf("kept %v", kept)
	}
	if strings.Contains(d.log.String(), s.secret) {
		t.Error("the secret is in the log")
	}
}

// A credential that is the secret itself, in each place.
func TestVerifyEqual(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("baton:"+vectorSecret))
	js, form := "application/json", typeURLEncoded
	tests := []struct {
		name   string
		v      *intakev1.Verification
		secret string
		header [2]string
		query  string
		kind   string
		body   string
		want   bool
	}{
		{"google", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"a":{"google_key":"x"},"google_key":"` + vectorSecret + `"}`, true},
		{"google, called otherwise", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", "text/plain", `{"google_key":"` + vectorSecret + `"}`, true},
		{"google, another key", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"google_key":"x"}`, false},
		{"google, the key elsewhere", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"a":{"google_key":"` + vectorSecret + `"}}`, false},
		{"google, the key in a list", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"google_key":["` + vectorSecret + `"]}`, false},
		{"google, no key", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{}`, false},
		{"google, an empty key", presetVerification(t, "google-ads"), "", [2]string{}, "", js, `{"google_key":""}`, false},
		{"google, too deep", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"google_key":"` + vectorSecret + `"}`, false},
		{"google, broken behind the key", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "", js, `{"google_key":"` + vectorSecret + `"`, false},
		{"google, the key in the query", presetVerification(t, "google-ads"), vectorSecret, [2]string{}, "google_key=" + vectorSecret, js, `{}`, false},
		{"a form's member", &intakev1.Verification{Algorithm: "equal", Place: "body", Header: "HandshakeKey"}, "a b&c", [2]string{}, "", form, "Field1=x&HandshakeKey=a+b%26c", true},
		{"a form's member, twice", &intakev1.Verification{Algorithm: "equal", Place: "body", Header: "HandshakeKey"}, "a", [2]string{}, "", form, "HandshakeKey=a&HandshakeKey=b", false},
		{"a member below", &intakev1.Verification{Algorithm: "equal", Place: "body", Header: "auth.key"}, "k", [2]string{}, "", js, `{"auth":{"key":"k"}}`, true},
		{"a member with a dot", &intakev1.Verification{Algorithm: "equal", Place: "body", Header: "auth.key"}, "k", [2]string{}, "", js, `{"auth.key":"k"}`, true},
		{"a query", &intakev1.Verification{Algorithm: "equal", Place: "query", Header: "k"}, "a b", [2]string{}, "x=1&k=a+b", js, `{}`, true},
		{"a query, twice", &intakev1.Verification{Algorithm: "equal", Place: "query", Header: "k"}, "a", [2]string{}, "k=a&k=b", js, `{}`, false},
		{"a query, in the header", &intakev1.Verification{Algorithm: "equal", Place: "query", Header: "k"}, "a", [2]string{"k", "a"}, "", js, `{}`, false},
		{"zapier", presetVerification(t, "zapier"), vectorSecret, [2]string{"X-Api-Key", vectorSecret}, "", js, `{}`, true},
		{"zapier, another", presetVerification(t, "zapier"), vectorSecret, [2]string{"X-Api-Key", vectorSecret + "x"}, "", js, `{}`, false},
		{"zapier, a part", presetVerification(t, "zapier"), vectorSecret, [2]string{"X-Api-Key", vectorSecret[:3]}, "", js, `{}`, false},
		{"make", presetVerification(t, "make"), vectorSecret, [2]string{"X-Api-Key", vectorSecret}, "", js, `{}`, true},
		{"cloudevents", presetVerification(t, "cloudevents"), vectorSecret, [2]string{"Authorization", "Bearer " + vectorSecret}, "", js, `{}`, true},
		{"cloudevents, bare", presetVerification(t, "cloudevents"), vectorSecret, [2]string{"Authorization", vectorSecret}, "", js, `{}`, false},
		{"basic", &intakev1.Verification{Algorithm: "basic", Header: "Authorization"}, "baton:" + vectorSecret, [2]string{"Authorization", basic}, "", js, `{}`, true},
		{"basic, another user", &intakev1.Verification{Algorithm: "basic", Header: "Authorization"}, "other:" + vectorSecret, [2]string{"Authorization", basic}, "", js, `{}`, false},
		{"basic, not encoded", &intakev1.Verification{Algorithm: "basic", Header: "Authorization"}, "baton:" + vectorSecret, [2]string{"Authorization", "Basic baton:" + vectorSecret}, "", js, `{}`, false},
		{"basic, nothing behind it", &intakev1.Verification{Algorithm: "basic", Header: "Authorization"}, "", [2]string{"Authorization", "Basic "}, "", js, `{}`, false},
		{"an element", &intakev1.Verification{Algorithm: "equal", Header: "X", Element: "key"}, "k", [2]string{"X", "v=1, key=k"}, "", js, `{}`, true},
		{"nothing behind the prefix", &intakev1.Verification{Algorithm: "equal", Header: "X", Prefix: "Key"}, "", [2]string{"X", "Key"}, "", js, `{}`, false},
		{"an unknown place", &intakev1.Verification{Algorithm: "equal", Place: "cookie", Header: "X"}, "k", [2]string{"X", "k"}, "", js, `{}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Method: "POST", Header: http.Header{"Content-Type": {tt.kind}}, Query: tt.query, Body: []byte(tt.body), Now: signedAt}
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			if got := Verify(tt.v, [][]byte{[]byte(tt.secret)}, r); got != tt.want {
				t.Errorf("got %v: %s", got, Refusal(tt.v, [][]byte{[]byte(tt.secret)}, r))
			}
			if Verify(tt.v, nil, r) {
				t.Error("valid without a secret")
			}
		})
	}
}

// Of several signatures one that holds is enough, whatever stands around it, and
// no other makes up for it.
func TestVerifySeveral(t *testing.T) {
	v := presetVerification(t, "standard-webhooks")
	key := strings.Repeat("k", 32)
	sum := func(body string) string {
		return base64.StdEncoding.EncodeToString(macOf(sha256.New, key, "msg_1."+unixS+"."+body))
	}
	good, bad := sum(vectorBody), sum("another")
	listed := &intakev1.Verification{
		Algorithm: "hmac-sha256", Header: "webhook-signature", Encoding: "base64", Element: "v1", Several: true,
		KeyEncoding: "base64", Signed: "{header:webhook-id}.{timestamp}.{body}", Timestamp: "webhook-timestamp",
	}
	tests := []struct {
		name, value string
		v           *intakev1.Verification
		want        bool
	}{
		{"alone", "v1," + good, v, true},
		{"among others", "v1," + bad + " v2," + bad + " v1a,zzz v1," + good, v, true},
		{"none", "v1," + bad + " v1," + bad, v, false},
		{"of another version", "v2," + good, v, false},
		{"no version", good, v, false},
		{"nothing", "v1,", v, false},
		{"behind too many", strings.Repeat("v1,"+bad+" ", maxDigests) + "v1," + good, v, false},
		{"elements", "t=1,v1=" + bad + ",v1=" + good, listed, true},
		{"elements of another version", "t=1,v0=" + good, listed, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Header: http.Header{}, Body: []byte(vectorBody), Now: signedAt}
			r.Header.Set("webhook-id", "msg_1")
			r.Header.Set("webhook-timestamp", unixS)
			r.Header.Set("webhook-signature", tt.value)
			if got := Verify(tt.v, [][]byte{[]byte(base64.StdEncoding.EncodeToString([]byte(key)))}, r); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A JWS says itself how it is signed; it is not asked.
func TestVerifyJWS(t *testing.T) {
	v := presetVerification(t, "netlify")
	segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	sum := sha256.Sum256([]byte(vectorBody))
	claims := fmt.Sprintf(`{"iss":"netlify","sha256":"%x"}`, sum)
	jws := func(head, claims string) string {
		text := segment(head) + "." + segment(claims)
		return text + "." + segment(string(macOf(sha256.New, vectorSecret, text)))
	}
	hs256 := `{"alg":"HS256"}`
	none := segment(`{"alg":"none"}`) + "." + segment(claims) + "."
	ends := func(d time.Duration) string {
		return fmt.Sprintf(`{"iss":"netlify","sha256":"%x","exp":%d}`, sum, signedAt.Add(d).Unix())
	}
	tests := []struct {
		name, value string
		want        bool
	}{
		{"good", jws(hs256, claims), true},
		{"in capitals", jws(hs256, fmt.Sprintf(`{"iss":"netlify","sha256":"%X"}`, sum)), true},
		{"alg none", none, false},
		{"alg none, signed", jws(`{"alg":"none"}`, claims), false},
		{"another algorithm", jws(`{"alg":"HS512"}`, claims), false},
		{"no algorithm", jws(`{}`, claims), false},
		{"something critical", jws(`{"alg":"HS256","crit":["exp"]}`, claims), false},
		{"another issuer", jws(hs256, strings.Replace(claims, "netlify", "other", 1)), false},
		{"no issuer", jws(hs256, fmt.Sprintf(`{"sha256":"%x"}`, sum)), false},
		{"no hash", jws(hs256, `{"iss":"netlify"}`), false},
		{"an empty hash", jws(hs256, `{"iss":"netlify","sha256":""}`), false},
		{"half a hash", jws(hs256, fmt.Sprintf(`{"iss":"netlify","sha256":"%x"}`, sum[:16])), false},
		{"a hash that is a number", jws(hs256, `{"iss":"netlify","sha256":1}`), false},
		{"claims that are none", jws(hs256, `[]`), false},
		{"over", jws(hs256, ends(-time.Hour)), false},
		{"not yet over", jws(hs256, ends(time.Hour)), true},
		{"two parts", segment(hs256) + "." + segment(claims), false},
		{"four parts", jws(hs256, claims) + ".x", false},
		{"padded", jws(hs256, claims) + "=", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Header: http.Header{"X-Webhook-Signature": {tt.value}}, Body: []byte(vectorBody), Now: signedAt}
			if got := Verify(v, [][]byte{[]byte(vectorSecret)}, r); got != tt.want {
				t.Errorf("got %v: %s", got, Refusal(v, [][]byte{[]byte(vectorSecret)}, r))
			}
		})
	}
}

func TestSignedText(t *testing.T) {
	r := Request{Method: "POST", URL: "https://b.example/hooks/x?a=%2F%20%3f", Header: http.Header{"X-Id": {"7"}}, Body: []byte("{body}")}
	tests := []struct{ template, want string }{
		{"", "{body}"},
		{"{body}", "{body}"},
		{"a}{body}b", "a}{body}b"},
		{"{method}|{url}|{url:decoded}|{timestamp}|{header:x-id}|{body}|{body}", "POST|https://b.example/hooks/x?a=%2F%20%3f|https://b.example/hooks/x?a=/%20%3f|12|7|{body}|{body}"},
		{"{header:x-none}{body}", refusedText},
		{"{method}", refusedDeclared},
		{"{bodi}{body}", refusedDeclared},
		{"{body}{", refusedDeclared},
		{"{header:}{body}", refusedDeclared},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			parts, refused := signedText(tt.template, "12", r)
			if got := string(bytes.Join(parts, nil)) + refused; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A declaration that would refuse everything, or take what nobody signed, is
// found before anything comes.
func TestCheckVerification(t *testing.T) {
	tests := []struct {
		name string
		v    *intakev1.Verification
	}{
		{"no algorithm", &intakev1.Verification{Header: "X"}},
		{"no encoding", &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X"}},
		{"no body in the text", &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X", Encoding: "hex", Signed: "{method}"}},
		{"a timestamp that is not signed", &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X", Encoding: "hex", Timestamp: "Y"}},
		{"a timestamp from nowhere", &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X", Encoding: "hex", Signed: "{timestamp}{body}"}},
		{"an element of no list", &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X", Encoding: "hex", Signed: "{timestamp}{body}", Timestamp: "element:t"}},
		{"a digest within what it covers", &intakev1.Verification{Algorithm: "hmac-sha256", Place: "body", Header: "x", Encoding: "hex"}},
		{"equal with a timestamp", &intakev1.Verification{Algorithm: "equal", Header: "X", Timestamp: "Y"}},
		{"claims that are none", &intakev1.Verification{Algorithm: "jws-hs256", Header: "X", Signed: "{body}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := CheckVerification(tt.v); !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Every preset says what to do in words, and what it declares is valid and can
// work.
func TestPresets(t *testing.T) {
	wanted := strings.Fields(`hubspot hubspot-v2 hubspot-v1 hubspot-workflow hubspot-forms typeform webflow html elementor gravity-forms wpforms
		contact-form-7 google-ads calendly zapier make standard-webhooks svix linkedin meta tally fillout framer jotform unbounce salesforce-web-to-lead
		netlify formspree surveymonkey cloudevents github`)
	for _, name := range wanted {
		p := PresetOf(name)
		if p.GetTitle() == "" || len(p.GetSetup()) < 40 || strings.Contains(p.GetSetup(), "\n") {
			t.Errorf("%s: title %q, setup %q", name, p.GetTitle(), p.GetSetup())
		}
		src := &intakev1.SourceDeclared{SourceId: "s", Name: "tool", Preset: name, Handshake: p.GetHandshake(), Methods: p.GetMethods(), Mapping: p.GetMapping()}
		if v := p.GetVerification(); v != nil {
			src.Verification = presetVerification(t, name)
			if err := CheckVerification(v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := protovalidate.Validate(src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"elementor", "wpforms", "contact-form-7"} {
		if setup := PresetOf(name).GetSetup(); !strings.Contains(setup, "only other copy") {
			t.Errorf("%s sends once and its setup does not say so: %s", name, setup)
		}
	}
}
