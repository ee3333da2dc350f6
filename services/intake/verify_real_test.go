//go:build real

package intake

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// published is a signature vector as a tool's maker, or its documented
// construction, gives it.
type published struct {
	Secret       string
	Headers      map[string]string
	Body         string
	Method, URL  string
	Expect       string
	AlsoAccept   string     `json:"also_accept_header"`
	MustReject   []string   `json:"must_reject_headers"`
	SecondVector *published `json:"second_vector"`
	Handshake    struct {
		Request string
		Answer  json.RawMessage
	}
	Attack struct{ Request string } `json:"attack_to_refuse"`
}

func publishedVectors(t *testing.T) map[string]published {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "webhooks", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]published{}
	for _, file := range files {
		name, found := strings.CutSuffix(filepath.Base(file), ".vector.json")
		if !found {
			if name, found = strings.CutSuffix(name, ".derived.json"); !found {
				continue
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p published
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(file, err)
		}
		if p.Expect != "" && p.Secret != "" {
			out[name] = p
		}
	}
	if len(out) < 16 {
		t.Fatalf("only %d vectors found", len(out))
	}
	return out
}

// vectorOf is a published vector at its own time.
func vectorOf(t *testing.T, name string, p published) vector {
	t.Helper()
	s := vector{name: name, secret: p.Secret}
	if name == "tiktok" { // its construction is known and no preset stands on it
		s.verification = &intakev1.Verification{Algorithm: "hmac-sha256", Header: "Tiktok-Signature", Encoding: "hex", Element: "s", Signed: "{timestamp}.{body}", Timestamp: "element:t", SecretRef: "env:SECRET"}
	} else {
		s.verification = presetVerification(t, name)
	}
	v := s.verification
	s.credential = v.GetHeader()
	s.request = Request{Method: p.Method, URL: p.URL, Header: http.Header{}, Body: []byte(p.Body), Now: signedAt}
	if s.request.Method == "" {
		s.request.Method = http.MethodPost
	}
	for name, value := range p.Headers {
		s.request.Header.Set(name, value)
	}
	if s.request.Header.Get(s.credential) != p.Expect {
		t.Fatalf("%s does not carry what is expected", s.credential)
	}
	if v.GetTimestamp() != "" {
		text := s.request.Header.Get(v.GetTimestamp())
		if name, ok := strings.CutPrefix(v.GetTimestamp(), elementPrefix); ok {
			text = strings.TrimPrefix(strings.Split(p.Expect, ",")[0], name+"=")
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.request.Now = time.Unix(n, 0)
		if v.GetTimestampUnit() == "ms" {
			s.request.Now = time.UnixMilli(n)
		}
	}
	return s
}

// Every signature that is published, or that follows from what is published,
// verifies at its own time; nothing changed does.
func TestRealVectors(t *testing.T) {
	for name, p := range publishedVectors(t) {
		t.Run(name, func(t *testing.T) {
			s := vectorOf(t, name, p)
			checkVector(t, s, 1+len(s.request.Body)/4096)
			throughDoor(t, s)
			for _, bad := range p.MustReject {
				if s.valid(s.change(func(r *Request) { r.Header.Set(s.credential, bad) })) {
					t.Errorf("%q was taken", bad)
				}
			}
			if p.AlsoAccept != "" && !s.valid(s.change(func(r *Request) { r.Header.Set(s.credential, p.AlsoAccept) })) {
				t.Error("a list with a good one in it was refused")
			}
			if second := p.SecondVector; second != nil && !s.valid(s.change(func(r *Request) {
				r.Method, r.URL, r.Body = second.Method, second.URL, []byte(second.Body)
				r.Header.Set(s.credential, second.Expect)
			})) {
				t.Error("the second vector was refused")
			}
		})
	}
}

// The documented handshakes, and the attack on one of them.
func TestRealHandshakes(t *testing.T) {
	seen := 0
	for name, p := range publishedVectors(t) {
		if p.Handshake.Request == "" {
			continue
		}
		seen++
		t.Run(name, func(t *testing.T) {
			src := &intakev1.SourceDeclared{SourceId: "s", Name: name, Verification: proto.CloneOf(presetVerification(t, name)), Handshake: PresetOf(name).GetHandshake()}
			if name == "meta" {
				src.HandshakeRef = "env:VERIFY"
			}
			d := newTestDoor(func(c *DoorConfig) {
				c.Sources, c.Clock = sourceMap{name: src}, clock.NewVirtual(signedAt)
				c.Secrets = secretMap{"env:SECRET": {p.Secret}, "env:VERIFY": {"my-token"}}
			})
			ask := func(request string) (int, string) {
				request, _ = strings.CutPrefix(request, "GET ")
				res := d.do(call{method: "GET", path: "/hooks/" + name + strings.NewReplacer("<", "%3C", ">", "%3E", " ", "%20").Replace(request)})
				return res.StatusCode, bodyOf(t, res)
			}
			status, got := ask(p.Handshake.Request)
			if name == "meta" {
				if status != 200 || got != "1158201444" {
					t.Errorf("%d %s", status, got)
				}
				return
			}
			var want, have struct{ ChallengeCode, ChallengeResponse string }
			if err := json.Unmarshal(p.Handshake.Answer, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(got), &have); err != nil || status != 200 || have != want || want.ChallengeResponse == "" {
				t.Errorf("%d %s", status, got)
			}
			if status, got := ask(p.Attack.Request); status != 400 || p.Attack.Request == "" {
				t.Errorf("the attack was answered: %d %s", status, got)
			}
		})
	}
	if seen != 2 {
		t.Errorf("%d handshakes", seen)
	}
}

// The key of a lead form travels in its body.
func TestRealKeyInTheBody(t *testing.T) {
	b := realBodies(t)["google-ads.json"]
	v := presetVerification(t, "google-ads")
	r := Request{Method: "POST", Header: http.Header{"Content-Type": {b.contentType}}, Body: b.raw, Now: signedAt}
	if !Verify(v, [][]byte{[]byte("REPLACE_WITH_TEST_GOOGLE_KEY")}, r) || Verify(v, [][]byte{[]byte("REPLACE_WITH_TEST_GOOGLE_KEX")}, r) {
		t.Error("the key is not told from another")
	}
	at := strings.Index(string(b.raw), "REPLACE_WITH")
	for i := at; i < at+len("REPLACE_WITH_TEST_GOOGLE_KEY"); i++ {
		changed := []byte(string(b.raw))
		changed[i] ^= 1
		r.Body = changed
		if Verify(v, [][]byte{[]byte("REPLACE_WITH_TEST_GOOGLE_KEY")}, r) {
			t.Fatalf("verifies with byte %d changed", i)
		}
	}
}
