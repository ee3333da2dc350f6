package intake

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// doorTime is when the test door's clock stands.
var doorTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// renamed finds sources by the names that they had before as well.
type renamed struct {
	sourceMap
	former map[string]string
}

func (r renamed) ByName(name string) (*intakev1.SourceDeclared, bool) {
	if now, ok := r.former[name]; ok {
		name = now
	}
	return r.sourceMap.ByName(name)
}

// What the door answers in each situation. Senders are particular: one takes
// exactly 200 for success, one switches a hook off at a 404, one loses a lead at
// any 4xx, and most drop the body at a redirect.
func TestReplies(t *testing.T) {
	js, good := "application/json", `{"email":"a@b.example"}`
	sources := sourceMap{
		"web":     doorSources["web"],
		"hub":     doorSources["hub"],
		"paused":  {SourceId: "s-paused", Name: "paused", State: intakev1.SourceState_SOURCE_STATE_PAUSED, StateSince: timestamppb.New(doorTime.AddDate(-1, 0, 0))},
		"leaving": {SourceId: "s-leaving", Name: "leaving", State: intakev1.SourceState_SOURCE_STATE_REMOVED, StateSince: timestamppb.New(doorTime.Add(-24*time.Hour + 1))},
		"removed": {SourceId: "s-removed", Name: "removed", State: intakev1.SourceState_SOURCE_STATE_REMOVED, StateSince: timestamppb.New(doorTime.Add(-24 * time.Hour))},
		"google":  {SourceId: "s-google", Name: "google", Preset: "google-ads", Verification: presetVerification(t, "google-ads")},
	}
	for _, p := range Presets() {
		if p.GetVerification() == nil {
			sources[p.GetName()] = &intakev1.SourceDeclared{SourceId: "s-" + p.GetName(), Name: p.GetName(), Preset: p.GetName(), Methods: p.GetMethods()}
		}
	}
	type reply struct {
		name   string
		call   call
		broken error
		busy   bool
		status int
		body   string // empty = {"message":"…"}
		kept   int
	}
	tests := []reply{
		{name: "stored", call: call{path: "/hooks/web", contentType: js, body: good}, status: 200, body: "{}", kept: 1},
		{name: "a test", call: call{path: "/hooks/web", contentType: js, body: `{"email":"a@b.example","is_test":true}`}, status: 200, body: "{}", kept: 1},
		{name: "an unknown event", call: call{path: "/hooks/web", contentType: js, body: `{"event_type":"who knows","event":"x"}`}, status: 200, body: "{}", kept: 1},
		{name: "unmapped", call: call{path: "/hooks/web", contentType: js, body: `{"q17":"blue"}`}, status: 200, body: "{}", kept: 1},
		{name: "spam", call: call{path: "/hooks/web", contentType: typeURLEncoded, body: "email=a&website=x"}, status: 200, body: "{}", kept: 1},
		{name: "no signature", call: call{path: "/hooks/hub", contentType: js, body: good}, status: 401},
		{name: "a bad signature", call: call{path: "/hooks/hub", contentType: js, body: good, headers: map[string]string{"X-Hub-Signature-256": hubSignature("x")}}, status: 401},
		{name: "google", call: call{path: "/hooks/google", contentType: js, body: `{"lead_id":"1","google_key":"right"}`}, status: 200, body: "{}", kept: 1},
		{name: "google, test data", call: call{path: "/hooks/google", contentType: js, body: `{"lead_id":"1","google_key":"right","is_test":true}`}, status: 200, body: "{}", kept: 1},
		{name: "google, a wrong key", call: call{path: "/hooks/google", contentType: js, body: `{"lead_id":"1","google_key":"wrong"}`}, status: 401},
		{name: "too large", call: call{path: "/hooks/web", contentType: js, body: strings.Repeat(" ", MaxBody+1)}, status: 413},
		{name: "not decodable", call: call{path: "/hooks/web", contentType: js, body: `{"a`}, status: 400},
		{name: "storage down", call: call{path: "/hooks/web", contentType: js, body: good}, broken: fault.New(fault.Unavailable, "down"), status: 503},
		{name: "the disk is full", call: call{path: "/hooks/web", contentType: js, body: good}, broken: fault.New(fault.Full, "full"), status: 503},
		{name: "overloaded", call: call{path: "/hooks/web", contentType: js, body: good}, busy: true, status: 429},
		{name: "paused", call: call{path: "/hooks/paused", contentType: js, body: good}, status: 200, body: "{}", kept: 1},
		{name: "paused and the disk is full", call: call{path: "/hooks/paused", contentType: js, body: good}, broken: fault.New(fault.Full, "full"), status: 503},
		{name: "an unknown address", call: call{path: "/hooks/nobody", contentType: js, body: good}, status: 404},
		{name: "renamed", call: call{path: "/hooks/before", contentType: js, body: good}, status: 200, body: "{}", kept: 1},
		{name: "removed today", call: call{path: "/hooks/leaving", contentType: js, body: good}, status: 200, body: "{}", kept: 1},
		{name: "removed", call: call{path: "/hooks/removed", contentType: js, body: good}, status: 410},
		{name: "removed, looking", call: call{method: "GET", path: "/hooks/removed"}, status: 410},
		{name: "probe", call: call{method: "GET", path: "/hooks/web"}, status: 200, body: "This address takes forms and webhooks by POST.\n"},
		{name: "PUT where it is not declared", call: call{method: "PUT", path: "/hooks/web", contentType: js, body: good}, status: 405},
		{name: "GET with a query where it is not declared", call: call{method: "GET", path: "/hooks/web?email=a@b.example"}, status: 200, body: "This address takes forms and webhooks by POST.\n"},
	}
	for _, p := range Presets() {
		if p.GetVerification() != nil {
			continue
		}
		tests = append(tests,
			reply{name: p.GetName(), call: call{path: "/hooks/" + p.GetName(), contentType: js, body: good}, status: 200, body: "{}", kept: 1},
			reply{name: p.GetName() + ", a form", call: call{path: "/hooks/" + p.GetName(), contentType: typeURLEncoded, body: "email=a%40b.example"}, status: 200, body: "{}", kept: 1})
		for _, method := range p.GetMethods() {
			tests = append(tests, reply{name: p.GetName() + ", " + method, call: call{method: method, path: "/hooks/" + p.GetName() + "?email=a%40b.example", contentType: js}, status: 200, body: "{}", kept: 1})
		}
	}
	for _, tt := range tests {
		for _, slash := range []string{"", "/"} {
			t.Run(tt.name+slash, func(t *testing.T) {
				d := newTestDoor(func(c *DoorConfig) {
					c.Sources = renamed{sources, map[string]string{"before": "web"}}
					c.Secrets = secretMap{"env:HUB": {githubSecret}, "env:SECRET": {"right"}}
					if tt.busy {
						c.Allow = func(string, string) (time.Duration, bool) { return time.Second, false }
					}
				})
				d.keep.err = tt.broken
				c := tt.call
				path, query, asked := strings.Cut(c.path, "?")
				if c.path = path + slash; asked {
					c.path += "?" + query
				}
				res := d.do(c)
				body := bodyOf(t, res)
				if res.StatusCode != tt.status || d.keep.count() != tt.kept {
					t.Errorf("%d %s, %d kept", res.StatusCode, body, d.keep.count())
				}
				if tt.body != "" && body != tt.body || tt.body == "" && !strings.HasPrefix(body, `{"message":"`) {
					t.Errorf("body %s", body)
				}
				if tt.body != "This address takes forms and webhooks by POST.\n" && res.Header.Get("Content-Type") != "application/json" {
					t.Errorf("content type %q", res.Header.Get("Content-Type"))
				}
				if again := res.Header.Get("Retry-After"); (again != "") != (tt.status == 503 || tt.status == 429) {
					t.Errorf("Retry-After %q", again)
				}
				if res.Header.Get("Location") != "" {
					t.Error("a redirect")
				}
			})
		}
	}
}

// A repeat is answered as the first was, and gets the same id.
func TestReplyToRepeats(t *testing.T) {
	d := newTestDoor(func(c *DoorConfig) {
		c.SubmissionID = func(source, key, _ string) string { return source + "/" + key }
	})
	var ids []string
	for range 2 {
		res := d.do(call{path: "/hooks/web", body: `{"lead_id":"L-1"}`})
		if body := bodyOf(t, res); res.StatusCode != 200 || body != "{}" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		ids = append(ids, res.Header.Get(HeaderSubmission))
	}
	if diff := cmp.Diff([]string{"s-web/L-1", "s-web/L-1"}, ids); diff != "" {
		t.Error(diff)
	}
}

// A browser is sent on by 303, and to listed pages alone; a program never is.
func TestReplyToBrowsers(t *testing.T) {
	d := newTestDoor(nil)
	c := call{path: "/hooks/web", contentType: typeURLEncoded, body: "email=a&_next=https://www.b.example/thanks", headers: map[string]string{"Accept": "text/html"}}
	if res := d.do(c); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "https://www.b.example/thanks" {
		t.Errorf("%d %q", res.StatusCode, res.Header.Get("Location"))
	}
	c.headers["Accept"] = "application/json"
	if res := d.do(c); res.StatusCode != 200 || bodyOf(t, res) != "{}" {
		t.Errorf("asked for JSON: %d", res.StatusCode)
	}
}

func TestFormerTokens(t *testing.T) {
	src := &intakev1.SourceDeclared{SourceId: "s", Name: "closed", TokenHash: TokenHash("now"), FormerTokens: []*intakev1.FormerToken{
		{TokenHash: TokenHash("older"), EndsAt: timestamppb.New(doorTime)},
		{TokenHash: TokenHash("old"), EndsAt: timestamppb.New(doorTime.Add(1))},
	}}
	d := newTestDoor(func(c *DoorConfig) { c.Sources = sourceMap{"closed": src} })
	for token, want := range map[string]int{"now": 200, "old": 200, "older": 401, "": 401, "other": 401} {
		if res := d.do(call{path: "/hooks/closed/" + token, body: "{}"}); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", token, res.StatusCode, want)
		}
	}
}

// A method that a source declares is taken as a POST, and named where another
// comes.
func TestMethods(t *testing.T) {
	src := &intakev1.SourceDeclared{SourceId: "s", Name: "forms", Methods: []string{"PUT", "GET", "DELETE"}, Origins: []string{"https://www.b.example"}}
	d := newTestDoor(func(c *DoorConfig) { c.Sources = sourceMap{"forms": src} })
	tests := []struct {
		method, path, body string
		status, kept       int
	}{
		{"PUT", "/hooks/forms", `{"a":1}`, 200, 1},
		{"DELETE", "/hooks/forms", `{"a":1}`, 200, 1},
		{"GET", "/hooks/forms?email=a%40b.example", "", 200, 1},
		{"GET", "/hooks/forms", "", 200, 0},
		{"HEAD", "/hooks/forms?email=a", "", 200, 0},
		{"PATCH", "/hooks/forms", `{"a":1}`, 405, 0},
		{"PUT", "/hooks/nobody", `{"a":1}`, 405, 0},
	}
	for _, tt := range tests {
		before := d.keep.count()
		res := d.do(call{method: tt.method, path: tt.path, body: tt.body})
		if res.StatusCode != tt.status || d.keep.count()-before != tt.kept {
			t.Errorf("%s %s: %d, %d kept", tt.method, tt.path, res.StatusCode, d.keep.count()-before)
		}
		if allow := res.Header.Get("Allow"); tt.method == "PATCH" && allow != "POST, GET, HEAD, OPTIONS, PUT, DELETE" {
			t.Errorf("Allow %q", allow)
		}
	}
	if got := d.keep.bodies[2].GetQuery(); got != "email=a%40b.example" {
		t.Errorf("the query that was kept: %q", got)
	}
	res := d.do(call{method: "OPTIONS", path: "/hooks/forms", headers: map[string]string{"Origin": "https://www.b.example"}})
	if res.Header.Get("Access-Control-Allow-Origin") != "https://www.b.example" || res.Header.Get("Access-Control-Allow-Methods") != "POST, PUT, GET, DELETE" {
		t.Errorf("OPTIONS: %v", res.Header)
	}
	res = d.do(call{method: "OPTIONS", path: "/hooks/forms", headers: map[string]string{"Origin": "https://www.b.example.evil"}})
	if res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS from elsewhere: %v", res.Header)
	}
}

func TestKeptHeaders(t *testing.T) {
	ce := http.Header{}
	for name, value := range map[string]string{
		"ce-id": "C234", "ce-specversion": "1.0", "ce-type": "lead.created", "ce-source": "/forms", "ce-subject": "Z%C3%BCrich", "ce-authtoken": "hidden", "X-Other": "x",
		"ce-long": strings.Repeat("x", maxKeptHeader+1), "Cookie": "c=1",
	} {
		ce.Set(name, value)
	}
	event := map[string]string{"ce-id": "C234", "ce-specversion": "1.0", "ce-type": "lead.created", "ce-source": "/forms", "ce-subject": "Zürich"}
	many := http.Header{"Ce-Id": {"1"}, "Ce-Specversion": {"1.0"}}
	for i := range 100 {
		many.Set("Ce-X"+hex.EncodeToString([]byte{byte(i)}), "x")
	}
	named := &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{Id: []string{"header:X-Delivery", "a.b"}, Event: "header:X-Event"}}
	greedy := &intakev1.SourceDeclared{
		Mapping:      &intakev1.Mapping{Id: []string{"header:X-Sign", "header:Cookie", "header:Authorization", "header:X-Hub-Signature", "header:X-Access-Token", "header:X-Api-Key"}},
		Verification: &intakev1.Verification{Header: "X-Sign"},
	}
	secrets := http.Header{}
	for _, name := range []string{"X-Sign", "Cookie", "Authorization", "X-Hub-Signature", "X-Access-Token", "X-Api-Key"} {
		secrets.Set(name, "hidden")
	}
	tests := []struct {
		name   string
		src    *intakev1.SourceDeclared
		header http.Header
		want   map[string]string
	}{
		{"none", &intakev1.SourceDeclared{}, http.Header{"X-Delivery": {"1"}, "Cookie": {"c"}}, nil},
		{"what the mapping names", named, http.Header{"X-Delivery": {"7"}, "X-Event": {"created\x00\xff"}, "X-Other": {"x"}}, map[string]string{"x-delivery": "7", "x-event": "created\uFFFD"}},
		{"fields and marks", &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{
			Fields: []*intakev1.FieldPath{{Field: "utm_source", Paths: []string{"header:X-Campaign"}}}, Tests: []*intakev1.TestMark{{Path: "header:X-Test", Value: "1"}},
		}}, http.Header{"X-Campaign": {"spring"}, "X-Test": {"1"}}, map[string]string{"x-campaign": "spring", "x-test": "1"}},
		{"what is signed", &intakev1.SourceDeclared{Verification: PresetOf("framer").GetVerification()}, http.Header{"Framer-Webhook-Submission-Id": {"s-1"}, "Framer-Signature": {"x"}}, map[string]string{"framer-webhook-submission-id": "s-1"}},
		{"an id that is signed", &intakev1.SourceDeclared{Verification: PresetOf("standard-webhooks").GetVerification()}, http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Signature": {"x"}}, map[string]string{"webhook-id": "msg_1"}},
		{"credentials, though they are named", greedy, secrets, nil},
		{"an event in headers", &intakev1.SourceDeclared{}, ce, event},
		{"no event", &intakev1.SourceDeclared{}, http.Header{"Ce-Type": {"x"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, keptHeaders(tt.src, tt.header)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if kept := keptHeaders(nil, many); len(kept) != maxKeptHeaders {
		t.Errorf("%d headers kept", len(kept))
	}
	// All the way through the door.
	d := newTestDoor(nil)
	headers := map[string]string{}
	for name := range ce {
		headers[name] = ce.Get(name)
	}
	d.do(call{path: "/hooks/web", contentType: "application/json", body: `{"email":"a@b.example"}`, headers: headers})
	if diff := cmp.Diff(event, d.keep.bodies[0].GetHeaders()); diff != "" {
		t.Error(diff)
	}
}

// A credential in the address is compared and not kept.
func TestKeptQuery(t *testing.T) {
	src := &intakev1.SourceDeclared{SourceId: "s", Name: "q", Verification: &intakev1.Verification{Algorithm: "equal", Place: "query", Header: "pass code", SecretRef: "env:Q"}}
	d := newTestDoor(func(c *DoorConfig) {
		c.Sources, c.Secrets = sourceMap{"q": src}, secretMap{"env:Q": {"open"}}
	})
	if res := d.do(call{path: "/hooks/q?pass+code=shut&utm_source=ad", body: "{}"}); res.StatusCode != 401 {
		t.Errorf("%d", res.StatusCode)
	}
	if res := d.do(call{path: "/hooks/q?pass+code=open&utm_source=ad&Token=x", body: "{}"}); res.StatusCode != 200 {
		t.Fatalf("%d", res.StatusCode)
	}
	if got := d.keep.bodies[0].GetQuery(); got != "utm_source=ad" {
		t.Errorf("kept %q", got)
	}
}

// Who signs the address signs the one that is configured; what the request says
// of its host counts for nothing.
func TestSignedAddress(t *testing.T) {
	v := presetVerification(t, "hubspot-v2")
	own := presetVerification(t, "hubspot-v2")
	own.PublicUrl = "https://other.b.example/in"
	at := func(url string) string {
		return hex.EncodeToString(keyedSum("sha256", []byte("right"), [][]byte{[]byte("POST" + url + "{}")}))
	}
	tests := []struct {
		name, public, path, signed string
		status                     int
	}{
		{"the door's address", "https://leads.b.example", "/hooks/hub?a=1", "https://leads.b.example/hooks/hub?a=1", 200},
		{"in a folder, with a slash", "https://b.example/baton/", "/hooks/hub/", "https://b.example/baton/hooks/hub/", 200},
		{"the host that it says", "https://leads.b.example", "/hooks/hub", "https://evil.example/hooks/hub", 401},
		{"no address is configured", "", "/hooks/hub", "http://evil.example/hooks/hub", 401},
		{"the source's own", "https://leads.b.example", "/hooks/own?a=1", "https://other.b.example/in?a=1", 200},
		{"another query", "https://leads.b.example", "/hooks/hub?a=2", "https://leads.b.example/hooks/hub?a=1", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDoor(func(c *DoorConfig) {
				c.PublicURL, c.Secrets = tt.public, secretMap{"env:SECRET": {"right"}}
				c.Sources = sourceMap{"hub": {SourceId: "s", Name: "hub", Verification: v}, "own": {SourceId: "s2", Name: "own", Verification: own}}
			})
			res := d.do(call{path: tt.path, body: "{}", headers: map[string]string{"X-HubSpot-Signature": at(tt.signed), "Host": "evil.example", "X-Forwarded-Host": "evil.example"}})
			if res.StatusCode != tt.status {
				t.Errorf("%d", res.StatusCode)
			}
		})
	}
}

// While a secret changes hands a delivery that its other secret signs is taken,
// and what the missing one may have signed is asked to come again.
func TestSecretPartlyGone(t *testing.T) {
	v := &intakev1.Verification{Algorithm: "hmac-sha256", Header: "X-Sign", Encoding: "hex", SecretRef: "env:GONE", More: []*intakev1.SecretRef{{Ref: "env:OLD", EndsAt: timestamppb.New(doorTime.Add(time.Hour))}}}
	at := clock.NewVirtual(doorTime)
	d := newTestDoor(func(c *DoorConfig) {
		c.Clock, c.Secrets = at, secretMap{"env:OLD": {"old"}}
		c.Sources = sourceMap{"s": {SourceId: "s", Name: "s", Verification: v}}
	})
	send := func(secret string) int {
		return d.do(call{path: "/hooks/s", body: "{}", headers: map[string]string{"X-Sign": hex.EncodeToString(sign(secret, "{}"))}}).StatusCode
	}
	if got := []int{send("old"), send("new")}; !cmp.Equal(got, []int{200, 503}) {
		t.Errorf("%v", got)
	}
	at.Set(doorTime.Add(time.Hour))
	if got := send("old"); got != 503 {
		t.Errorf("a secret that has ended: %d", got)
	}
}
