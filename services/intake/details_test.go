package intake

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func firstItem(t *testing.T, body string) Item {
	t.Helper()
	f, err := Parse("application/json", "", []byte(body))
	if err != nil || len(f.Items) == 0 {
		t.Fatal(err)
	}
	return f.Items[0]
}

// Thin tools, as they document what they send and what they answer.
func TestDetailsRead(t *testing.T) {
	const token = "page token"
	answers := map[string]string{
		"/v23.0/123123123123?fields=field_data,created_time":                       `{"id":"123123123123","field_data":[{"name":"email","values":["ana@b.example"]}]}`,
		"/rest/leadFormResponses/1a2b3c-4":                                         `{"id":"1a2b3c-4","formResponse":{"answers":[{"questionId":7,"answerDetails":{"textQuestionAnswer":{"answer":"ana@b.example"}}}]}}`,
		"/rest/leadFormResponses?q=owner&form=urn%3Ali%3Aversioned%3A%281%2C+1%29": `{"elements":[{"id":"first"},{"id":"second"}]}`,
		"/v3/surveys/77/responses/123456/details":                                  `{"id":"123456","pages":[{"questions":[{"id":"1","answers":[{"text":"ana@b.example"}]}]}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("Accept") != "application/json" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, ok := answers[r.URL.RequestURI()]
		if !ok || strings.HasPrefix(r.URL.Path, "/rest/") && r.Header.Get("LinkedIn-Version") != "202603" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	version := map[string]string{"LinkedIn-Version": "202603"}
	meta := `{"object":"page","entry":[{"id":1,"changes":[{"field":"leadgen","value":{"leadgen_id":123123123123,"page_id":9,"form_id":8}}]}]}`
	linkedIn := `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:li:leadGenFormResponse:1a2b3c-4","leadGenForm":"urn:li:versioned:(1, 1)","leadAction":"CREATED"}`
	survey := `{"event_id":"1","object_type":"response","object_id":"123456","resources":{"survey_id":"77","respondent_id":"5"}}`
	tests := []struct {
		name, body string
		read       *intakev1.DetailsRead
		want       string
	}{
		{"meta", meta, &intakev1.DetailsRead{Url: "/v23.0/{leadgen_id}?fields=field_data,created_time"}, answers["/v23.0/123123123123?fields=field_data,created_time"]},
		{"linkedin", linkedIn, &intakev1.DetailsRead{Url: "/rest/leadFormResponses/{urn:leadGenFormResponse}", Headers: version}, answers["/rest/leadFormResponses/1a2b3c-4"]},
		{"linkedin, of a list", linkedIn, &intakev1.DetailsRead{Url: "/rest/leadFormResponses?q=owner&form={leadGenForm}", Headers: version, Items: "elements[1]"}, `{"id":"second"}`},
		{"surveymonkey", survey, &intakev1.DetailsRead{Url: "/v3/surveys/{resources.survey_id}/responses/{object_id}/details"}, answers["/v3/surveys/77/responses/123456/details"]},
		{"surveymonkey, its pages", survey, &intakev1.DetailsRead{Url: "/v3/surveys/{survey_id}/responses/{object_id}/details", Items: "pages[0].questions"}, `[{"id":"1","answers":[{"text":"ana@b.example"}]}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &Details{Secrets: secretMap{"env:TOKEN": {token}}, Loopback: true}
			tt.read.Url, tt.read.TokenRef = server.URL+tt.read.GetUrl(), "env:TOKEN"
			body, contentType, err := d.Read(t.Context(), &intakev1.SourceDeclared{Details: tt.read}, firstItem(t, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != tt.want {
				t.Errorf("got %s", body)
			}
			if _, err := Parse(contentType, "", body); err != nil || !strings.HasPrefix(contentType, "application/json") {
				t.Errorf("%q: %v", contentType, err)
			}
		})
	}
}

// What goes wrong is said by kind, and without the id that was asked for.
func TestDetailsFaults(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/401/id-7":
			w.WriteHeader(http.StatusUnauthorized)
		case "/404/id-7":
			w.WriteHeader(http.StatusNotFound)
		case "/429/id-7":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/500/id-7":
			w.WriteHeader(http.StatusInternalServerError)
		case "/302/id-7":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/large/id-7":
			_, _ = w.Write(make([]byte, maxDetails+1))
		case "/short/id-7":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("{"))
		default:
			_, _ = w.Write([]byte(`{"a":{}}`))
		}
	}))
	t.Cleanup(server.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	loopback := strings.TrimPrefix(server.URL, "http://")
	port := loopback[strings.LastIndexByte(loopback, ':'):]
	tests := []struct {
		name, url string
		items     string
		token     string
		guarded   bool
		kind      fault.Kind
		asked     int
	}{
		{"a token that is not taken", server.URL + "/401/{id}", "", "", false, fault.Denied, 1},
		{"nothing there", server.URL + "/404/{id}", "", "", false, fault.NotFound, 1},
		{"too often", server.URL + "/429/{id}", "", "", false, fault.Unavailable, 1},
		{"down", server.URL + "/500/{id}", "", "", false, fault.Unavailable, 1},
		{"a redirect", server.URL + "/302/{id}", "", "", false, fault.Invalid, 1},
		{"too large", server.URL + "/large/{id}", "", "", false, fault.Invalid, 1},
		{"cut off", server.URL + "/short/{id}", "", "", false, fault.Unavailable, 1},
		{"nobody listens", gone.URL + "/{id}", "", "", false, fault.Unavailable, 0},
		{"no submission in it", server.URL + "/{id}", "b", "", false, fault.NotFound, 1},
		{"no list in it", server.URL + "/{id}", "a[0]", "", false, fault.NotFound, 1},
		{"no token", server.URL + "/{id}", "", "env:NONE", false, fault.Unavailable, 0},
		{"no such member", server.URL + "/{none}", "", "", false, fault.Invalid, 0},
		{"two of them", server.URL + "/{same}", "", "", false, fault.Invalid, 0},
		{"a member that goes up", server.URL + "/a/{up}", "", "", false, fault.Invalid, 0},
		{"a member with a path", server.URL + "/a/{path}", "", "", false, fault.Invalid, 0},
		{"a member says whom to ask", "http://{host}/x", "", "", false, fault.Invalid, 0},
		{"a member behind the host", "http://127.0.0.1{host}/x", "", "", false, fault.Invalid, 0},
		{"a user in front of the host", "http://a@" + loopback + "/{id}", "", "", false, fault.Invalid, 0},
		{"a query before any path", "http://" + loopback + "?x=/{id}", "", "", false, fault.Invalid, 0},
		{"a template for whom to ask", "{up}://" + loopback + "/{id}", "", "", false, fault.Invalid, 0},
		{"nobody to ask", "http:///x/{id}", "", "", false, fault.Invalid, 0},
		{"no address", "", "", "", false, fault.Invalid, 0},
		{"without TLS", server.URL + "/{id}", "", "", true, fault.Invalid, 0},
		{"this machine", "https://" + loopback + "/{id}", "", "", true, fault.Invalid, 0},
		{"this machine by name", "https://localhost" + port + "/{id}", "", "", true, fault.Invalid, 0},
		{"this machine in disguise", "https://[::ffff:127.0.0.1]" + port + "/{id}", "", "", true, fault.Invalid, 0},
		{"what the cloud tells machines", "https://169.254.169.254/{id}", "", "", true, fault.Invalid, 0},
	}
	item := firstItem(t, `{"id":"id-7","a":{"same":"1"},"b":{"same":"2"},"up":"..","path":"x/y","host":"evil.example"}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked.Store(0)
			d := &Details{Secrets: secretMap{}, Loopback: !tt.guarded}
			src := &intakev1.SourceDeclared{Details: &intakev1.DetailsRead{Url: tt.url, Items: tt.items, TokenRef: tt.token}}
			body, _, err := d.Read(t.Context(), src, item)
			if !fault.Is(err, tt.kind) || body != nil {
				t.Fatalf("%v, %d bytes", err, len(body))
			}
			if strings.Contains(err.Error(), "id-7") {
				t.Errorf("it repeats the id: %v", err)
			}
			if tt.name == "without TLS" && !strings.Contains(err.Error(), "not https") {
				t.Errorf("%v", err)
			}
			if n := asked.Load(); int(n) != tt.asked {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
