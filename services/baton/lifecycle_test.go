package main

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // one of the tools signs with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// toolSecret is what the tools of these tests sign with.
const toolSecret = "what only the tool knows"

func toolMAC(h func() hash.Hash, text string) []byte {
	mac := hmac.New(h, []byte(toolSecret))
	_, _ = mac.Write([]byte(text)) // a hash takes everything
	return mac.Sum(nil)
}

// toolHeaders sign a body as each tool does.
func toolHeaders(tool, body string, now time.Time) http.Header {
	switch tool {
	case "typeform":
		return http.Header{"Typeform-Signature": {"sha256=" + base64.StdEncoding.EncodeToString(toolMAC(sha256.New, body))}}
	case "meta":
		return http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(toolMAC(sha256.New, body))}}
	case "linkedin":
		return http.Header{"X-Li-Signature": {hex.EncodeToString(toolMAC(sha256.New, "hmacsha256="+body))}}
	case "calendly":
		at := fmt.Sprint(now.Unix())
		return http.Header{"Calendly-Webhook-Signature": {"t=" + at + ",v1=" + hex.EncodeToString(toolMAC(sha256.New, at+"."+body))}}
	case "surveymonkey":
		return http.Header{"Sm-Signature": {base64.StdEncoding.EncodeToString(toolMAC(sha1.New, body))}}
	case "hubspot":
		at := fmt.Sprint(now.UnixMilli())
		return http.Header{
			"X-Hubspot-Request-Timestamp": {at},
			"X-Hubspot-Signature-V3":      {base64.StdEncoding.EncodeToString(toolMAC(sha256.New, "POST"+"https://in.acme.example/hooks/hubspot"+body+at))},
		}
	}
	return nil
}

// tool is a source by a preset, signed where the preset signs.
func (h *house) tool(preset string, more *intakev1.SourceDeclared) {
	h.t.Helper()
	h.t.Setenv("TOOL_SECRET", toolSecret)
	more.Name, more.Preset = preset, preset
	if p := intake.PresetOf(preset); p.GetVerification() != nil {
		more.Verification = &intakev1.Verification{SecretRef: "env:TOOL_SECRET"}
	}
	h.add(more, false)
}

// send posts a body as the tool would, and wants it answered as it is stored.
func (h *house) send(tool, body string) {
	h.t.Helper()
	contentType := "application/json"
	if !strings.HasPrefix(body, "{") && !strings.HasPrefix(body, "[") {
		contentType = "application/x-www-form-urlencoded"
	}
	got := h.post(tool, contentType, []byte(body), toolHeaders(tool, body, h.time.Now()))
	if got.status != http.StatusOK || got.body != "{}" {
		h.t.Errorf("%s was answered %d %s", tool, got.status, got.body)
	}
}

// detailsOf asks a tool that stands on this machine and whose certificate nobody
// else trusts; all else is as it is outside of tests.
func detailsOf(tool *httptest.Server) *intake.Details {
	roots := x509.NewCertPool()
	roots.AddCert(tool.Certificate())
	return &intake.Details{Secrets: &intake.Secrets{Env: environ}, Loopback: true, Roots: roots}
}

// ignored are the reasons of what the log calls no submission.
func (h *house) ignored() (why []string) {
	h.t.Helper()
	for _, e := range h.events() {
		if b, ok := e.Body.(*intakev1.DeliveryIgnored); ok {
			why = append(why, b.GetWhy())
		}
	}
	return why
}

func calendlyInvitee(event, uri, old, question string) string {
	return calendlyMoved(event, uri, old, "", question)
}

// calendlyMoved is an invitee between the one before and the one after a move.
func calendlyMoved(event, uri, old, next, question string) string {
	for _, other := range []*string{&old, &next} {
		if *other == "" {
			*other = "null"
		} else {
			*other = `"` + *other + `"`
		}
	}
	return fmt.Sprintf(`{"event":%q,"created_at":"2026-03-02T08:00:00Z","payload":{"email":"ida@maschinen.example","name":"Ida Kern","uri":%q,"old_invitee":%s,"new_invitee":%s,"questions_and_answers":[{"question":"Company","answer":%q,"position":0}],"tracking":{"utm_source":null},"status":"active"}}`, event, uri, old, next, question)
}

func typeformAnswer(event, token, email string) string {
	return fmt.Sprintf(`{"event_id":"e1","event_type":%q,"form_response":{"form_id":"f1","token":%q,"submitted_at":"2026-03-02T08:00:00Z","definition":{"id":"f1","fields":[{"id":"q1","ref":"mail","type":"email","title":"Your e-mail?"}]},"answers":[{"type":"email","email":%q,"field":{"id":"q1","ref":"mail","type":"email"}}]}}`, event, token, email)
}

func googleLead(id string, test bool) string {
	return fmt.Sprintf(`{"lead_id":%q,"user_column_data":[{"column_name":"User Email","string_value":"g.%s@maschinen.example","column_id":"EMAIL"}],"api_version":"1.0","form_id":349080077126,"google_key":%q,"is_test":%t}`, id, id, toolSecret, test)
}

// What each tool sends over the life of a submission, in the shape in which it
// sends it: again, as a test, changed, taken back. One person's one submission
// stays one lead.
func TestLifecyclesOfTools(t *testing.T) {
	linkedIn := func(action string) string {
		return `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:li:leadGenFormResponse:7f-4","leadGenForm":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:1, 1)","leadType":"SPONSORED","leadAction":"` + action + `","occurredAt":1686182358881}`
	}
	survey := func(event string) string {
		return `{"name":"My Webhook","event_type":"` + event + `","event_id":"1","object_type":"response","object_id":"5512","resources":{"survey_id":"77"}}`
	}
	contact := func(kind string) string {
		return `[{"eventId":1,"subscriptionId":2,"portalId":62,"occurredAt":1772442000000,"subscriptionType":"` + kind + `","attemptNumber":0,"objectId":99,"appId":5}]`
	}
	meta := func(field string, ids ...string) string {
		changes := make([]string, len(ids))
		for i, id := range ids {
			changes[i] = fmt.Sprintf(`{"field":%q,"value":{"leadgen_id":%s,"page_id":9,"form_id":8,"created_time":1440120384}}`, field, id)
		}
		return `{"object":"page","entry":[{"id":153125381133,"time":1438292065,"changes":[` + strings.Join(changes, ",") + `]}]}`
	}
	details := func(path string) *intakev1.SourceDeclared {
		return &intakev1.SourceDeclared{Details: &intakev1.DetailsRead{Url: path, TokenRef: "env:TOOL_SECRET"}}
	}
	tests := []struct {
		name, tool string
		source     *intakev1.SourceDeclared // Details.Url is the path at the tool
		sent       []string
		tally      string
		ignored    []string
		// after is the tally once the details came, where they are read later.
		after string
		leads int
		// company is what the one lead says at the end; empty = nobody looks.
		company string
	}{
		{name: "typeform: again, and half an answer", tool: "typeform", sent: []string{
			typeformAnswer("form_response", "tok1", "ty@maschinen.example"), typeformAnswer("form_response", "tok1", "ty@maschinen.example"),
			typeformAnswer("form_response_partial", "tok2", "half@maschinen.example"),
		}, tally: "lead 1, repeat 1, ignored 1; 3", ignored: []string{"form_response_partial: the source does not take this kind of event"}, leads: 1},
		{
			name: "google: again, and its test", tool: "google-ads", sent: []string{googleLead("L1", false), googleLead("L1", false), googleLead("T1", true), googleLead("T1", true)},
			tally: "lead 1, repeat 2, test 1; 4", leads: 1,
		},
		{name: "salesforce: a form that tries", tool: "salesforce-web-to-lead", sent: []string{
			"oid=00D0&first_name=Ada&last_name=Kern&email=sf%40maschinen.example&company=Maschinen+AG&retURL=https%3A%2F%2Fwww.maschinen.example",
			"oid=00D0&first_name=Ada&last_name=Try&email=try%40maschinen.example&debug=1&debugEmail=dev%40maschinen.example",
		}, tally: "lead 1, test 1; 2", leads: 1},
		{name: "calendly: moved, then called off", tool: "calendly", sent: []string{
			calendlyInvitee("invitee.created", "https://c.example/i/A", "", "Maschinen AG"), calendlyInvitee("invitee.created", "https://c.example/i/A", "", "Maschinen AG"),
			calendlyInvitee("invitee.canceled", "https://c.example/i/A", "", "Maschinen AG"), calendlyInvitee("invitee.created", "https://c.example/i/B", "https://c.example/i/A", "Werkzeug AG"),
			calendlyInvitee("invitee.canceled", "https://c.example/i/B", "https://c.example/i/A", "Werkzeug AG"),
		}, tally: "lead 1, repeat 1, revision 1, ignored 2; 5", ignored: []string{
			"invitee.canceled: the event changes an earlier one and is no submission of its own", "invitee.canceled: the event changes an earlier one and is no submission of its own",
		}, leads: 1},
		{name: "calendly: moved twice", tool: "calendly", sent: []string{
			calendlyMoved("invitee.created", "https://c.example/i/A", "", "", "Maschinen AG"),
			calendlyMoved("invitee.created", "https://c.example/i/B", "https://c.example/i/A", "", "Werkzeug AG"), calendlyMoved("invitee.canceled", "https://c.example/i/A", "", "https://c.example/i/B", "Maschinen AG"),
			calendlyMoved("invitee.created", "https://c.example/i/C", "https://c.example/i/B", "", "Getriebe AG"), calendlyMoved("invitee.canceled", "https://c.example/i/B", "https://c.example/i/A", "https://c.example/i/C", "Werkzeug AG"),
			calendlyMoved("invitee.created", "https://c.example/i/B", "https://c.example/i/A", "", "Werkzeug AG"), // its retry comes last
		}, tally: "lead 1, repeat 1, revision 2, ignored 2; 6", ignored: []string{
			"invitee.canceled: the event changes an earlier one and is no submission of its own", "invitee.canceled: the event changes an earlier one and is no submission of its own",
		}, leads: 1, company: "Getriebe AG"},
		{name: "calendly: moved twice, and all of it the wrong way round", tool: "calendly", sent: []string{
			calendlyMoved("invitee.canceled", "https://c.example/i/B", "https://c.example/i/A", "https://c.example/i/C", "Werkzeug AG"),
			calendlyMoved("invitee.created", "https://c.example/i/C", "https://c.example/i/B", "", "Getriebe AG"),
			calendlyMoved("invitee.created", "https://c.example/i/B", "https://c.example/i/A", "", "Werkzeug AG"),
			calendlyMoved("invitee.created", "https://c.example/i/A", "", "", "Maschinen AG"),
		}, tally: "lead 1, repeat 2, ignored 1; 4", ignored: []string{
			"invitee.canceled: the event changes an earlier one and is no submission of its own",
		}, leads: 1, company: "Getriebe AG"},
		{name: "cognito, without a preset: submitted and updated", tool: "", source: &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{Id: []string{"Id"}}}, sent: []string{
			`{"Form":{"Id":"1","InternalName":"Contact"},"Id":"1-5","Name":{"First":"Co","Last":"Gnito"},"Email":"co@maschinen.example","Company":"Maschinen AG"}`,
			`{"Form":{"Id":"1","InternalName":"Contact"},"Id":"1-5","Name":{"First":"Co","Last":"Gnito"},"Email":"co@maschinen.example","Company":"Werkzeug AG"}`,
		}, tally: "lead 1, revision 1; 2", leads: 1},
		{name: "meta: two at once, again, the button that tries, and another field", tool: "meta", source: details("/graph/{leadgen_id}"), sent: []string{
			meta("leadgen", "9007199254740993", `"9007199254740995"`), meta("leadgen", `"9007199254740993"`), meta("leadgen", "444444444444"), meta("feed", "1"),
		}, tally: "test 1, ignored 1, waiting-for-details 3; 4", ignored: []string{"the source does not take this kind of event"}, after: "lead 2, repeat 1, test 1, ignored 1; 4", leads: 2},
		{
			name: "linkedin: a lead, then its erasure", tool: "linkedin", source: details("/rest/leadFormResponses/{urn:leadGenFormResponse}"), sent: []string{linkedIn("CREATED"), linkedIn("CREATED"), linkedIn("DELETED")},
			tally: "ignored 1, waiting-for-details 2; 3", ignored: []string{"DELETED: the sender asks to erase what it sent before"}, after: "lead 1, repeat 1, ignored 1; 3", leads: 1,
		},
		{
			name: "linkedin: its test lead", tool: "linkedin", source: details("/test/{urn:leadGenFormResponse}"), sent: []string{linkedIn("CREATED")},
			tally: "waiting-for-details 1; 1", after: "test 1; 1",
		},
		{
			name: "surveymonkey: answered, then deleted", tool: "surveymonkey", source: details("/v3/surveys/{survey_id}/responses/{object_id}/details"), sent: []string{survey("response_completed"), survey("response_deleted")},
			tally: "ignored 1, waiting-for-details 1; 2", ignored: []string{"response_deleted: the sender asks to erase what it sent before"}, after: "lead 1, ignored 1; 2", leads: 1,
		},
		{
			name: "hubspot: made, then erased", tool: "hubspot", source: details("/crm/v3/objects/contacts/{objectId}"), sent: []string{contact("contact.creation"), contact("contact.privacyDeletion")},
			tally: "ignored 1, waiting-for-details 1; 2", ignored: []string{"contact.privacyDeletion: the sender asks to erase what it sent before"}, after: "lead 1, ignored 1; 2", leads: 1,
		},
	}
	answers := map[string]string{
		"/graph/9007199254740993":               `{"id":"9007199254740993","created_time":"2026-03-02T08:00:00+0000","field_data":[{"name":"full_name","values":["Meta One"]},{"name":"email","values":["m1@maschinen.example"]}]}`,
		"/graph/9007199254740995":               `{"id":"9007199254740995","field_data":[{"name":"email","values":["m2@werkzeug.example"]}]}`,
		"/rest/leadFormResponses/7f-4":          `{"id":"7f-4","testLead":false,"formResponse":{"consentResponses":[],"answers":[{"questionId":1,"answerDetails":{"textQuestionAnswer":{"answer":"li@maschinen.example"}}}]}}`,
		"/test/7f-4":                            `{"id":"7f-4","testLead":true,"formResponse":{"consentResponses":[],"answers":[{"questionId":1,"answerDetails":{"textQuestionAnswer":{"answer":"li@maschinen.example"}}}]}}`,
		"/v3/surveys/77/responses/5512/details": `{"id":"5512","pages":[{"id":"1","questions":[{"id":"1","answers":[{"text":"su@maschinen.example"}]}]}]}`,
		"/crm/v3/objects/contacts/99":           `{"id":"99","properties":{"email":"hs@maschinen.example","firstname":"Hub","lastname":"Kern"}}`,
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			open := false
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, known := answers[r.URL.RequestURI()]
				switch {
				case r.Header.Get("Authorization") != "Bearer "+toolSecret:
					w.WriteHeader(http.StatusUnauthorized)
				case !open:
					w.WriteHeader(http.StatusServiceUnavailable)
				case !known:
					w.WriteHeader(http.StatusNotFound)
				default:
					w.Header().Set("Content-Type", "application/json; charset=UTF-8")
					_, _ = w.Write([]byte(body))
				}
			}))
			t.Cleanup(server.Close)
			h := start(t, Config{PublicURL: "https://in.acme.example", details: detailsOf(server)})
			h.team("ana", "ben", "chloe", "dan")
			h.agree(h.document())
			src := tt.source
			if src == nil {
				src = &intakev1.SourceDeclared{}
			}
			if src.GetDetails() != nil {
				src.Details.Url = server.URL + src.Details.Url
			}
			name := tt.tool
			if name == "" {
				src.Name, name = "forms", "forms"
				h.add(src, false)
			} else {
				h.tool(tt.tool, src)
			}
			for _, body := range tt.sent {
				h.send(name, body)
				h.settle()
			}
			same(t, "what became of it", strings.SplitN(h.tally(name), " acknowledged", 2)[0], tt.tally)
			same(t, "what is no submission", h.ignored(), tt.ignored)
			if tt.after != "" {
				open = true
				h.time.Set(h.time.Now().Add(10 * time.Minute))
				h.settle()
				same(t, "once the details came", strings.SplitN(h.tally(name), " acknowledged", 2)[0], tt.after)
			}
			if tt.company != "" {
				leads := must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{})).GetLeads()
				same(t, "leads", len(leads), 1)
				same(t, "the company that counts", h.lead(leads[0].GetLeadId()).GetPersonal().GetCompany(), tt.company)
			}
			h.testsAreKeptOut(tt.leads)
			whole(t, h)
		})
	}
}

// What a thin tool says of a change is a reason to read again: the lead that is
// there says what the tool has now, whatever of it the event itself repeats, and
// the same once more changes nothing.
func TestUpdatesOfThinTools(t *testing.T) {
	for _, tt := range []struct {
		tool, path      string
		created, change string
		answer          string // with a place for the company
	}{
		{
			"hubspot", "/crm/v3/objects/contacts/{objectId}",
			`[{"eventId":1,"subscriptionId":2,"portalId":62,"appId":5,"occurredAt":1772442000000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":99,"changeFlag":"NEW","changeSource":"CRM"}]`,
			`[{"eventId":%d,"subscriptionId":3,"portalId":62,"appId":5,"occurredAt":1772442900000,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":99,"propertyName":"email","propertyValue":"new@maschinen.example","changeSource":"CRM_UI"}]`,
			`{"id":"99","properties":{"email":"hs@maschinen.example","firstname":"Hub","lastname":"Kern","company":%q}}`,
		},
		{
			"surveymonkey", "/v3/surveys/{survey_id}/responses/{object_id}/details",
			`{"name":"My Webhook","event_type":"response_completed","event_id":"1","object_type":"response","object_id":"5512","resources":{"survey_id":"77","respondent_id":"5"}}`,
			`{"name":"My Webhook","event_type":"response_updated","event_id":"%d","object_type":"response","object_id":"5512","resources":{"survey_id":"77","respondent_id":"5"}}`,
			`{"id":"5512","pages":[{"id":"1","questions":[{"id":"1","heading":"E-mail","answers":[{"text":"hs@maschinen.example"}]},{"id":"2","heading":"Company","answers":[{"text":%q}]}]}]}`,
		},
	} {
		t.Run(tt.tool, func(t *testing.T) {
			var company atomic.Value
			company.Store("Maschinen AG")
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, tt.answer, company.Load())
			}))
			t.Cleanup(server.Close)
			h := start(t, Config{PublicURL: "https://in.acme.example", details: detailsOf(server)})
			h.tool(tt.tool, &intakev1.SourceDeclared{Details: &intakev1.DetailsRead{Url: server.URL + tt.path}})
			became := func() string {
				h.settle()
				return strings.SplitN(h.tally(tt.tool), " acknowledged", 2)[0]
			}
			h.send(tt.tool, tt.created)
			same(t, "made", became(), "lead 1; 1")
			company.Store("Werkzeug AG")
			h.send(tt.tool, fmt.Sprintf(tt.change, 2))
			same(t, "changed", became(), "lead 1, revision 1; 2")
			h.send(tt.tool, fmt.Sprintf(tt.change, 3))
			same(t, "changed in something else", became(), "lead 1, repeat 1, revision 1; 3")
			leads := must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{})).GetLeads()
			same(t, "leads", len(leads), 1)
			says := h.lead(leads[0].GetLeadId()).GetPersonal()
			same(t, "what the lead says", []string{says.GetEmail(), says.GetCompany()}, []string{"hs@maschinen.example", "Werkzeug AG"})
			whole(t, h)
		})
	}
}

// testsAreKeptOut wants so many leads in the report, and no test decided,
// offered or counted.
func (h *house) testsAreKeptOut(leads int) {
	h.t.Helper()
	same(h.t, "leads in the report", h.figures("funnel")["received"], float64(leads))
	tests := map[string]bool{}
	for _, e := range h.events() {
		switch b := e.Body.(type) {
		case *leadv1.LeadRefused:
			tests[e.Subject] = b.GetReason() == leadv1.RefusalReason_REFUSAL_REASON_TEST
		case *leadv1.LeadQualified, *leadv1.LeadOffered:
			if tests[e.Subject] {
				h.t.Errorf("a test was forwarded: %s", e.Type)
			}
		}
	}
}

// The tools that make sure whose an address is get their answer through the
// running program, and nothing is kept of it.
func TestHandshakesOfTools(t *testing.T) {
	h := start(t, Config{})
	h.tool("meta", &intakev1.SourceDeclared{HandshakeRef: "env:TOOL_SECRET"})
	h.tool("linkedin", &intakev1.SourceDeclared{})
	h.tool("cloudevents", &intakev1.SourceDeclared{Origins: []string{"https://events.example"}})
	const challenge = "2f1b6c1a-9d3e-4a7f-b5c2-1e6f9a0d4b7c"
	meta := "meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
	for _, tt := range []struct {
		name, method, path, origin string
		status                     int
		says, allows               string
	}{
		{"meta", http.MethodGet, meta + url.QueryEscape(toolSecret), "", 200, "1158201444", ""},
		{"meta, another token", http.MethodGet, meta + "wrong", "", 403, "", ""},
		{"linkedin", http.MethodGet, "linkedin?challengeCode=" + challenge, "", 200, `{"challengeCode":"` + challenge + `","challengeResponse":"` + hex.EncodeToString(toolMAC(sha256.New, challenge)) + `"}`, ""},
		{"linkedin, a body to be signed", http.MethodGet, "linkedin?challengeCode=hmacsha256%3D%7B%7D", "", 400, "", ""},
		{"cloudevents", http.MethodOptions, "cloudevents", "https://events.example", 200, "", "https://events.example"},
		{"cloudevents, another origin", http.MethodOptions, "cloudevents", "https://other.example", 0, "", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+h.door+"/hooks/"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.origin != "" {
			req.Header.Set("WebHook-Request-Origin", tt.origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if tt.status != 0 {
			same(t, tt.name, resp.StatusCode, tt.status)
		}
		if tt.says != "" {
			same(t, tt.name, string(body), tt.says)
		}
		same(t, tt.name+": allowed", resp.Header.Get("WebHook-Allowed-Origin"), tt.allows)
	}
	h.settle()
	same(t, "kept", must[uint64](t)(h.App.log.Last(t.Context(), ledger.StreamIntake)), uint64(0))
}
