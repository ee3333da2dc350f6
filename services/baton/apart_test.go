package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// seededKeys makes a key folder, so that two systems give the same leads the
// same ids. copyKeys copies it before either has used it.
func seededKeys(t *testing.T) string {
	t.Helper()
	h := start(t, Config{})
	h.stop()
	return h.cfg.Keys
}

func copyKeys(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "keys")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// apart runs each service as its own process would: its own directory and its
// own connection, one clock and one folder of keys.
func apart(t *testing.T, keys string, time clock.Clock) *house {
	t.Helper()
	root := t.TempDir()
	one := func(data string, cfg Config) *house {
		cfg.Data, cfg.Keys, cfg.clock = filepath.Join(root, data), keys, time
		if cfg.HTTP == "" {
			cfg.HTTP = "-"
		}
		return start(t, cfg)
	}
	front := one("intake", Config{Services: []string{"intake"}, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:-1"})
	url := front.App.log.Address()
	qualifies := one("qualification", Config{Services: []string{"qualification"}, NATSURL: url})
	routes := one("routing", Config{Services: []string{"routing"}, NATSURL: url})
	tells := one("delivery", Config{Services: []string{"delivery"}, NATSURL: url, Peers: []string{"routing=" + routes.GRPCAddr}})
	keeps := one("rest", Config{Services: []string{"feedback", "audit", "agreement"}, NATSURL: url})
	shows := one("console", Config{Services: []string{"console"}, NATSURL: url, Peers: []string{
		"intake=" + front.GRPCAddr, "qualification=" + qualifies.GRPCAddr, "routing=" + routes.GRPCAddr,
		"feedback=" + keeps.GRPCAddr, "audit=" + keeps.GRPCAddr, "agreement=" + keeps.GRPCAddr,
		"delivery=" + tells.GRPCAddr,
	}})
	conn, err := shows.peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	front.conn = conn
	front.parts = []*App{front.App, qualifies.App, routes.App, tells.App, keeps.App}
	front.ConsoleAddr = shows.ConsoleAddr
	return front
}

// story is what became of each lead, by the name that its sender gave it: what
// happened in which order, at which stage, why, and with whom.
type story map[string][]string

// performance is a fixed play: leads of every kind, come before and after the
// agreement; people who take, decline, sleep, go away and call.
func performance(t *testing.T, h *house, document []byte) story {
	t.Helper()
	ids := h.ids
	var order []string
	send := func(n int, change func(form map[string][]string)) {
		key := fmt.Sprintf("lead-%02d", n)
		form := filled(n)
		if change != nil {
			change(form)
		}
		if ids[key] == "" {
			order = append(order, key)
		}
		h.submit(key, form)
		// Between leads that come at once there is no order: one is looked at before
		// the other, and takes the place. So they come one after the other.
		h.settle()
	}
	set := func(name, value string) func(map[string][]string) {
		return func(form map[string][]string) { form[name] = []string{value} }
	}
	for n := range 4 {
		send(n, nil)
	}
	h.team("ana", "ben", "chloe", "dan")
	// Little room, so that some wait in line.
	h.agree(bytes.Replace(document, []byte("capacity: 50"), []byte("capacity: 3"), 1))
	h.settle()
	for n := 4; n < 16; n++ {
		switch n {
		case 6:
			send(n, set("employees", "2400"))
		case 8:
			send(n, set("country", "US"))
		case 9:
			send(n, set("contact_me", "content only"))
		case 11:
			send(n, set("_gotcha", "http://buy.example"))
		case 13:
			send(4, nil)                     // a repeat
			send(5, set("employees", "900")) // a conflict
			send(n, nil)
		default:
			send(n, nil)
		}
	}
	people := routingv1.NewRoutingServiceClient(h.conn)
	calls := qualificationv1.NewQualificationServiceClient(h.conn)
	away := func(who string, is bool) {
		must[*routingv1.Member](t)(people.SetAvailability(h.as(who), &routingv1.SetAvailabilityRequest{Away: is}))
		h.settle()
	}
	away("ben", true)
	answered := 0
	for _, key := range order {
		who := h.lead(ids[key]).GetOfferedTo()
		if who == "" {
			continue
		}
		answered++
		switch answered % 4 {
		case 0:
			must[*routingv1.RejectResponse](t)(people.Reject(h.as(who), &routingv1.RejectRequest{LeadId: ids[key], Reason: "no-time"}))
		case 1:
			must[*routingv1.AcceptResponse](t)(people.Accept(h.as(who), &routingv1.AcceptRequest{LeadId: ids[key]}))
		case 2:
			must[*routingv1.RejectResponse](t)(people.Reject(h.as(who), &routingv1.RejectRequest{LeadId: ids[key], Reason: "no-fit"}))
		}
		h.settle()
	}
	away("ben", false)
	h.forward(3 * time.Hour)
	called := 0
	for _, key := range order {
		lead := h.lead(ids[key])
		if lead.GetState() != leadv1.State_STATE_ACCEPTED {
			continue
		}
		called++
		horizon := int64(3 * called)
		must[*qualificationv1.RecordCallResponse](t)(calls.RecordCall(h.as(lead.GetOwner()), &qualificationv1.RecordCallRequest{
			LeadId: lead.GetLeadId(), IdempotencyKey: "call", Reached: true, FitConfirmed: called != 2, HorizonMonths: &horizon,
		}))
		h.settle()
		if called == 1 && h.lead(ids[key]).GetState() == leadv1.State_STATE_ACCEPTED {
			must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(lead.GetOwner()), &feedbackv1.RecordOutcomeRequest{
				LeadId: lead.GetLeadId(), IdempotencyKey: "close", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 100, Currency: "EUR",
			}))
			h.settle()
		}
	}
	h.forward(22 * time.Hour)

	out := story{}
	for _, key := range order {
		out[key] = h.tale(ids[key])
	}
	return out
}

// forward moves the clock from one thing that falls due to the next, where the
// clock is ours to move.
func (h *house) forward(by time.Duration) {
	h.t.Helper()
	if h.still {
		return
	}
	end := h.time.Now().Add(by)
	for {
		next, ok := h.time.Next()
		if !ok || next.After(end) {
			h.time.Set(end)
			h.settle()
			return
		}
		h.time.Set(next)
		h.settle()
	}
}

// tale tells one lead's events in order: type, stage, reason, people.
func (h *house) tale(id string) (lines []string) {
	h.t.Helper()
	for _, e := range must[*leadv1.GetHistoryResponse](h.t)(leadv1.NewLeadServiceClient(h.conn).GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: id})).GetEntries() {
		line := []string{e.GetType()[strings.LastIndex(e.GetType(), ".")+1:]}
		for _, name := range []string{"stage", "reason", "rule", "blockedBy", "consequence", "kind", "pool", "member", "offer", "turnNumber"} {
			if value := field(h.t, e.GetJson(), name); value != "" {
				line = append(line, name+"="+value)
			}
		}
		lines = append(lines, strings.Join(append(line, "by "+e.GetActor()), " "))
	}
	return lines
}

// field reads one field of an event's JSON as text; empty = it is not there.
func field(t *testing.T, text, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	if fields[name] == nil {
		return ""
	}
	return fmt.Sprint(fields[name])
}

func TestApartIsTheSame(t *testing.T) {
	keys := seededKeys(t)
	one := start(t, Config{Keys: copyKeys(t, keys)})
	together := performance(t, one, one.document())
	whole(t, one)
	one.stop()

	many := apart(t, copyKeys(t, keys), clock.NewVirtual(monday))
	same(t, "what became of each lead, in processes apart and in one", performance(t, many, many.document()), together)
	result := whole(t, many)
	if result.Decisions < 50 {
		t.Errorf("only %d decisions were derived again", result.Decisions)
	}

	// The play is worth something: everything that can happen to a lead did.
	all := fmt.Sprint(together)
	for _, what := range []string{"QualificationHeld", "LeadRefused", "LeadNurtured", "LeadQueued", "LeadOffered", "OfferAccepted", "OfferRejected", "OfferTimedOut", "CallRecorded", "STAGE_SAL", "STAGE_SQL", "SubmissionRepeated", "SubmissionRevised", "OutcomeRecorded", "blockedBy=full", "pool=large-companies"} {
		if !strings.Contains(all, what) {
			t.Errorf("nothing in the play leads to %s:\n%s", what, together.String())
		}
	}

	// The pages of a process that holds nothing show what the others hold.
	for path, want := range map[string][]string{
		"/":                             {"everything-else"},
		"/leads/" + many.ids["lead-00"]: {many.ids["lead-00"], "Received from web"},
		"/leads":                        {many.ids["lead-15"]},
		"/reports/funnel":               {"received"},
		"/agreement":                    {"Lead agreement between marketing and sales"},
	} {
		page := many.page(path)
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("the page %s does not show %q:\n%s", path, text, page)
			}
		}
	}
	status := must[*feedbackv1.GetStatusResponse](t)(feedbackv1.NewReportServiceClient(many.conn).GetStatus(many.as(""), &feedbackv1.GetStatusRequest{}))
	same(t, "what is not worked yet", []uint64{status.GetIntakePending(), status.GetQualificationPending(), status.GetRoutingPending()}, []uint64{0, 0, 0})
}

// page reads a page of the console as the operator.
func (h *house) page(path string) string {
	h.t.Helper()
	ask := func(method, path string, body url.Values, cookies []*http.Cookie) *http.Response {
		req, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.ConsoleAddr+path, strings.NewReader(body.Encode()))
		if err != nil {
			h.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			req.AddCookie(c)
		}
		resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
		if err != nil {
			h.t.Fatal(err)
		}
		return resp
	}
	signed := ask(http.MethodPost, "/signin", url.Values{"token": {h.admin}}, nil)
	_ = signed.Body.Close()
	same(h.t, "signing in", signed.StatusCode, http.StatusSeeOther)
	resp := ask(http.MethodGet, path, nil, signed.Cookies())
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	same(h.t, "the page "+path, resp.StatusCode, http.StatusOK)
	return string(text)
}

func (s story) String() string {
	var b strings.Builder
	for n := range len(s) {
		key := fmt.Sprintf("lead-%02d", n)
		fmt.Fprintf(&b, "%s\n  %s\n", key, strings.Join(s[key], "\n  "))
	}
	return b.String()
}
