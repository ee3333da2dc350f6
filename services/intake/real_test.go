//go:build real

package intake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
			Headers     map[string]string
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
		b := realBody{contentType: p.ContentType, raw: raw, headers: p.Headers}
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

// realReadings are every body, read by hand.
var realReadings = map[string][]reading{
	"calendly.json": {{preset: "calendly", email: "test@example.com", name: "John Doe", id: "https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA/invitees/AAAAAAAAAAAAAAAA", ownID: "-", outcome: "lead"}},
	"calendly.derived.json": {{
		preset: "calendly", email: "jordan.rivera@example.com", name: "Jordan Rivera", message: "Onboarding walkthrough for the new workspace.",
		id: "https://api.calendly.com/scheduled_events/8f2b6c1a-9d3e-4a7f-b5c2-1e6f9a0d4b7c/invitees/1a4d7e2b-5c8f-4a1d-9b3e-6f0c8d2a5b7e", ownID: "-", outcome: "lead",
	}},
	"cf7.derived.json":        {{preset: "contact-form-7", email: "avery@example.com", name: "Avery Sample", message: "Hi\nthere", consents: "processing=GIVEN", utm: "linkedin//", outcome: "lead"}},
	"cloudevents-binary.json": {{preset: "cloudevents", id: "/mycontext|C234-1234-1234", ownID: "-", outcome: "needs-mapping"}},
	"cloudevents.json":        {{preset: "cloudevents", id: "/mycontext|C234-1234-1234", ownID: "C234-1234-1234", outcome: "needs-mapping"}},
	"elementor.form": {{
		preset: "elementor", email: "jordan.sample@example.com", name: "avery sample", phone: "(352) 555-0101",
		message: "Consult for braces please.\nAfternoons are best & thanks!", outcome: "lead",
	}},
	"fillout.json":           {{preset: "fillout", email: "example@example.com", name: "Timmy", id: "abc", outcome: "lead"}},
	"formspree.derived.json": {{preset: "formspree", email: "sarah@example.com", name: "Sarah Nguyen", message: "I sat the GAMSAT before and need help urgently with essays before September.", outcome: "lead"}},
	"formspree.json":         {{preset: "formspree", email: "sarah@example.com", name: "Sarah Nguyen", message: "I sat the GAMSAT before and need help urgently with essays before September.", outcome: "lead"}},
	"framer.derived.json":    {{preset: "framer", email: "ada@example.com", name: "Ada Lovelace", message: "Hello", id: "c4a8b6f2-2f5e-4c2b-9f60-4b9a7a7f1a11", ownID: "-", outcome: "lead"}},
	"github.vector.json":     {{message: "Hello, World!", outcome: "needs-mapping"}},
	"google-ads.json": {{
		preset: "google-ads", email: "test@example.com", name: "FirstName LastName", phone: "+16505550123", outcome: "test",
		id: "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz-0123456789-AaBbCcDdEeFfGgHhIiJjKkLl",
	}},
	"gravity-forms.json":  {{preset: "gravity-forms", id: "1|1", ownID: "1", outcome: "needs-mapping", suggestion: "source_url=page"}},
	"html-multipart.form": {{preset: "html", email: "zoe.oneil@example.com", name: "Zoë O’Neil", consents: "processing=GIVEN", outcome: "lead"}},
	"html-urlencoded.form": {{
		preset: "html", email: "zoe.oneil+trial@example.com", name: "Zoë O’Neil & Søn", company: "Ångström Industrie GmbH", phone: "+49 30 5550 1234",
		message: "Line one\nLine two = 100% & more", consents: "processing=GIVEN", utm: "linkedin//q3 launch", outcome: "lead",
	}},
	"hubspot-forms-submit.json": {{preset: "hubspot-forms", email: "user@example.com", consents: "processing=GIVEN", outcome: "lead"}},
	"hubspot-v1.vector.json":    {{preset: "hubspot", id: "62515|123", ownID: "1", outcome: "thin"}},
	"hubspot-v2.vector.json":    {{preset: "hubspot-workflow", outcome: "needs-mapping"}},
	"hubspot-workflow.json":     {{preset: "hubspot-workflow", email: "kovatif642@cyclesat.com", name: "Kovat Tif", company: "Cyclesat", id: "251", ownID: "-", outcome: "lead"}},
	"hubspot.json":              {{preset: "hubspot", id: "62515|123", ownID: "1", outcome: "thin"}},
	"hubspot.vector.json":       {{preset: "hubspot-workflow", message: "{'example_field':'example_value'}", outcome: "needs-mapping"}},
	"jotform.form":              {{preset: "jotform", name: "Niloth P", id: "6084250982513018472", outcome: "needs-mapping"}},
	"linkedin-lead.json":        {{preset: "linkedin", email: "test1@gmail.com", id: "52dcb737-26f9-4af3-b1fc-935b3e93f838-4", outcome: "test"}},
	"linkedin.derived.json":     {{preset: "linkedin", id: "urn:li:leadGenFormResponse:1a2b3c-4", ownID: "-", outcome: "thin"}},
	"linkedin.json":             {{preset: "linkedin", id: "urn:li:leadGenFormResponse:1a2b3c-4", ownID: "-", outcome: "thin"}},
	"meta-lead.json":            {{preset: "meta", email: "joe@example.com", name: "Joe Example", id: "<LEAD_ID>", outcome: "lead"}},
	"meta.derived.json":         {{preset: "meta", id: "123123123123", outcome: "thin"}, {id: "123123123124", outcome: "thin"}},
	"meta.json":                 {{preset: "meta", id: "123123123123", outcome: "thin"}, {id: "123123123124", outcome: "thin"}},
	"netlify.derived.json":      {{preset: "netlify", email: "user-email@example.org", name: "Ursula K. Le Guin", message: "El nombre del mundo es Bosque", id: "627a533894a7dd09dd3e0abf", outcome: "lead"}},
	"netlify.json":              {{preset: "netlify", email: "user-email@example.org", name: "Ursula K. Le Guin", message: "El nombre del mundo es Bosque", id: "627a533894a7dd09dd3e0abf", outcome: "lead"}},
	"salesforce-web-to-lead.derived.json": {{
		preset: "salesforce-web-to-lead", email: "avery@example.com", name: "Avery Sample", company: "Example GmbH", phone: "+49 30 5550 1234", outcome: "test",
	}},
	"standard-webhooks.json":        {{preset: "standard-webhooks", id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", ownID: "1f81eb52-5198-4599-803e-771906343485", outcome: "needs-mapping"}},
	"standard-webhooks.vector.json": {{preset: "standard-webhooks", id: "msg_p5jXN8AQM9LWM0D4loKWxJek", ownID: "-", outcome: "needs-mapping"}},
	"surveymonkey.derived.json":     {{preset: "surveymonkey", id: "123456", ownID: "123456789", outcome: "thin"}},
	"surveymonkey.json":             {{preset: "surveymonkey", id: "123456", ownID: "123456789", outcome: "thin"}},
	"tally.derived.json":            {{preset: "tally", id: "jyqVba", outcome: "needs-mapping"}},
	"tally.json":                    {{preset: "tally", id: "jyqVba", outcome: "needs-mapping"}},
	"tiktok.derived.json":           {{outcome: "needs-mapping"}},
	"typeform.derived.json":         {{preset: "typeform", email: "laura@example.com", name: "Laura", consents: "processing=GIVEN", id: "a3a12ec67a1365927098a606107fac15", ownID: "LtWXD3crgy", outcome: "lead"}},
	"typeform.json":                 {{preset: "typeform", email: "laura@example.com", name: "Laura", consents: "processing=GIVEN", id: "a3a12ec67a1365927098a606107fac15", ownID: "LtWXD3crgy", outcome: "lead"}},
	"unbounce.form":                 {{preset: "unbounce", outcome: "needs-mapping", suggestion: "page_url=page"}},
	"webflow.derived.json":          {{preset: "webflow", email: "zaphod@heartofgold.ai", name: "Zaphod Beeblebrox", phone: "15550000000", id: "6321ca84df3949bfc6752327", outcome: "lead"}},
	"webflow.json":                  {{preset: "webflow", email: "zaphod@heartofgold.ai", name: "Zaphod Beeblebrox", phone: "15550000000", id: "6321ca84df3949bfc6752327", outcome: "lead"}},
	"wpforms.derived.json":          {{preset: "wpforms", email: "avery@example.com", name: "Avery Sample", outcome: "lead"}},
}

func (r realBody) parse(t *testing.T, src *intakev1.SourceDeclared) []Item {
	t.Helper()
	headers := map[string]string{}
	for name, v := range r.headers {
		headers[strings.ToLower(name)] = v
	}
	f, err := ParseDelivery(&intakev1.Delivery{ContentType: r.contentType}, &intakev1.DeliveryBody{Raw: r.raw, Headers: headers}, src)
	if err != nil {
		t.Fatal(err)
	}
	return f.Items
}

func TestRealBodies(t *testing.T) {
	bodies := realBodies(t)
	for name, b := range bodies {
		readings := realReadings[name]
		if readings == nil {
			t.Errorf("nobody has read %s", name)
			continue
		}
		src := &intakev1.SourceDeclared{Preset: readings[0].preset, Honeypots: []string{"website"}}
		if src.GetPreset() != "" && PresetOf(src.GetPreset()) == nil {
			t.Errorf("there is no preset %s", src.GetPreset())
		}
		t.Run(name, func(t *testing.T) {
			items := b.parse(t, src)
			if len(items) != len(readings) {
				t.Fatalf("%d submissions, want %d", len(items), len(readings))
			}
			for i, want := range readings {
				want.preset, want.ownID, want.suggestion = "", "", ""
				if got := read(src, Map(items[i], nil, src)); got != want {
					t.Errorf("with the preset: (-want +got):\n%s", cmp.Diff(want, got, cmp.AllowUnexported(reading{})))
				}
			}
		})
		// Without it the tool maps itself: the same, or it needs mapping.
		t.Run(name+" by itself", func(t *testing.T) {
			alone := &intakev1.SourceDeclared{Honeypots: []string{"website"}}
			for i, item := range b.parse(t, alone) {
				want := readings[i]
				suggestion := want.suggestion
				switch want.ownID {
				case "":
				case "-":
					want.id = ""
				default:
					want.id = want.ownID
				}
				if want.outcome == "thin" {
					want.outcome = "needs-mapping"
				}
				want.preset, want.ownID, want.suggestion = "", "", ""
				m := Map(item, nil, alone)
				got := read(alone, m)
				if want.outcome == "needs-mapping" {
					got.name = want.name // who cannot be reached may be called anything
				}
				if got != want {
					t.Errorf("(-want +got):\n%s", cmp.Diff(want, got, cmp.AllowUnexported(reading{})))
				}
				if suggestion != "" && !slices.ContainsFunc(Suggest(item, m), func(l *intakev1.LeafFound) bool {
					return l.GetPath()+"="+orElse(l.GetField(), l.GetSuggestion()) == suggestion
				}) {
					t.Errorf("%s is not suggested: %v", suggestion, Suggest(item, m))
				}
				nothingLost(t, item, m)
			}
		})
	}
	for name := range realReadings {
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
					Attribution: &leadv1.Attribution{Source: "linkedin", Campaign: "q3 launch", Click: "gclid"},
					Consents:    []*leadv1.Consent{{Purpose: "processing", State: leadv1.ConsentState_CONSENT_STATE_GIVEN, Path: "consent"}},
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
				Features: &leadv1.Features{
					HasEmail: true,
					Consents: []*leadv1.Consent{{Purpose: "processing", State: leadv1.ConsentState_CONSENT_STATE_GIVEN, Path: "consent"}},
				},
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
			if diff := cmp.Diff(tt.want, Map(f.Items[0], nil, src), protocmp.Transform(), cmpopts.IgnoreFields(Mapped{}, "Found")); diff != "" {
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
