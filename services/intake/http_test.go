package intake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// keptOnes records what it keeps.
type keptOnes struct {
	mu         sync.Mutex
	deliveries []*intakev1.Delivery
	bodies     []*intakev1.DeliveryBody
	err        error
	panics     bool
}

func (k *keptOnes) Keep(_ context.Context, d *intakev1.Delivery, b *intakev1.DeliveryBody) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.panics {
		panic("a secret of somebody's body")
	}
	if k.err != nil {
		return k.err
	}
	k.deliveries, k.bodies = append(k.deliveries, d), append(k.bodies, b)
	return nil
}

func (k *keptOnes) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.deliveries)
}

type sourceMap map[string]*intakev1.SourceDeclared

func (s sourceMap) ByName(name string) (*intakev1.SourceDeclared, bool) {
	src, ok := s[name]
	return src, ok
}

type secretMap map[string][]string

func (s secretMap) Resolve(ref string) ([][]byte, error) {
	var out [][]byte
	for _, v := range s[ref] {
		out = append(out, []byte(v))
	}
	if out == nil {
		return nil, fault.New(fault.Unavailable, "secret: not there")
	}
	return out, nil
}

type answered struct {
	mu   sync.Mutex
	seen []string
}

func (a *answered) Answered(source, outcome string, status int, _ time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, fmt.Sprintf("%s %s %d", source, outcome, status))
}

const githubSecret = "It's a Secret to Everybody"

var doorSources = sourceMap{
	"web": {SourceId: "s-web", Name: "web", Honeypots: []string{"website"}, Redirects: []string{"https://www.b.example/thanks"}},
	"hub": {SourceId: "s-hub", Name: "hub", Verification: &intakev1.Verification{
		Algorithm: "hmac-sha256", Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex", SecretRef: "env:HUB",
	}},
	"lost":   {SourceId: "s-lost", Name: "lost", Verification: &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X", Encoding: "hex", SecretRef: "env:LOST"}},
	"closed": {SourceId: "s-closed", Name: "closed", TokenHash: TokenHash("right")},
}

type doorBench struct {
	http.Handler
	keep    *keptOnes
	metrics *answered
	log     *bytes.Buffer
}

func newTestDoor(change func(*DoorConfig)) *doorBench {
	b := &doorBench{keep: &keptOnes{}, metrics: &answered{}, log: &bytes.Buffer{}}
	n := 0
	cfg := DoorConfig{
		Sources: doorSources, Keep: b.keep, Metrics: b.metrics,
		Secrets:      secretMap{"env:HUB": {"old secret", githubSecret}},
		Clock:        clock.NewVirtual(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)),
		Logger:       slog.New(slog.NewTextHandler(b.log, nil)),
		SubmissionID: func(source, key, delivery string) string { return "sub(" + source + "," + key + "," + delivery + ")" },
		NewID:        func() string { n++; return fmt.Sprintf("d-%d", n) },
	}
	if change != nil {
		change(&cfg)
	}
	b.Handler = NewDoor(cfg)
	return b
}

type call struct {
	method, path, contentType, body string
	headers                         map[string]string
}

func (b *doorBench) do(c call) *http.Response {
	if c.method == "" {
		c.method = http.MethodPost
	}
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	for k, v := range c.headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDoorKeeps(t *testing.T) {
	d := newTestDoor(nil)
	body := `{"email":"a@b.example"}`
	res := d.do(call{path: "/hooks/web?utm_source=ad&token=s3cret", contentType: "application/json", body: body, headers: map[string]string{"Idempotency-Key": "k 1"}})
	if got := bodyOf(t, res); res.StatusCode != 200 || got != "{}" || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %q %q", res.StatusCode, got, res.Header.Get("Content-Type"))
	}
	if got := res.Header.Get(HeaderDelivery); got != "d-1" {
		t.Errorf("delivery %q", got)
	}
	if got := res.Header.Get(HeaderSubmission); got != "sub(s-web,k 1,d-1)" {
		t.Errorf("submission %q", got)
	}
	kept, keptBody := d.keep.deliveries[0], d.keep.bodies[0]
	if string(keptBody.GetRaw()) != body || keptBody.GetIdempotencyKey() != "k 1" || keptBody.GetQuery() != "utm_source=ad" {
		t.Errorf("kept %v", keptBody)
	}
	if kept.GetSourceId() != "s-web" || kept.GetSigned() || kept.GetContentType() != "application/json" || len(kept.GetDigest()) != 32 {
		t.Errorf("kept %v", kept)
	}
	if got := kept.GetReceivedAt().AsTime(); !got.Equal(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("received at %v", got)
	}
	if diff := cmp.Diff([]string{"web kept 200"}, d.metrics.seen); diff != "" {
		t.Error(diff)
	}
	if d.log.Len() > 0 {
		t.Errorf("logged: %s", d.log)
	}
}

func TestDoorNamesSubmissions(t *testing.T) {
	tests := []struct{ name, body, key, want string }{
		{"by the body", `{"lead_id":"L"}`, "k", "sub(s-web,L,d-1)"},
		{"by the header", `{"email":"a"}`, "k", "sub(s-web,k,d-1)"},
		{"by the delivery", `{"email":"a"}`, "", "sub(s-web,,d-1)"},
		{"each of many", `[{"lead_id":"L"},{"email":"a"}]`, "k", "sub(s-web,L,d-1), sub(s-web,k#1,d-1#1)"},
		{"none", `[]`, "", ""},
		{"too many to list", "[" + strings.Repeat("{},", maxNamed) + "{}]", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(nil)
			headers := map[string]string{}
			if tt.key != "" {
				headers["Idempotency-Key"] = tt.key
			}
			res := d.do(call{path: "/hooks/web", contentType: "application/json", body: tt.body, headers: headers})
			if got := res.Header.Get(HeaderSubmission); res.StatusCode != 200 || got != tt.want {
				t.Errorf("%d %q, want %q", res.StatusCode, got, tt.want)
			}
		})
	}
}

func hubSignature(body string) string {
	return "sha256=" + hex.EncodeToString(sign(githubSecret, body))
}

// Everything that may come to a door and is not a good delivery: a clear
// status, a message of ours, and nothing kept.
func TestDoorRefuses(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(`{"email":"a@b.example"}`)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	good := `{"email":"a@b.example"}`
	js := "application/json"
	tests := []struct {
		name    string
		call    call
		status  int
		outcome string
	}{
		{"unknown source", call{path: "/hooks/nobody", contentType: js, body: good}, 404, " unknown-source"},
		{"a source with dots", call{path: "/hooks/a.b", contentType: js, body: good}, 404, " unknown-source"},
		{"a source that is a wildcard", call{path: "/hooks/*", contentType: js, body: good}, 404, " unknown-source"},
		{"a source that is another wildcard", call{path: "/hooks/%3E", contentType: js, body: good}, 404, " unknown-source"},
		{"a source with a space", call{path: "/hooks/we%20b", contentType: js, body: good}, 404, " unknown-source"},
		{"a source with a slash inside", call{path: "/hooks/web%2F..", contentType: js, body: good}, 404, " unknown-source"},
		{"a source with NUL", call{path: "/hooks/web%00", contentType: js, body: good}, 404, " unknown-source"},
		{"a source in capitals", call{path: "/hooks/WEB", contentType: js, body: good}, 404, " unknown-source"},
		{"a very long source", call{path: "/hooks/" + strings.Repeat("a", 5000), contentType: js, body: good}, 404, " unknown-source"},
		{"no source", call{path: "/hooks/", contentType: js, body: good}, 404, " unknown-address"},
		{"another address", call{path: "/", contentType: js, body: good}, 404, " unknown-address"},
		{"PUT", call{method: "PUT", path: "/hooks/web", contentType: js, body: good}, 405, "web method"},
		{"DELETE", call{method: "DELETE", path: "/hooks/web"}, 405, "web method"},
		{"an invented method", call{method: "LEAD", path: "/hooks/web"}, 405, "web method"},
		{"gzip", call{path: "/hooks/web", contentType: js, body: zipped.String(), headers: map[string]string{"Content-Encoding": "gzip"}}, 415, "web encoded"},
		{"two encodings", call{path: "/hooks/web", contentType: js, body: good, headers: map[string]string{"Content-Encoding": "identity, br"}}, 415, "web encoded"},
		{"too large", call{path: "/hooks/web", contentType: js, body: strings.Repeat(" ", MaxBody+1)}, 413, "web too-large"},
		{"too large in parts", call{path: "/hooks/web", contentType: "multipart/form-data; boundary=b", body: strings.Repeat(" ", MaxMultipart+1)}, 413, "web too-large"},
		{"broken JSON", call{path: "/hooks/web", contentType: js, body: `{"email":`}, 400, "web unreadable"},
		{"broken JSON from a command line", call{path: "/hooks/web", contentType: typeURLEncoded, body: `{"email":`}, 400, "web unreadable"},
		{"depth 100,000", call{path: "/hooks/web", contentType: js, body: strings.Repeat("[", 100_000)}, 400, "web unreadable"},
		{"invalid UTF-8", call{path: "/hooks/web", contentType: js, body: "{\"a\":\"\xff\"}"}, 400, "web unreadable"},
		{"empty", call{path: "/hooks/web", contentType: js}, 400, "web unreadable"},
		{"a long content type", call{path: "/hooks/web", contentType: js + "; x=" + strings.Repeat("y", 300), body: good}, 400, "web content-type"},
		{"a content type that is not text", call{path: "/hooks/web", contentType: "text/\xff", body: good}, 400, "web content-type"},
		{"a long key", call{path: "/hooks/web", contentType: js, body: good, headers: map[string]string{"Idempotency-Key": strings.Repeat("k", 513)}}, 400, "web idempotency-key"},
		{"a key that is not printable", call{path: "/hooks/web", contentType: js, body: good, headers: map[string]string{"Idempotency-Key": "a\x7fb"}}, 400, "web idempotency-key"},
		{"no signature", call{path: "/hooks/hub", contentType: js, body: good}, 401, "hub bad-signature"},
		{"a wrong signature", call{path: "/hooks/hub", contentType: js, body: good, headers: map[string]string{"X-Hub-Signature-256": hubSignature("other")}}, 401, "hub bad-signature"},
		{"a wrong signature over a broken body", call{path: "/hooks/hub", contentType: js, body: "{", headers: map[string]string{"X-Hub-Signature-256": hubSignature("other")}}, 401, "hub bad-signature"},
		{"a good signature over a broken body", call{path: "/hooks/hub", contentType: js, body: "{", headers: map[string]string{"X-Hub-Signature-256": hubSignature("{")}}, 400, "hub unreadable"},
		{"a secret that is gone", call{path: "/hooks/lost", contentType: js, body: good}, 503, "lost no-secret"},
		{"no token", call{path: "/hooks/closed", contentType: js, body: good}, 401, "closed bad-token"},
		{"a wrong token", call{path: "/hooks/closed/wrong", contentType: js, body: good}, 401, "closed bad-token"},
		{"a token with more behind it", call{path: "/hooks/closed/right/x", contentType: js, body: good}, 401, "closed bad-token"},
		{"a very long token", call{path: "/hooks/closed/" + strings.Repeat("x", 300), contentType: js, body: good}, 404, " unknown-address"},
		{"looking for nobody", call{method: "GET", path: "/hooks/nobody"}, 404, " unknown-source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(nil)
			res := d.do(tt.call)
			body := bodyOf(t, res)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s", res.StatusCode, tt.status, body)
			}
			var message struct{ Message string }
			if err := json.Unmarshal([]byte(body), &message); err != nil || message.Message == "" || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("no message: %q (%v)", body, err)
			}
			if got, want := d.metrics.seen, []string{fmt.Sprintf("%s %d", tt.outcome, tt.status)}; !cmp.Equal(got, want) {
				t.Errorf("measured %q, want %q", got, want)
			}
			if d.keep.count() != 0 {
				t.Error("something was kept")
			}
			switch tt.status {
			case 405:
				if res.Header.Get("Allow") == "" {
					t.Error("405 without Allow")
				}
			case 429, 503:
				if res.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			for _, quoted := range []string{"a@b.example", "nobody", "old secret", githubSecret, "/hooks/closed/wrong"} {
				if strings.Contains(body, quoted) || strings.Contains(d.log.String(), quoted) {
					t.Errorf("%q was repeated: %s %s", quoted, body, d.log)
				}
			}
		})
	}
}

func TestDoorTakes(t *testing.T) {
	good := `{"email":"a@b.example"}`
	js := "application/json"
	tests := []struct {
		name string
		call call
	}{
		{"a slash at the end", call{path: "/hooks/web/", contentType: js, body: good}},
		{"the right token", call{path: "/hooks/closed/right", contentType: js, body: good}},
		{"the right token and a slash", call{path: "/hooks/closed/right/", contentType: js, body: good}},
		{"a token that nobody asked for", call{path: "/hooks/web/old", contentType: js, body: good}},
		{"identity", call{path: "/hooks/web", contentType: js, body: good, headers: map[string]string{"Content-Encoding": "identity"}}},
		{"no content type", call{path: "/hooks/web", body: good}},
		{"duplicate keys and NUL", call{path: "/hooks/web", contentType: js, body: `{"a":"\u0000","a":"1"}`}},
		{"an id that means something elsewhere", call{path: "/hooks/web", contentType: js, body: `{"lead_id":"a.*.> b"}`, headers: map[string]string{"Idempotency-Key": "x.*.> y"}}},
		{"a good signature", call{path: "/hooks/hub", contentType: js, body: good, headers: map[string]string{"X-Hub-Signature-256": hubSignature(good)}}},
		{"signed text under any type", call{path: "/hooks/hub", contentType: js, body: "Hello, World!", headers: map[string]string{"X-Hub-Signature-256": hubSignature("Hello, World!")}}},
		{"signed text that is called urlencoded", call{path: "/hooks/hub", contentType: typeURLEncoded, body: "Hello, World!", headers: map[string]string{"X-Hub-Signature-256": hubSignature("Hello, World!")}}},
		{"spam", call{path: "/hooks/web", contentType: typeURLEncoded, body: "email=a&website=filled"}},
		{"nothing", call{path: "/hooks/web", contentType: js, body: "{}"}},
		{"a browser's form asked by a program", call{path: "/hooks/web", contentType: typeURLEncoded, body: "email=a&_next=https://www.b.example/thanks", headers: map[string]string{"Accept": "*/*"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(nil)
			res := d.do(tt.call)
			if body := bodyOf(t, res); res.StatusCode != 200 || body != "{}" {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			if d.keep.count() != 1 {
				t.Fatalf("%d kept", d.keep.count())
			}
			if id := d.keep.deliveries[0].GetDeliveryId(); !lead.Safe(id) {
				t.Errorf("delivery id %q cannot be in a subject", id)
			}
			if _, err := ParseDelivery(d.keep.deliveries[0], d.keep.bodies[0], nil); err != nil {
				t.Errorf("what was kept cannot be read: %v", err)
			}
		})
	}
}

func TestDoorAsksToTryAgain(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		retry  string
	}{
		{"unavailable", fault.New(fault.Unavailable, "the log does not answer"), 503, "5"},
		{"full", fault.New(fault.Full, "the disk is full"), 503, "60"},
		{"corrupt", fault.New(fault.Corrupt, "the log is damaged"), 503, "60"},
		{"anything", errors.New("who knows"), 503, "5"},
		{"invalid", fault.New(fault.Invalid, "no"), 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(nil)
			d.keep.err = tt.err
			res := d.do(call{path: "/hooks/web", body: `{"email":"a"}`})
			if res.StatusCode != tt.status || res.Header.Get("Retry-After") != tt.retry {
				t.Errorf("%d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
			}
			if res.Header.Get(HeaderSubmission) != "" || res.Header.Get(HeaderDelivery) != "" {
				t.Error("an id was given for what is not kept")
			}
		})
	}
}

func TestDoorLimits(t *testing.T) {
	var asked []string
	d := newTestDoor(func(c *DoorConfig) {
		c.Allow = func(source, address string) (time.Duration, bool) {
			asked = append(asked, source+" "+address)
			return 1500 * time.Millisecond, false
		}
	})
	res := d.do(call{path: "/hooks/web", body: "{}"})
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "2" {
		t.Errorf("%d %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	if diff := cmp.Diff([]string{"s-web 192.0.2.1"}, asked); diff != "" {
		t.Error(diff)
	}
	d = newTestDoor(func(c *DoorConfig) { c.MaxInFlight = 10 })
	if res := d.do(call{path: "/hooks/web", body: `{"email":"a@b"}`}); res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("too much at once: %d", res.StatusCode)
	}
	var waited time.Duration
	slow := newTestDoor(func(c *DoorConfig) { c.Waiting = func() time.Duration { return waited } })
	for _, tt := range []struct {
		waited       time.Duration
		status, kept int
		again        string
	}{{0, 200, 1, ""}, {maxWait - 1, 200, 2, ""}, {maxWait, 503, 2, "1"}, {time.Hour, 503, 2, "1"}, {0, 200, 3, ""}} {
		waited = tt.waited
		res := slow.do(call{path: "/hooks/web", body: `{"email":"a@b"}`})
		if res.StatusCode != tt.status || res.Header.Get("Retry-After") != tt.again || slow.keep.count() != tt.kept {
			t.Errorf("after %v for the disk: %d, Retry-After %q, %d kept", tt.waited, res.StatusCode, res.Header.Get("Retry-After"), slow.keep.count())
		}
	}
	for range 3 { // what was held is given back
		if res := d.do(call{path: "/hooks/web", body: `{}`}); res.StatusCode != 200 {
			t.Errorf("afterwards: %d", res.StatusCode)
		}
	}
}

// blockedLog keeps nothing until it is let, and tells for how long the first of
// those who wait has waited.
type blockedLog struct {
	keptOnes
	clock *clock.Virtual
	since time.Time
	came  chan struct{}
	let   chan struct{}
}

func (l *blockedLog) Keep(ctx context.Context, d *intakev1.Delivery, body *intakev1.DeliveryBody) error {
	l.came <- struct{}{}
	<-l.let
	return l.keptOnes.Keep(ctx, d, body)
}

// TestDoorBehindABlockedLog holds that the door's bound is reached by waiting for
// the log alone: until two seconds have passed it takes who comes, from then on it
// asks them to come again without touching the log, and who waited is answered.
func TestDoorBehindABlockedLog(t *testing.T) {
	log := &blockedLog{clock: clock.NewVirtual(monday9), since: monday9, came: make(chan struct{}, 8), let: make(chan struct{})}
	d := newTestDoor(func(c *DoorConfig) {
		c.Keep, c.Clock = log, log.clock
		c.Waiting = func() time.Duration { return log.clock.Now().Sub(log.since) }
		var ids atomic.Int64
		c.NewID = func() string { return fmt.Sprintf("d-%d", ids.Add(1)) }
	})
	answers := make(chan int, 2)
	send := func() { answers <- d.do(call{path: "/hooks/web", body: `{"email":"a@b"}`}).StatusCode }
	for _, waited := range []time.Duration{0, maxWait - time.Nanosecond} {
		log.clock.Set(monday9.Add(waited))
		go send()
		<-log.came // it was taken, and waits
	}
	log.clock.Set(monday9.Add(maxWait))
	late := make(chan *http.Response, 1)
	go func() { late <- d.do(call{path: "/hooks/web", body: `{"email":"a@b"}`}) }()
	select {
	case res := <-late:
		if res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
			t.Errorf("after two seconds: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
	case <-log.came:
		t.Error("who comes after two seconds waits for the log as well")
	}
	close(log.let)
	for range 2 {
		if status := <-answers; status != 200 {
			t.Errorf("who waited was answered %d", status)
		}
	}
	log.since = log.clock.Now()
	if res := d.do(call{path: "/hooks/web", body: `{"email":"a@b"}`}); res.StatusCode != 200 || log.count() != 3 {
		t.Errorf("once the log works: %d, %d kept", res.StatusCode, log.count())
	}
}

var monday9 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestDoorForBrowsers(t *testing.T) {
	html := map[string]string{"Accept": "text/html,application/xhtml+xml"}
	tests := []struct {
		name             string
		path, body       string
		status           int
		location, inside string
	}{
		{"a page on the list", "/hooks/web", "email=a&_next=https://www.b.example/thanks", 303, "https://www.b.example/thanks", ""},
		{"under its other name", "/hooks/web", "email=a&retURL=https://www.b.example/thanks", 303, "https://www.b.example/thanks", ""},
		{"a page that is not on it", "/hooks/web", "email=a&_next=https://evil.example/", 200, "", "Thank you"},
		{"a page that only begins like it", "/hooks/web", "email=a&_next=https://www.b.example/thanks.evil", 200, "", "Thank you"},
		{"a header in it", "/hooks/web", "email=a&_next=https://www.b.example/thanks%0d%0aX:y", 200, "", "Thank you"},
		{"no page", "/hooks/web", "email=a", 200, "", "Thank you"},
		{"spam looks the same", "/hooks/web", "email=a&website=x", 200, "", "Thank you"},
		{"unknown", "/hooks/nobody", "email=a", 404, "", "did not work"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(nil)
			res := d.do(call{path: tt.path, contentType: typeURLEncoded, body: tt.body, headers: html})
			body := bodyOf(t, res)
			if res.StatusCode != tt.status || res.Header.Get("Location") != tt.location || !strings.Contains(body, tt.inside) {
				t.Errorf("%d %q %s", res.StatusCode, res.Header.Get("Location"), body)
			}
			if strings.Contains(body, "evil") {
				t.Error("the page repeats what was sent")
			}
			if res.StatusCode == 200 && res.Header.Get("Content-Security-Policy") == "" {
				t.Error("no policy on the page")
			}
		})
	}
}

func TestDoorProbes(t *testing.T) {
	d := newTestDoor(nil)
	if res := d.do(call{method: "GET", path: "/hooks/web"}); res.StatusCode != 200 || !strings.Contains(bodyOf(t, res), "POST") {
		t.Errorf("GET: %d", res.StatusCode)
	}
	if res := d.do(call{method: "HEAD", path: "/hooks/web/"}); res.StatusCode != 200 || bodyOf(t, res) != "" {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	origin := map[string]string{"Origin": "https://www.b.example"}
	res := d.do(call{method: "OPTIONS", path: "/hooks/web", headers: origin})
	if res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "https://www.b.example" || res.Header.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("OPTIONS: %d %v", res.StatusCode, res.Header)
	}
	for _, c := range []call{
		{method: "OPTIONS", path: "/hooks/web", headers: map[string]string{"Origin": "https://evil.example"}},
		{method: "OPTIONS", path: "/hooks/web", headers: map[string]string{"Origin": "null"}},
		{method: "OPTIONS", path: "/hooks/nobody", headers: origin},
	} {
		if res := d.do(c); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Allow") == "" {
			t.Errorf("OPTIONS from elsewhere: %d %v", res.StatusCode, res.Header)
		}
	}
	if res := d.do(call{path: "/hooks/web", body: "{}", headers: origin}); res.Header.Get("Access-Control-Allow-Origin") != "https://www.b.example" {
		t.Error("the page's own script may not read the answer")
	}
	if d.keep.count() != 1 {
		t.Errorf("%d kept", d.keep.count())
	}
}

func TestDoorSurvivesAPanic(t *testing.T) {
	d := newTestDoor(nil)
	d.keep.panics = true
	res := d.do(call{path: "/hooks/web", body: `{"email":"a@b.example"}`})
	if body := bodyOf(t, res); res.StatusCode != 500 || !strings.Contains(body, "message") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if log := d.log.String(); !strings.Contains(log, "Keep") || strings.Contains(log, "secret of somebody") || strings.Contains(log, "a@b.example") {
		t.Errorf("log: %s", log)
	}
	if diff := cmp.Diff([]string{"web broken 500"}, d.metrics.seen); diff != "" {
		t.Error(diff)
	}
	d.keep.panics = false
	if res := d.do(call{path: "/hooks/web", body: `{}`}); res.StatusCode != 200 {
		t.Errorf("afterwards: %d", res.StatusCode)
	}
}

func TestDoorTraces(t *testing.T) {
	ended := 0
	d := newTestDoor(func(c *DoorConfig) {
		c.Trace = func(r *http.Request) (context.Context, string, func(int)) {
			return r.Context(), "00-trace", func(status int) { ended = status }
		}
	})
	d.do(call{path: "/hooks/web", body: "{}"})
	if got := d.keep.deliveries[0].GetTraceparent(); got != "00-trace" || ended != 200 {
		t.Errorf("traceparent %q, span ended with %d", got, ended)
	}
}

// serve runs the door on a real connection.
func serve(t *testing.T, d *doorBench, change func(*http.Server), wrap func(net.Listener) net.Listener) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	server := NewServer(addr, d)
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if change != nil {
		change(server)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return addr
}

// talk sends bytes as they are and reads one answer.
func talk(t *testing.T, addr, text string) (*http.Response, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The server may answer and hang up before it has read all of it.
	_, _ = io.WriteString(c, text)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, c
}

func TestServerLimits(t *testing.T) {
	s := NewServer("127.0.0.1:0", nil)
	if s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout != 10*time.Second || s.IdleTimeout != 60*time.Second || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("%+v", s)
	}
}

func TestServerOnTheWire(t *testing.T) {
	d := newTestDoor(nil)
	addr := serve(t, d, nil, nil)
	tests := []struct {
		name, text string
		status     int
	}{
		{"10,000 headers", "POST /hooks/web HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-H: 1\r\n", 10_000) + "Content-Length: 2\r\n\r\n{}", 431},
		{"a header of 64 KiB", "POST /hooks/web HTTP/1.1\r\nHost: x\r\nX-H: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"no HTTP", "hello\r\n\r\n", 400},
		{"more than it says", "POST /hooks/web HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n{", 413},
		{"broken pieces", "POST /hooks/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
		{"in pieces, too large", "POST /hooks/web HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", MaxBody+1, strings.Repeat(" ", MaxBody+1)), 413},
		{"a path that goes up", "POST /hooks/../hooks/web HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404},
		{"two slashes", "POST //hooks/web HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if res, _ := talk(t, addr, tt.text); res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
	if n := d.keep.count(); n != 0 {
		t.Fatalf("%d kept", n)
	}
	res, _ := talk(t, addr, "POST /hooks/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	if res.StatusCode != 200 || d.keep.count() != 1 {
		t.Errorf("a good one in pieces: %d, %d kept", res.StatusCode, d.keep.count())
	}
}

// A sender that is too slow is answered and let go; what it began is not kept.
func TestServerLetsSlowSendersGo(t *testing.T) {
	t.Parallel()
	d := newTestDoor(nil)
	// Long enough for the head to be read on a busy machine.
	addr := serve(t, d, func(s *http.Server) { s.ReadTimeout = time.Second }, nil)
	res, c := talk(t, addr, "POST /hooks/web HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"ema")
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("slow body: %d", res.StatusCode)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection stays: %v", err)
	}
	// A head that never ends gets no answer, only an end.
	addr = serve(t, d, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond }, nil)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST /hooks/web HTTP/1.1\r\nHost"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("slow head: %v", err)
	}
	if d.keep.count() != 0 {
		t.Error("half a body was kept")
	}
}

func TestLimitConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := LimitConnections(inner, 1)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	dial()
	type accepted struct {
		conn net.Conn
		err  error
	}
	next := make(chan accepted, 1)
	accept := func() {
		c, err := l.Accept()
		next <- accepted{c, err}
	}
	go accept()
	if free := cap(l.(*limitedListener).slots) - len(l.(*limitedListener).slots); free != 0 {
		t.Fatalf("%d slots are free while the only connection is open", free)
	}
	for range 2 { // closing twice gives one slot back
		_ = first.Close()
	}
	second := <-next
	if second.err != nil {
		t.Fatal(second.err)
	}
	go accept()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if third := <-next; !errors.Is(third.err, net.ErrClosed) {
		t.Errorf("after closing: %v", third.err)
	}
	_ = second.conn.Close()
}
