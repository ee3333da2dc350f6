package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"

	contracts "github.com/leadbaton/baton/proto"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

// method is one method of a contract and its address in REST.
type method struct {
	full       string // as gRPC names it
	desc       protoreflect.MethodDescriptor
	verb, path string
}

// methods are all methods of all our services. One without an address, or
// without somebody who may call it, is a fault.
func methods(t *testing.T) (out []method) {
	t.Helper()
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "baton.") {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				desc := service.Methods().Get(j)
				m := method{full: fmt.Sprintf("/%s/%s", service.FullName(), desc.Name()), desc: desc}
				rule, _ := proto.GetExtension(desc.Options(), annotations.E_Http).(*annotations.HttpRule)
				switch at := rule.GetPattern().(type) {
				case *annotations.HttpRule_Get:
					m.verb, m.path = http.MethodGet, at.Get
				case *annotations.HttpRule_Post:
					m.verb, m.path = http.MethodPost, at.Post
				case *annotations.HttpRule_Patch:
					m.verb, m.path = http.MethodPatch, at.Patch
				default:
					t.Errorf("%s has no address in REST", m.full)
					continue
				}
				if access.Policy[m.full] == nil {
					t.Errorf("%s may be called by nobody", m.full)
				}
				out = append(out, m)
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b method) int { return strings.Compare(a.full, b.full) })
	if len(out) < 40 {
		t.Fatalf("found %d methods only: this test looks in the wrong place", len(out))
	}
	return out
}

var pathField = regexp.MustCompile(`\{([a-z_]+)\}`)

// example is the least request that an address can carry: the fields in it.
func (m method) example(t *testing.T, values map[string]string) (proto.Message, string) {
	t.Helper()
	fields := map[string]string{}
	path := pathField.ReplaceAllStringFunc(m.path, func(field string) string {
		name := field[1 : len(field)-1]
		if values[name] == "" {
			t.Fatalf("%s: no example for %s", m.full, name)
		}
		fields[name] = values[name]
		return values[name]
	})
	req := newMessage(t, m.desc.Input())
	if err := protojson.Unmarshal(must[[]byte](t)(json.Marshal(fields)), req); err != nil {
		t.Fatalf("%s: %v", m.full, err)
	}
	return req, path
}

func newMessage(t *testing.T, desc protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	return must[protoreflect.MessageType](t)(protoregistry.GlobalTypes.FindMessageByName(desc.FullName())).New().Interface()
}

// rest asks the console's address.
func (h *house) rest(ctx context.Context, verb, path, token, body string) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, verb, "http://"+h.ConsoleAddr+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(said)}
}

// failure is a fault as REST tells it.
type failure struct {
	Code    int               `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

func failed(t *testing.T, r reply) (f failure) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &f); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return f
}

// restStatus is what a gRPC code is in HTTP.
var restStatus = map[int]int{0: 200, 3: 400, 5: 404, 7: 403, 8: 429, 9: 400, 10: 409, 12: 501, 14: 503, 16: 401}

// Every method has an address, and answers there what it answers by gRPC.
func TestRESTIsTheContracts(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	id := h.submit("rest-1", filled(1))
	h.settle()
	must[any](t)(h.log.Checkpoint(t.Context()))
	values := map[string]string{
		"lead_id": id, "source": "web", "name": "web", "version": "1", "model": "1", "stream": "LEDGER", "sequence": "1", "report": "funnel",
		"member": "ana", "person_id": h.lead(id).GetPersonId(), "into_id": "p1", "from_id": "p2", "other_id": "p3",
		"batch_id": "b1", "channel": "console", "notice_id": id + "-n",
		"quarter":    "2026-q1",
		"month":      "2026-02",
		"ride_id":    "r1",
		"view":       "v_leads",
		"dispute_id": h.wrongData(id),
	}
	answered := 0
	served := h.server.GetServiceInfo()
	for _, m := range methods(t) {
		if _, ok := served[string(m.desc.Parent().FullName())]; !ok {
			continue // nothing to compare with; its address is checked all the same
		}
		req, path := m.example(t, values)
		body := ""
		if m.verb != http.MethodGet {
			body = "{}"
		}
		none := h.rest(t.Context(), m.verb, path, "", body)
		if none.status != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d %s", m.verb, path, none.status, none.body)
		}
		if m.desc.IsStreamingServer() {
			continue // below
		}
		same(t, m.full+" asks for", none.header.Get("WWW-Authenticate"), "Bearer")
		// Not by ana, who is deactivated on the way.
		denied := access.Allowed(access.Actor{Handle: "ben", Roles: []string{access.Sales, access.Qualifier}}, m.full) != nil
		if denied {
			if got := h.rest(t.Context(), m.verb, path, h.tokens["ben"], body); got.status != http.StatusForbidden {
				t.Errorf("%s %s by somebody who may not: %d %s", m.verb, path, got.status, got.body)
			}
		}
		want := newMessage(t, m.desc.Output())
		err := h.conn.Invoke(h.as(""), m.full, req, want)
		got := h.rest(t.Context(), m.verb, path, h.admin, body)
		s := status.Convert(err)
		if got.status != restStatus[int(s.Code())] || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s, by gRPC %v", m.verb, path, got.status, got.body, s)
			continue
		}
		if err != nil {
			f := failed(t, got)
			same(t, m.full, []any{f.Code, f.Message, len(f.Details)}, []any{int(s.Code()), s.Message(), len(s.Details())})
			continue
		}
		if m.verb != http.MethodGet {
			continue
		}
		answer := newMessage(t, m.desc.Output())
		if err := protojson.Unmarshal([]byte(got.body), answer); err != nil {
			t.Errorf("%s: %v in %s", m.full, err, got.body)
		}
		if diff := cmp.Diff(want, answer, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-gRPC +REST):\n%s", m.full, diff)
		}
		answered++
	}
	if answered < 12 {
		t.Errorf("only %d methods answered anything but a fault", answered)
	}
}

func TestRESTFaults(t *testing.T) {
	h := start(t, Config{})
	const canary = "canary@person.example"
	for name, c := range map[string]struct {
		verb, path, body string
		status           int
		message          string
	}{
		"no such address": {"GET", "/api/v1/nothing", "", 404, "there is nothing at this address; /api/openapi.json shows what there is"},
		"another method":  {"DELETE", "/api/v1/leads/x", "", 405, "this address does not take DELETE; the header Allow says what it takes"},
		"no such lead":    {"GET", "/api/v1/leads/x", "", 404, ""},
		"not JSON":        {"POST", "/api/v1/sources/web/submissions", canary, 400, "the request is not what this call takes; /api/openapi.json shows what there is"},
		"unknown member":  {"POST", "/api/v1/sources/web/submissions", `{"` + canary + `":1}`, 400, "the request is not what this call takes at line 1:2; /api/openapi.json shows what there is"},
		"wrong type":      {"POST", "/api/v1/sources/web/submissions", `{"submission":{"test":"` + canary + `"}}`, 400, "the request is not what this call takes at line 1:23; /api/openapi.json shows what there is"},
		"wrong number":    {"GET", "/api/v1/agreements/" + canary, "", 400, "the request is not what this call takes in version; /api/openapi.json shows what there is"},
		"wrong query":     {"GET", "/api/v1/leads?page_size=" + canary, "", 400, "the request is not what this call takes in page_size; /api/openapi.json shows what there is"},
		"broken contract": {"POST", "/api/v1/sources/web/submissions", `{"submission":{}}`, 400, ""},
		"too long":        {"POST", "/api/v1/sources/web/submissions", `{"idempotencyKey":"` + strings.Repeat("x", 17<<20) + `"}`, 413, "the request is longer than 16 MiB; send less at once"},
	} {
		got := h.rest(t.Context(), c.verb, c.path, h.admin, c.body)
		f := failed(t, got)
		if got.status != c.status || c.message != "" && f.Message != c.message || f.Message == "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if strings.Contains(got.body, canary) {
			t.Errorf("%s repeats what was sent: %s", name, got.body)
		}
	}
	for path, want := range map[string]string{"/api/v1/leads/x": "GET", "/api/v1/sources": "GET, POST", "/api/v1/sources/web": "GET, PATCH", "/api/v1/sources/web/submissions": "POST"} {
		req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "LOCK", "http://"+h.ConsoleAddr+path, http.NoBody))
		resp := must[*http.Response](t)(http.DefaultClient.Do(req))
		_ = resp.Body.Close()
		same(t, "what "+path+" takes", []string{resp.Status[:3], resp.Header.Get("Allow")}, []string{"405", want})
	}
	broken := failed(t, h.rest(t.Context(), "POST", "/api/v1/sources/web/submissions", h.admin, `{"submission":{}}`))
	if len(broken.Details) != 2 || !strings.Contains(string(broken.Details[1]), `"idempotency_key"`) {
		t.Errorf("what breaks the contract is not named: %+v", broken)
	}
	// A header of the caller's never becomes a word between services.
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.ConsoleAddr+"/api/v1/status", http.NoBody))
	req.Header.Set("Grpc-Metadata-Authorization", "Bearer "+h.admin)
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	_ = resp.Body.Close()
	same(t, "a token in another header", resp.StatusCode, http.StatusUnauthorized)
}

func TestRESTStreams(t *testing.T) {
	h := start(t, Config{})
	id := h.submit("rest-1", filled(1))
	h.settle()

	// A stream that ends by itself.
	got := h.rest(t.Context(), "GET", "/api/v1/streams/LEDGER/records", h.admin, "")
	records := strings.Split(strings.TrimSpace(got.body), "\n")
	same(t, "records", uint64(len(records)), must[uint64](t)(h.log.Last(t.Context(), "LEDGER")))

	// One that goes on: its lines come as things happen.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.ConsoleAddr+"/api/v1/events:watch?from_sequence=1", http.NoBody))
	req.Header.Set("Authorization", "Bearer "+h.admin)
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	in := json.NewDecoder(resp.Body)
	next := func() *leadv1.HistoryEntry {
		t.Helper()
		var line struct {
			Result json.RawMessage `json:"result"`
		}
		if err := in.Decode(&line); err != nil {
			t.Fatal(err)
		}
		entry := &leadv1.HistoryEntry{}
		if err := protojson.Unmarshal(line.Result, entry); err != nil {
			t.Fatalf("%v in %s", err, line.Result)
		}
		return entry
	}
	for next().GetLeadId() != id {
	}
	other := h.submit("rest-2", filled(2))
	for next().GetLeadId() != other {
	}

	// Submissions as lines, answered while more come; what cannot be read is
	// told by its line.
	pr, pw := io.Pipe()
	req = must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.ConsoleAddr+"/api/v1/submissions:batch", pr))
	req.Header.Set("Authorization", "Bearer "+h.admin)
	sent := make(chan error, 1)
	answered := make(chan struct{})
	line := func(n int) string {
		return string(must[[]byte](t)(protojson.Marshal(&intakev1.SubmitBatchRequest{Index: int64(n), Item: numbered(n)}))) + "\n"
	}
	go func() {
		_, err := io.WriteString(pw, line(1)+"{\"item\": canary@person.example}\n\n"+line(2))
		if err == nil {
			<-answered // the first answers do not wait for the end
			_, err = io.WriteString(pw, line(3))
		}
		_ = pw.Close()
		sent <- err
	}()
	resp = must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	same(t, "kind of answer", resp.Header.Get("Content-Type"), "application/x-ndjson")
	in = json.NewDecoder(resp.Body)
	said := map[string]bool{}
	for range 3 {
		said[oneLine(t, in)] = true
	}
	close(answered)
	said[oneLine(t, in)] = true
	same(t, "answers", said, map[string]bool{
		"1 kept": true, "2 kept": true, "3 kept": true, "line 2 is not a submission as this call takes it; /api/openapi.json shows it": true,
	})
	var more json.RawMessage
	if err := in.Decode(&more); err != io.EOF {
		t.Errorf("after the last answer: %v %s", err, more)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}

	// Refused at once, although the sender goes on for ever.
	pr, pw = io.Pipe()
	defer pw.Close()
	req = must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.ConsoleAddr+"/api/v1/submissions:batch", pr))
	resp = must[*http.Response](t)(http.DefaultClient.Do(req))
	_ = resp.Body.Close()
	same(t, "a stream without a token", resp.StatusCode, http.StatusUnauthorized)
}

// oneLine reads one answer of a stream of submissions.
func oneLine(t *testing.T, in *json.Decoder) string {
	t.Helper()
	var line struct {
		Result *struct {
			Index    string `json:"index"`
			Accepted *struct {
				LeadID string `json:"leadId"`
			} `json:"accepted"`
		} `json:"result"`
		Error *failure `json:"error"`
	}
	if err := in.Decode(&line); err != nil {
		t.Fatal(err)
	}
	switch {
	case line.Error != nil:
		return line.Error.Message
	case line.Result.Accepted != nil && line.Result.Accepted.LeadID != "":
		return line.Result.Index + " kept"
	}
	return line.Result.Index + " refused"
}

func TestOpenAPIListsEveryMethod(t *testing.T) {
	h := start(t, Config{})
	got := h.rest(t.Context(), "GET", "/api/openapi.json", "", "")
	if got.status != http.StatusOK || !bytes.Equal([]byte(got.body), contracts.OpenAPI) {
		t.Fatalf("%d, %d bytes", got.status, len(got.body))
	}
	var doc struct {
		Swagger string `json:"swagger"`
		Paths   map[string]map[string]struct {
			Summary, Description, OperationID string
		} `json:"paths"`
		SecurityDefinitions map[string]any `json:"securityDefinitions"`
	}
	if err := json.Unmarshal(contracts.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	same(t, "version", doc.Swagger, "2.0")
	same(t, "how one signs in", len(doc.SecurityDefinitions), 1)
	listed := 0
	for _, operations := range doc.Paths {
		listed += len(operations)
	}
	all := methods(t)
	same(t, "operations", listed, len(all))
	camel := regexp.MustCompile(`_([a-z])`)
	for _, m := range all {
		path := pathField.ReplaceAllStringFunc(m.path, func(field string) string {
			return camel.ReplaceAllStringFunc(field, func(s string) string { return strings.ToUpper(s[1:]) })
		})
		o, ok := doc.Paths[path][strings.ToLower(m.verb)]
		if !ok || o.Summary == "" {
			t.Errorf("%s: %s %s is not described", m.full, m.verb, path)
		}
	}
}
