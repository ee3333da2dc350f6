package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hubSpotServer speaks as HubSpot's documentation of batch upserts says.
type hubSpotServer struct {
	t       *testing.T
	records map[string]map[string]string
	ids     map[string]string
	calls   int
	// refuse answers before anything is looked at.
	refuse func(w http.ResponseWriter) bool
}

func (s *hubSpotServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls++
	if s.refuse != nil && s.refuse(w) {
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/crm/objects/2026-03/contacts/batch/upsert" || r.Header.Get("Authorization") != "Bearer pat-1" || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("asked %s %s with %v", r.Method, r.URL.Path, slices.Sorted(maps.Keys(r.Header)))
	}
	var body struct {
		Inputs []struct {
			ID, IDProperty, ObjectWriteTraceID string
			Properties                         map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Inputs) > 100 {
		http.Error(w, `{"status":"error","message":"at most 100","category":"VALIDATION_ERROR"}`, http.StatusBadRequest)
		return
	}
	type result map[string]any
	answer := map[string]any{"status": "COMPLETE", "results": []result{}}
	var errs []result
	for _, in := range body.Inputs {
		if in.IDProperty != "baton_lead_id" {
			s.t.Errorf("matched by %q", in.IDProperty)
		}
		if strings.Contains(in.Properties["email"], " ") {
			errs = append(errs, result{"status": "error", "category": "VALIDATION_ERROR", "message": "Email address is invalid", "context": map[string][]string{"objectWriteTraceId": {in.ObjectWriteTraceID}}})
			continue
		}
		_, known := s.records[in.ID]
		if !known {
			s.records[in.ID], s.ids[in.ID] = map[string]string{}, fmt.Sprint(1000+len(s.ids))
		}
		maps.Copy(s.records[in.ID], in.Properties)
		answer["results"] = append(answer["results"].([]result), result{"id": s.ids[in.ID], "new": !known, "objectWriteTraceId": in.ObjectWriteTraceID, "properties": in.Properties})
	}
	if len(errs) > 0 {
		answer["errors"], answer["numErrors"] = errs, len(errs)
		w.WriteHeader(http.StatusMultiStatus)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func TestHubSpot(t *testing.T) {
	s := &hubSpotServer{t: t, records: map[string]map[string]string{}, ids: map[string]string{}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	crm := &HubSpot{Client: srv.Client(), URL: srv.URL, Token: "pat-1", IDProperty: "baton_lead_id"}
	rows, err := crm.Upsert(t.Context(), []Record{
		{ExternalID: "l1", Fields: []Field{{"email", "ana@acme.example"}, {"company", "Acme"}, {"phone", ""}}},
		{ExternalID: "l2", Fields: []Field{{"email", "not an address"}}},
		{ExternalID: "l3", Fields: []Field{{"email", "ben@acme.example"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{{RecordID: "1000", Created: true}, {Fault: "VALIDATION_ERROR"}, {RecordID: "1001", Created: true}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	// Written again: the same record, and what is unknown clears nothing.
	s.records["l1"]["phone"] = "+49 30 1"
	rows, err = crm.Upsert(t.Context(), []Record{{ExternalID: "l1", Fields: []Field{{"hubspot_owner", "7"}, {"phone", ""}}}})
	if err != nil || rows[0] != (Row{RecordID: "1000"}) {
		t.Error(rows, err)
	}
	if diff := cmp.Diff(map[string]string{"email": "ana@acme.example", "company": "Acme", "hubspot_owner": "7", "phone": "+49 30 1"}, s.records["l1"]); diff != "" {
		t.Error(diff)
	}
	if got := (&HubSpot{}).Batch(); got != 100 {
		t.Errorf("a batch of %d", got)
	}
}

// What nothing is said of was not written, whatever the status says.
func TestHubSpotRowsWithoutAnAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"COMPLETE","results":[]}`)
	}))
	defer srv.Close()
	rows, err := (&HubSpot{Client: srv.Client(), URL: srv.URL, IDProperty: "baton_lead_id"}).Upsert(t.Context(), []Record{{ExternalID: "l1"}})
	if err != nil || rows[0].RecordID != "" || rows[0].Fault == "" || !rows[0].Again {
		t.Error(rows, err)
	}
}

func TestCRMCallsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  string
		body   string
		want   outcome
	}{
		"too many":       {status: 429, after: "10", want: outcome{fault: faultStatus, status: 429, after: 10 * time.Second}},
		"token ran out":  {status: 401, want: outcome{fault: faultStatus, status: 401}},
		"wrong request":  {status: 400, want: outcome{fault: faultStatus, status: 400, final: true}},
		"their trouble":  {status: 503, want: outcome{fault: faultStatus, status: 503}},
		"sent elsewhere": {status: 302, want: outcome{fault: faultRedirect, status: 302, final: true}},
		"no JSON":        {status: 200, body: "<html>", want: outcome{fault: faultUnreadable, status: 200}},
		"endless":        {status: 200, body: `"` + strings.Repeat("a", crmAnswerMost+1), want: outcome{fault: faultUnreadable, status: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				if c.status == 302 {
					w.Header().Set("Location", "http://127.0.0.1:1/")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer srv.Close()
			client := srv.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for _, crm := range []CRM{&HubSpot{Client: client, URL: srv.URL}, &Salesforce{Client: client, URL: srv.URL, Object: "Lead", IDField: "Baton_Lead_Id__c"}} {
				_, err := crm.Upsert(t.Context(), []Record{{ExternalID: "l1"}})
				var failed *failedCall
				if !errors.As(err, &failed) || failed.outcome != c.want {
					t.Errorf("%T: %+v, want %+v", crm, err, c.want)
				}
			}
		})
	}
}

// salesforceServer speaks as Salesforce's documentation of sObject collections says.
type salesforceServer struct {
	t       *testing.T
	token   string
	signIns int
	records map[string]map[string]any
	order   []string
}

func (s *salesforceServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/services/oauth2/token" {
		s.signIns++
		if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" || r.PostForm.Get("client_id") != "app" || r.PostForm.Get("client_secret") != "shh" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		s.token = fmt.Sprintf("00D-%d", s.signIns)
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": s.token, "token_type": "Bearer"})
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, `[{"errorCode":"INVALID_SESSION_ID"}]`, http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPatch || r.URL.Path != "/services/data/v62.0/composite/sobjects/Lead/Baton_Lead_Id__c" {
		s.t.Errorf("asked %s %s", r.Method, r.URL.Path)
	}
	var body struct {
		AllOrNone *bool
		Records   []map[string]any
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.AllOrNone == nil || *body.AllOrNone || len(body.Records) > 200 {
		http.Error(w, `[{"errorCode":"JSON_PARSER_ERROR"}]`, http.StatusBadRequest)
		return
	}
	var out []map[string]any
	for _, one := range body.Records {
		if diff := cmp.Diff(map[string]any{"type": "Lead"}, one["attributes"]); diff != "" {
			s.t.Error(diff)
		}
		delete(one, "attributes")
		id := one["Baton_Lead_Id__c"].(string)
		known := s.records[id] != nil
		switch {
		case one["LastName"] == nil && !known:
			out = append(out, map[string]any{"success": false, "errors": []map[string]any{{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": []string{"LastName"}}}})
			continue
		case one["LastName"] == "Locked":
			out = append(out, map[string]any{"success": false, "errors": []map[string]any{{"statusCode": "UNABLE_TO_LOCK_ROW"}}})
			continue
		case !known:
			s.records[id] = map[string]any{}
			s.order = append(s.order, id)
		}
		maps.Copy(s.records[id], one)
		out = append(out, map[string]any{"id": fmt.Sprintf("00Q%d", slices.Index(s.order, id)), "success": true, "created": !known, "errors": []any{}})
	}
	_ = json.NewEncoder(w).Encode(out)
}

func TestSalesforce(t *testing.T) {
	s := &salesforceServer{t: t, records: map[string]map[string]any{}}
	srv := httptest.NewServer(s)
	defer srv.Close()
	crm := &Salesforce{Client: srv.Client(), URL: srv.URL, ClientID: "app", ClientSecret: "shh", Object: "Lead", IDField: "Baton_Lead_Id__c"}
	rows, err := crm.Upsert(t.Context(), []Record{
		{ExternalID: "l1", Fields: []Field{{"LastName", "Lund"}, {"Company", "Acme"}}},
		{ExternalID: "l2", Fields: []Field{{"Company", "Globex"}, {"LastName", ""}}},
		{ExternalID: "l3", Fields: []Field{{"LastName", "Locked"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{{RecordID: "00Q0", Created: true}, {Fault: "REQUIRED_FIELD_MISSING"}, {Fault: "UNABLE_TO_LOCK_ROW", Again: true}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	// The token runs out: one more sign-in, and the same record is found by its id.
	s.token = "another"
	rows, err = crm.Upsert(t.Context(), []Record{{ExternalID: "l1", Fields: []Field{{"Status", "Working"}}}})
	if err != nil || rows[0] != (Row{RecordID: "00Q0"}) || s.signIns != 2 {
		t.Error(rows, err, s.signIns)
	}
	// A wrong secret is said, and not tried for ever within one call.
	wrong := &Salesforce{Client: srv.Client(), URL: srv.URL, ClientID: "app", ClientSecret: "no", Object: "Lead", IDField: "Baton_Lead_Id__c"}
	var failed *failedCall
	if _, err := wrong.Upsert(t.Context(), []Record{{ExternalID: "l1"}}); !errors.As(err, &failed) || failed.status != http.StatusUnauthorized || s.signIns != 3 {
		t.Error(err, s.signIns)
	}
	if got := crm.Batch(); got != 200 {
		t.Errorf("a batch of %d", got)
	}
}
