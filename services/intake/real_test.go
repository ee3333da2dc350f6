//go:build real

package intake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// realBody is a body as a real form tool sends it.
type realBody struct {
	contentType string
	raw         []byte
	headers     map[string]string
	secret      string
}

// realBodies reads every file that holds a body: bare ones, and ones with their
// headers beside them.
func realBodies(t *testing.T) map[string]realBody {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "webhooks")
	var provenance struct {
		Files map[string]struct {
			ContentType string `json:"content_type"`
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "PROVENANCE.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &provenance); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]realBody{}
	for name, p := range provenance.Files {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue // some are described and not there
		}
		if err != nil {
			t.Fatal(err)
		}
		b := realBody{contentType: p.ContentType, raw: raw}
		if strings.HasSuffix(name, ".vector.json") || strings.HasSuffix(name, ".derived.json") {
			var v struct {
				Body    string
				Secret  string
				Headers map[string]string
			}
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(name, err)
			}
			b = realBody{contentType: v.Headers["Content-Type"], raw: []byte(v.Body), headers: v.Headers, secret: v.Secret}
			if len(b.raw) == 0 {
				continue // a signature over a request without a body
			}
		}
		bodies[name] = b
	}
	if len(bodies) < 35 {
		t.Fatalf("only %d bodies found", len(bodies))
	}
	return bodies
}

func TestRealBodies(t *testing.T) {
	bodies := realBodies(t)
	// What each must yield: the address and the sender's id, where it has them.
	want := map[string][2]string{
		"calendly.json":                       {"test@example.com", ""},
		"calendly.derived.json":               {"jordan.rivera@example.com", ""},
		"cf7.derived.json":                    {"avery@example.com", ""},
		"elementor.form":                      {"jordan.sample@example.com", ""},
		"fillout.json":                        {"example@example.com", "abc"},
		"formspree.json":                      {"sarah@example.com", ""},
		"framer.derived.json":                 {"ada@example.com", ""},
		"google-ads.json":                     {"test@example.com", "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz-0123456789-AaBbCcDdEeFfGgHhIiJjKkLl"},
		"html-multipart.form":                 {"zoe.oneil@example.com", ""},
		"html-urlencoded.form":                {"zoe.oneil+trial@example.com", ""},
		"hubspot-forms-submit.json":           {"user@example.com", ""},
		"jotform.form":                        {"", "6084250982513018472"},
		"linkedin-lead.json":                  {"test1@gmail.com", "52dcb737-26f9-4af3-b1fc-935b3e93f838-4"},
		"meta-lead.json":                      {"joe@example.com", "<LEAD_ID>"},
		"netlify.json":                        {"user-email@example.org", "627a533894a7dd09dd3e0abf"},
		"salesforce-web-to-lead.derived.json": {"avery@example.com", ""},
		"tally.json":                          {"", "jyqVba"},
		"typeform.json":                       {"laura@example.com", "LtWXD3crgy"},
		"webflow.json":                        {"zaphod@heartofgold.ai", "6321ca84df3949bfc6752327"},
		"wpforms.derived.json":                {"avery@example.com", ""},
	}
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			f, err := Parse(b.contentType, "", b.raw)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Items) == 0 {
				t.Fatal("no submission")
			}
			for _, item := range f.Items {
				if len(item.Leaves) == 0 {
					t.Error("a submission without answers")
				}
			}
			got := Map(f.Items[0], nil, &intakev1.SourceDeclared{Honeypots: []string{"website"}})
			if w, ok := want[name]; ok {
				if got.Email != w[0] || got.Submission.GetExternalId() != w[1] {
					t.Errorf("email %q, id %q; want %q", got.Email, got.Submission.GetExternalId(), w)
				}
			}
			if got.Spam != "" {
				t.Error(got.Spam)
			}
			switch name {
			case "netlify.json":
				if title := got.Submission.GetPersonal().GetJobTitle(); title != "" {
					t.Errorf("the entry's title became the job title %q", title)
				}
			case "hubspot-forms-submit.json":
				if text := got.Submission.GetPersonal().GetMessage(); text != "" {
					t.Errorf("the text of a consent became the message %q", text)
				}
			}
		})
	}
	for name := range want {
		if _, ok := bodies[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestRealForms(t *testing.T) {
	bodies := realBodies(t)
	src := &intakev1.SourceDeclared{Honeypots: []string{"website"}}
	tests := []struct {
		name string
		want Mapped
	}{
		{"html-urlencoded.form", Mapped{
			Submission: &intakev1.Submission{
				Personal: &leadv1.PersonalData{
					Email: "zoe.oneil+trial@example.com", Phone: "+49 30 5550 1234", Name: "Zoë O’Neil & Søn", FirstName: "Zoë", LastName: "O’Neil & Søn", Company: "Ångström Industrie GmbH",
					Message: "Line one\nLine two = 100% & more",
					Other:   other("interests", "Pricing", "interests", "Security review", "consent", "on", "gclid", "EAIaIQobChMI"),
				},
				Features: &leadv1.Features{
					Country: "DE", HasEmail: true, HasPhone: true, HasCompany: true,
					Attribution: &leadv1.Attribution{Source: "linkedin", Campaign: "q3 launch"},
				},
			},
			Email: "zoe.oneil+trial@example.com", Phone: "+493055501234",
		}},
		{"html-multipart.form", Mapped{
			Submission: &intakev1.Submission{
				Personal: &leadv1.PersonalData{
					Email: "zoe.oneil@example.com", Name: "Zoë O’Neil",
					Other: other("interests", "Pricing", "interests", "Security review", "consent", "on", "brief", "brief.pdf (application/pdf, 20 bytes)"),
				},
				Features: &leadv1.Features{HasEmail: true},
			},
			Email: "zoe.oneil@example.com",
		}},
		{"github.vector.json", Mapped{
			Submission:   &intakev1.Submission{Personal: &leadv1.PersonalData{Message: "Hello, World!"}, Features: &leadv1.Features{}},
			NeedsMapping: true,
			Notes:        []string{noteText},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, ok := bodies[tt.name]
			if !ok {
				t.Fatal("not there")
			}
			f, err := Parse(b.contentType, "", b.raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, Map(f.Items[0], nil, src), protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A published signature passes the door, and not with one byte changed.
func TestRealSignature(t *testing.T) {
	b := realBodies(t)["github.vector.json"]
	if b.secret != githubSecret {
		t.Fatalf("the vector's secret is %q", b.secret)
	}
	for _, contentType := range []string{"application/json", typeURLEncoded, "text/plain", ""} {
		d := newTestDoor(nil)
		res := d.do(call{path: "/hooks/hub", contentType: contentType, body: string(b.raw), headers: b.headers})
		if body := bodyOf(t, res); res.StatusCode != 200 || body != "{}" || d.keep.count() != 1 {
			t.Errorf("%q: %d %s", contentType, res.StatusCode, body)
		}
		res = d.do(call{path: "/hooks/hub", contentType: contentType, body: string(b.raw) + ".", headers: b.headers})
		if res.StatusCode != 401 || d.keep.count() != 1 {
			t.Errorf("%q, changed: %d", contentType, res.StatusCode)
		}
	}
}
