package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// customers is a customer system that speaks as HubSpot and as Salesforce document it.
type customers struct {
	*httptest.Server
	mu sync.Mutex
	// records by what the lead's id is, ids theirs there, calls how many records each
	// call held.
	records map[string]map[string]string
	ids     map[string]string
	calls   []int
	// before hears of each call that writes and may answer it, nth from 1.
	before func(w http.ResponseWriter, nth int) (answered bool)
	// refuse answers the code for a record that is not taken; empty = it is.
	refuse func(fields map[string]string) string
}

func openCustomers(t *testing.T) *customers {
	t.Helper()
	c := &customers{
		records: map[string]map[string]string{}, ids: map[string]string{},
		before: func(http.ResponseWriter, int) bool { return false }, refuse: func(map[string]string) string { return "" },
	}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *customers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in := r.Header.Get("Authorization")
	switch r.Method + " " + r.URL.Path {
	case "POST /services/oauth2/token":
		_ = r.ParseForm()
		if r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_id") != "app" || r.PostForm.Get("client_secret") != "hush:hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"signed-in"}`)
	case "GET /crm/objects/2026-03/contacts":
		if in != "Bearer pat-hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"results":[]}`)
	case "POST /crm/objects/2026-03/contacts/batch/upsert":
		var body struct {
			Inputs []struct {
				ID, IDProperty, ObjectWriteTraceID string
				Properties                         map[string]string
			}
		}
		if in != "Bearer pat-hush" || json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Inputs) > 100 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if c.came(w, len(body.Inputs)) {
			return
		}
		var results, errs []map[string]any
		for _, one := range body.Inputs {
			if one.IDProperty != "baton_lead_id" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			id, made, code := c.upsert(one.ID, one.Properties)
			if code != "" {
				errs = append(errs, map[string]any{"status": "error", "category": code, "message": "wrong: " + one.Properties["email"], "context": map[string][]string{"objectWriteTraceId": {one.ObjectWriteTraceID}}})
				continue
			}
			results = append(results, map[string]any{"id": id, "new": made, "objectWriteTraceId": one.ObjectWriteTraceID, "properties": one.Properties})
		}
		if len(errs) > 0 {
			w.WriteHeader(http.StatusMultiStatus)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "COMPLETE", "results": results, "errors": errs})
	case "PATCH /services/data/v62.0/composite/sobjects/Lead/Baton_Lead_Id__c":
		var body struct{ Records []map[string]any }
		if in != "Bearer signed-in" || json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Records) > 200 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if c.came(w, len(body.Records)) {
			return
		}
		out := []map[string]any{}
		for _, one := range body.Records {
			fields := map[string]string{}
			for name, value := range one {
				if text, ok := value.(string); ok && name != "Baton_Lead_Id__c" {
					fields[name] = text
				}
			}
			id, made, code := c.upsert(one["Baton_Lead_Id__c"].(string), fields)
			if code != "" {
				out = append(out, map[string]any{"success": false, "errors": []map[string]string{{"statusCode": code, "message": "wrong: " + fields["Email"]}}})
				continue
			}
			out = append(out, map[string]any{"id": id, "success": true, "created": made, "errors": []string{}})
		}
		_ = json.NewEncoder(w).Encode(out)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// came notes a call; before is asked outside of the lock.
func (c *customers) came(w http.ResponseWriter, records int) (answered bool) {
	c.mu.Lock()
	c.calls = append(c.calls, records)
	nth, before := len(c.calls), c.before
	c.mu.Unlock()
	return before(w, nth)
}

func (c *customers) upsert(id string, fields map[string]string) (record string, made bool, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code = c.refuse(fields); code != "" {
		return "", false, code
	}
	if made = c.records[id] == nil; made {
		c.records[id], c.ids[id] = map[string]string{}, fmt.Sprint(1001+len(c.ids))
	}
	maps.Copy(c.records[id], fields)
	return c.ids[id], made, ""
}

func (c *customers) sizes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

func (c *customers) held(id string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.records[id])
}

func (c *customers) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.records)
}

func (c *customers) turns(refuse func(map[string]string) string, before func(http.ResponseWriter, int) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refuse != nil {
		c.refuse = refuse
	}
	if before != nil {
		c.before = before
	}
}

// writes makes a channel to a customer system.
func (h *house) writes(name string, kind deliveryv1.ChannelKind, c *customers, fields map[string]string) {
	h.t.Helper()
	private, token := true, "pat-hush"
	if kind == deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE {
		token = "app:hush:hush"
	}
	must[*deliveryv1.SetChannelResponse](h.t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: name, Kind: kind, Url: c.URL, Token: token, PrivateNetwork: &private, Fields: fields}))
}

func (h *house) accept(id string) (who string) {
	h.t.Helper()
	who = h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](h.t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id}))
	return who
}

func (h *house) pause(channel string, on bool) {
	h.t.Helper()
	must[*deliveryv1.SetChannelResponse](h.t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: channel, Paused: &on}))
}

// tries are the attempts at a lead's notices of a channel, the oldest notice first:
// "given-up: VALIDATION_ERROR".
func (h *house) tries(id, channel string) (out []string) {
	h.t.Helper()
	list := must[*deliveryv1.ListNoticesResponse](h.t)(h.channels().ListNotices(h.as(""), &deliveryv1.ListNoticesRequest{LeadId: id, Channel: channel})).GetNotices()
	slices.Reverse(list)
	for _, n := range list {
		var faults []string
		for _, a := range n.GetAttempts() {
			faults = append(faults, a.GetFault())
		}
		out = append(out, strings.TrimSpace(n.GetState()+": "+strings.Join(faults, " ")))
	}
	return out
}

// wrote are the records of a lead on a channel as the log says it.
func (h *house) wrote(id, channel string) (out []string) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), "lead."+id)) {
		if b, ok := e.Body.(*leadv1.RecordWritten); ok && b.GetChannel() == channel {
			out = append(out, fmt.Sprintf("%s created=%v", b.GetRecordId(), b.GetCreated()))
		}
	}
	return out
}

const (
	hubspotKind    = deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT
	salesforceKind = deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE
)

// Goes red if: a lead that was qualified is not a record in both systems with what the
// map says, one that was not is, a move of the lead does not reach it, or anything
// personal stands in an event or in the log of the process.
func TestLeadsBecomeRecords(t *testing.T) {
	hub, force := openCustomers(t), openCustomers(t)
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	h.writes("force", salesforceKind, force, map[string]string{"LastName": "last_name", "Company": "company", "Email": "email", "LeadSource": "source", "Stage__c": "stage", "Owner__c": "owner", "Status": "state"})
	id := h.submit("r-1", filled(1))
	content := filled(2)
	content.Set("contact_me", "content only")
	never := h.submit("r-2", content)
	h.settle()
	same(t, "who asked for content only", h.lead(never).GetState(), leadv1.State_STATE_NURTURING)
	same(t, "HubSpot holds", hub.held(id), map[string]string{
		"email": "ada.1@maschinen.example", "firstname": "Ada", "lastname": "Example1", "company": "Maschinen AG", "jobtitle": "Head of Marketing",
	})
	same(t, "Salesforce holds", force.held(id), map[string]string{
		"Email": "ada.1@maschinen.example", "LastName": "Example1", "Company": "Maschinen AG", "LeadSource": "web", "Stage__c": "MQL", "Status": "offered",
	})
	who := h.accept(id)
	h.settle()
	same(t, "after it was taken", []string{force.held(id)["Owner__c"], force.held(id)["Status"]}, []string{who, "accepted"})
	same(t, "records", []int{hub.count(), force.count()}, []int{1, 1})
	said := h.wrote(id, "force")
	same(t, "the first word of it", said[0], "1001 created=true")
	same(t, "the last word of it", said[len(said)-1], "1001 created=false")
	same(t, "notices of who was never qualified", h.tries(never, "hub"), []string(nil))
	// What does not count is not written.
	before := len(hub.sizes())
	other := filled(1)
	other.Set("company", "Elsewhere AG")
	h.submit("r-1", other)
	h.settle()
	same(t, "the lead after another body came", h.lead(id).GetConflict(), true)
	same(t, "calls after another body came", len(hub.sizes()), before)

	var log strings.Builder
	if err := h.App.log.Read(t.Context(), ledger.StreamLedger, 1, h.App.log.Follower().Pos(), func(r *ledger.Record) error {
		log.Write(r.Body)
		return nil
	}, func(uint64, string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"ada.1@", "Example1", "hush"} {
		if strings.Contains(log.String(), personal) || strings.Contains(h.out.String(), personal) {
			t.Errorf("%q stands in the log", personal)
		}
	}
	has(t, h.sentencesOf(id, func(*leadv1.HistoryEntry) bool { return true }), "Channel hub is to hold the lead as it stands.", "A new record of it was written on channel hub.", "Its record on channel force was brought up to date.")
	whole(t, h)
}

// Goes red if: one bad record holds up the others, is tried for ever or is not listed with
// its code, one that may pass later is given up, or what was given up cannot be sent again.
func TestABadRecordIsListed(t *testing.T) {
	hub, force := openCustomers(t), openCustomers(t)
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	h.writes("force", salesforceKind, force, nil)
	h.pause("hub", true)
	h.pause("force", true)
	hub.turns(func(f map[string]string) string {
		if f["lastname"] == "Example2" {
			return "VALIDATION_ERROR"
		}
		return ""
	}, nil)
	force.turns(func(f map[string]string) string {
		if f["LastName"] == "Example3" {
			return "UNABLE_TO_LOCK_ROW"
		}
		return ""
	}, nil)
	ids := []string{h.submit("b-1", filled(1)), h.submit("b-2", filled(2)), h.submit("b-3", filled(3))}
	h.settle()
	h.pause("hub", false)
	h.pause("force", false)
	h.settle()
	same(t, "calls", [][]int{hub.sizes(), force.sizes()}, [][]int{{3}, {3}})
	same(t, "HubSpot", []any{h.tries(ids[0], "hub"), h.tries(ids[1], "hub"), h.tries(ids[2], "hub")}, []any{[]string{"delivered:"}, []string{"given-up: VALIDATION_ERROR"}, []string{"delivered:"}})
	same(t, "Salesforce", []any{h.tries(ids[0], "force"), h.tries(ids[1], "force"), h.tries(ids[2], "force")}, []any{[]string{"delivered:"}, []string{"delivered:"}, []string{"waiting: UNABLE_TO_LOCK_ROW"}})
	listed := ok(t, "notice", "list", "--channel", "hub", "--state", "given-up", "--server", h.GRPCAddr, "--token", h.admin)
	has(t, listed, "VALIDATION_ERROR", "record", ids[1])
	if strings.Contains(listed, "ada.") || strings.Count(listed, "\n") != 2 {
		t.Errorf("the list says:\n%s", listed)
	}
	// Both are mended there.
	nothing := func(map[string]string) string { return "" }
	hub.turns(nothing, nil)
	force.turns(nothing, nil)
	h.time.Set(monday.Add(70 * time.Second))
	h.settle()
	same(t, "what was tried again", h.tries(ids[2], "force"), []string{"delivered: UNABLE_TO_LOCK_ROW"})
	has(t, ok(t, "notice", "redeliver", strings.Fields(strings.Split(listed, "\n")[1])[0], "--server", h.GRPCAddr, "--token", h.admin), "It is waiting on hub.")
	h.settle()
	same(t, "what was sent again", []any{h.tries(ids[1], "hub"), hub.held(ids[1])["lastname"]}, []any{[]string{"delivered: VALIDATION_ERROR"}, "Example2"})
	whole(t, h)
}

// Goes red if: who asked for rest is called before it is over, for these records or for
// others.
func TestACustomerSystemIsLeftAlone(t *testing.T) {
	hub := openCustomers(t)
	hub.turns(nil, func(w http.ResponseWriter, nth int) bool {
		if nth == 1 {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return nth == 1
	})
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	h.pause("hub", true)
	first, second := h.submit("l-1", filled(1)), h.submit("l-2", filled(2))
	h.settle()
	h.pause("hub", false)
	h.settle()
	same(t, "both", [][]string{h.tries(first, "hub"), h.tries(second, "hub")}, [][]string{{"waiting: status"}, {"waiting: status"}})
	h.time.Set(monday.Add(9 * time.Minute))
	third := h.submit("l-3", filled(3))
	h.settle()
	same(t, "calls before the rest was over", hub.sizes(), []int{2})
	h.time.Set(monday.Add(10*time.Minute + time.Second))
	h.settle()
	same(t, "records after it", hub.count(), 3)
	same(t, "the last", h.tries(third, "hub"), []string{"delivered:"})
	same(t, "the first", h.tries(first, "hub"), []string{"delivered: status"})
	whole(t, h)
}

// Goes red if a process that is killed after the customer system wrote and before that
// was said makes a second record, or none.
func TestKilledBetweenWritingARecordAndSayingSo(t *testing.T) {
	hub := openCustomers(t)
	h := start(t, Config{})
	came, release := make(chan struct{}, 10), make(chan struct{})
	// The record is written, and the answer never heard.
	wrote := hub.Config.Handler
	hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(hub.sizes()) > 0 {
			wrote.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		wrote.ServeHTTP(rec, r)
		came <- struct{}{}
		<-release
	})
	h.team("ana", "ben")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	id := h.submit("k-1", filled(1))
	<-came
	same(t, "records there", hub.count(), 1)
	h.stop()
	close(release)
	h = start(t, Config{Data: h.cfg.Data, clock: h.time})
	h.settle()
	same(t, "records there", hub.count(), 1)
	if n := len(hub.sizes()); n < 2 {
		t.Errorf("%d calls", n)
	}
	said := h.wrote(id, "hub")
	if len(said) == 0 || said[0] != "1001 created=false" {
		t.Errorf("said %v", said)
	}
	for _, one := range h.tries(id, "hub") {
		same(t, "its notices", one, "delivered:")
	}
	whole(t, h)
}

// What happens to a lead while its record is on its way reaches the record too.
func TestALeadMovesWhileItIsWritten(t *testing.T) {
	force := openCustomers(t)
	came, release := make(chan struct{}, 10), make(chan struct{})
	force.turns(nil, func(_ http.ResponseWriter, nth int) bool {
		if nth == 1 {
			came <- struct{}{}
			<-release
		}
		return false
	})
	h := start(t, Config{})
	h.team("ana", "ben")
	h.agree(h.document())
	h.writes("force", salesforceKind, force, map[string]string{"LastName": "name", "Company": "company", "Owner__c": "owner"})
	h.pause("force", true)
	id := h.submit("w-1", filled(1))
	h.settle()
	h.pause("force", false)
	<-came
	who := h.accept(id)
	close(release)
	h.settle()
	same(t, "whose it is there", force.held(id)["Owner__c"], who)
	same(t, "calls", force.sizes(), []int{1, 1})
	same(t, "notices", h.tries(id, "force"), []string{"delivered:", "delivered:"})
	whole(t, h)
}

// 250 leads are three calls to one system and two to the other.
func TestManyRecordsAreFewCalls(t *testing.T) {
	hub, force := openCustomers(t), openCustomers(t)
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	h.writes("force", salesforceKind, force, nil)
	h.pause("hub", true)
	h.pause("force", true)
	ids := map[string]bool{}
	for n := range 250 {
		ids[h.submit(fmt.Sprintf("many-%d", n), filled(n))] = true
	}
	h.settle()
	h.pause("hub", false)
	h.pause("force", false)
	h.settle()
	same(t, "calls", [][]int{hub.sizes(), force.sizes()}, [][]int{{100, 100, 50}, {200, 50}})
	same(t, "leads and records", []int{len(ids), hub.count(), force.count()}, []int{250, 250, 250})
	for id := range ids {
		if hub.held(id)["email"] == "" || force.held(id)["Email"] != hub.held(id)["email"] {
			t.Errorf("%s is written as %v and %v", id, hub.held(id), force.held(id))
		}
	}
	whole(t, h)
}

// Who was erased is written nowhere any more, and holds up nobody.
func TestWhoWasErasedIsNotWritten(t *testing.T) {
	hub := openCustomers(t)
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.writes("hub", hubspotKind, hub, nil)
	h.pause("hub", true)
	gone, stays := h.submit("e-1", filled(1)), h.submit("e-2", filled(2))
	h.settle()
	h.erase(gone)
	h.pause("hub", false)
	h.settle()
	same(t, "who was erased", h.tries(gone, "hub"), []string{"given-up: gone"})
	same(t, "who was not", h.tries(stays, "hub"), []string{"delivered:"})
	same(t, "records", []any{hub.sizes(), hub.held(gone)}, []any{[]int{1}, map[string]string(nil)})
}

// erase destroys the key of a lead's personal data.
func (h *house) erase(id string) {
	h.t.Helper()
	key := ""
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), "lead."+id)) {
		if b, ok := e.Body.(*leadv1.LeadReceived); ok {
			key = b.GetPersonal().GetKeyId()
		}
	}
	db := must[*sql.DB](h.t)(sql.Open("sqlite", filepath.Join(h.cfg.Keys, "keys.db")+"?_pragma=busy_timeout(5000)"))
	defer db.Close()
	done := must[sql.Result](h.t)(db.ExecContext(h.t.Context(), "UPDATE data_keys SET wrapped = zeroblob(length(wrapped)), destroyed = 1 WHERE key_id = ?", key))
	if n, err := done.RowsAffected(); n != 1 || err != nil {
		h.t.Fatalf("%d keys were destroyed, %v", n, err)
	}
}

// The commands, against a running system.
func TestCustomerSystemsByCommand(t *testing.T) {
	hub := openCustomers(t)
	h := start(t, Config{})
	h.team("ana", "ben")
	h.agree(h.document())
	call := func(args ...string) []string { return append(args, "--server", h.GRPCAddr, "--token", h.admin) }
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	added := ok(t, call("channel", "add", "crm", "--kind", "hubspot", "--url", hub.URL, "--token-file", file("token", "pat-hush"), "--private-network", "--field", "email=email", "--field", "hs_stage=stage")...)
	has(t, added, "each lead as it stands", "Field email", "Field hs_stage", "Field baton_lead_id", "found again")
	has(t, ok(t, call("channel", "test", "crm")...), "It lets us in; nothing was written.")
	has(t, ok(t, call("channel", "add", "force", "--kind", "salesforce", "--url", hub.URL, "--token-file", file("secret", "app:hush:hush"), "--private-network")...), "Field LastName", "last_name", "Baton_Lead_Id__c", "Lead")
	has(t, ok(t, call("channel", "test", "force")...), "It lets us in; nothing was written.")
	same(t, "what a trial wrote", hub.sizes(), []int(nil))
	ok(t, call("channel", "change", "force", "--token-file", file("wrong", "app:other"))...)
	has(t, ok(t, call("channel", "test", "force")...), "not with a 2xx. (401)")
	ok(t, call("channel", "remove", "force")...)
	id := h.submit("c-1", filled(1))
	h.settle()
	same(t, "the record", hub.held(id), map[string]string{"email": "ada.1@maschinen.example", "hs_stage": "MQL"})
	has(t, ok(t, call("channel", "change", "crm", "--clear", "fields")...), "Field jobtitle")
	list := ok(t, call("channel", "list")...)
	has(t, list, "hubspot", "each lead as it stands")
	for _, text := range []string{added, list} {
		if strings.Contains(text, "hush") {
			t.Error("a token is shown")
		}
	}
	for name, req := range map[string]*deliveryv1.SetChannelRequest{
		"no token":        {Channel: "other", Kind: hubspotKind},
		"no address":      {Channel: "other", Kind: salesforceKind, Token: "a:b"},
		"half a token":    {Channel: "other", Kind: salesforceKind, Url: "https://acme.my.salesforce.com", Token: "a"},
		"no such fact":    {Channel: "other", Kind: hubspotKind, Token: "a", Fields: map[string]string{"x": "birthday"}},
		"no such field":   {Channel: "other", Kind: hubspotKind, Token: "a", Fields: map[string]string{"x/y": "email"}},
		"an object's way": {Channel: "other", Kind: salesforceKind, Url: "https://acme.my.salesforce.com", Token: "a:b", Object: "../Lead"},
	} {
		_, err := h.channels().SetChannel(h.as(""), req)
		if kind, _ := told(err); kind != fault.Invalid {
			t.Errorf("%s: %v", name, access.FaultOf(err))
		}
	}
	usual := must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: "usual", Kind: hubspotKind, Token: "a", Paused: new(bool)}))
	same(t, "HubSpot's own address", usual.GetChannel().GetSet().GetHost(), must[*url.URL](t)(url.Parse("https://api.hubapi.com")).Host)
}
