package intake

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// deliver reads and maps a body as the source says.
func deliver(t *testing.T, src *intakev1.SourceDeclared, contentType, body string, headers ...string) (Fields, []Mapped) {
	t.Helper()
	kept := &intakev1.DeliveryBody{Raw: []byte(body), Headers: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		kept.Headers[headers[i]] = headers[i+1]
	}
	f, err := ParseDelivery(&intakev1.Delivery{ContentType: contentType}, kept, src)
	if err != nil {
		t.Fatal(err)
	}
	var out []Mapped
	for _, item := range f.Items {
		out = append(out, Map(item, agreed{}, src))
	}
	return f, out
}

func TestPathMatches(t *testing.T) {
	tests := []struct {
		path, leaf, inside string
		want               bool
	}{
		{"a.b", "a.b", "", true},
		{"a.b", "a.b.c", "c", true},
		{"a.b", "a.bc", "", false},
		{"a.b", "a", "", false},
		{"a.b", "a[3].b[0]", "", true},
		{"a[3].b", "a[3].b", "", true},
		{"a[2].b", "a[3].b", "", false},
		{"a[].b", "a[3].b", "", true},
		{"a", "a[0][1].c", "c", true},
		{`"1.3"`, `"1.3"`, "", true},
		{`1.3`, `"1.3"`, "", false},
		{`"a[b]".c`, `"a[b]".c`, "", true},
		{"first name", "first name", "", true},
		{`x."a\"b"`, `x."a\"b"`, "", true},
		{"header:Webhook-Id", "header:webhook-id", "", true},
		{"^.form", "^.form", "", true},
		{"form", "^.form", "", false},
		{"", "a", "", false},
	}
	for _, tt := range tests {
		inside, ok := parsePath(tt.path).matches(tt.leaf)
		if ok != tt.want || inside != tt.inside {
			t.Errorf("%s at %s = %v, %q", tt.path, tt.leaf, ok, inside)
		}
	}
}

// What the user settled comes before the preset's, and that before what is
// found; what is blank there is looked for further on.
func TestSettledPresetSelf(t *testing.T) {
	body := `{"your-email":"preset@b.example","own":"own@b.example","blank":"","phone":"+49 30 5550 1234","your-message":"Hi"}`
	path := func(field string, paths ...string) *intakev1.Mapping {
		return &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: field, Paths: paths}}}
	}
	tests := []struct {
		name                string
		src                 *intakev1.SourceDeclared
		email, by, used     string
		confidence          int32
		message, phoneFound string
	}{
		{"itself", &intakev1.SourceDeclared{}, "preset@b.example", "key", "", 95, "Hi", "key"},
		{"preset", &intakev1.SourceDeclared{Preset: "contact-form-7"}, "preset@b.example", "preset", "contact-form-7", 98, "Hi", "key"},
		{"settled", &intakev1.SourceDeclared{Preset: "contact-form-7", Version: 3, Mapping: path("email", "own")}, "own@b.example", "settled", "contact-form-7+3", 100, "Hi", "key"},
		{"fallback path", &intakev1.SourceDeclared{Version: 2, Mapping: path("email", "nowhere", "blank", "own")}, "own@b.example", "settled", "+2", 100, "Hi", "key"},
		{"settled, but blank", &intakev1.SourceDeclared{Preset: "contact-form-7", Version: 4, Mapping: path("email", "blank")}, "preset@b.example", "preset", "contact-form-7+4", 98, "Hi", "key"},
		{"ignored", &intakev1.SourceDeclared{Preset: "contact-form-7", Version: 5, Mapping: path("ignore", "your-message", "phone")}, "preset@b.example", "preset", "contact-form-7+5", 98, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, ms := deliver(t, tt.src, "application/json", body)
			m := ms[0]
			if m.Email != tt.email || m.Used != tt.used || m.Submission.GetPersonal().GetMessage() != tt.message {
				t.Errorf("%s by %q, message %q", m.Email, m.Used, m.Submission.GetPersonal().GetMessage())
			}
			phone := ""
			for _, f := range m.Found {
				switch f.GetField() {
				case "email":
					if f.GetBy() != tt.by || f.GetConfidence() != tt.confidence {
						t.Errorf("found %v", f)
					}
				case "phone":
					phone = f.GetBy()
				}
			}
			if phone != tt.phoneFound {
				t.Errorf("phone by %q", phone)
			}
		})
	}
}

func TestMappingFinds(t *testing.T) {
	tests := []struct {
		name, contentType, body string
		mapping                 *intakev1.Mapping
		headers                 []string
		want                    func(f Fields, m []Mapped) string
		is                      string
	}{
		{
			name:    "several values in one text",
			body:    `{"email":"a@b.example","services":"Audit||Training, on site||","name":"A||B"}`,
			mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: "interest", Paths: []string{"services"}, Separator: "||"}}},
			want:    func(_ Fields, m []Mapped) string { return answers(m[0]) }, is: "interest=Audit interest=Training, on site",
		},
		{
			name: "pairs of any names", body: `{"x":{"qs":[{"k":{"id":"f1"},"t":"E-Mail","v":{"raw":"a@b.example"}},{"k":{"id":"f2"},"t":"Colour","v":{"raw":"red"}}]}}`,
			mapping: &intakev1.Mapping{Pairs: []*intakev1.PairList{{List: "x.qs", Key: []string{"none", "k.id"}, Label: "t", Value: "v.raw"}}},
			want:    func(f Fields, m []Mapped) string { return strings.Join(said(f.Items[0]), " ") + " " + m[0].Email }, is: "x.qs.f1 f1 (E-Mail)=a@b.example x.qs.f2 f2 (Colour)=red a@b.example",
		},
		{
			name: "submissions in a list, and what is around them", body: `{"batch":"7","rows":{"of":[{"mail":"a@b.example"},{"mail":"c@d.example"}]}}`,
			mapping: &intakev1.Mapping{Items: "rows.of"},
			want: func(f Fields, m []Mapped) string {
				return m[0].Email + " " + m[1].Email + " " + f.Items[1].Leaves[1].Path + "=" + f.Items[1].Leaves[1].Value
			}, is: "a@b.example c@d.example ^.batch=7",
		},
		{
			name: "an id of several parts", body: `{"form":"a|b","entry":"1","email":"a@b.example"}`,
			mapping: &intakev1.Mapping{Id: []string{"form", "entry"}},
			want:    func(f Fields, _ []Mapped) string { return ExternalID(f.Items[0]) }, is: `a\|b|1`,
		},
		{
			name: "an id that lacks a part is none", body: `{"form":"a","email":"a@b.example"}`,
			mapping: &intakev1.Mapping{Id: []string{"form", "entry"}},
			want:    func(f Fields, _ []Mapped) string { return ExternalID(f.Items[0]) }, is: "",
		},
		{
			name: "an id that is one thing or another", body: `{"new":null,"old":"o","email":"a@b.example"}`,
			mapping: &intakev1.Mapping{Id: []string{"new|old"}},
			want:    func(f Fields, _ []Mapped) string { return ExternalID(f.Items[0]) }, is: "o",
		},
		{
			name: "a header names the request", body: `[{"email":"a@b.example"},{"email":"c@d.example"}]`, headers: []string{"x-id", "h1", "other", "x"},
			mapping: &intakev1.Mapping{Id: []string{"header:X-Id"}},
			want: func(f Fields, m []Mapped) string {
				return ExternalID(f.Items[0]) + " " + ExternalID(f.Items[1]) + " " + m[0].Submission.GetExternalId() + answers(m[0])
			}, is: "h1 h1#1 h1",
		},
		{
			name: "labels of keys that say nothing", body: `{"1.3":"Ana","00N1":"a@b.example"}`,
			mapping: &intakev1.Mapping{Labels: map[string]string{"1.3": "First name", "00N1": "E-mail"}},
			want:    func(_ Fields, m []Mapped) string { return m[0].Email + m[0].Submission.GetPersonal().GetFirstName() }, is: "a@b.exampleAna",
		},
		{
			name: "JSON in a text, plain or coded", body: `{"content":"[{\"email\":\"a@b.example\"}]","more":"eyJwaG9uZSI6Iis0OSAzMCA1NTUwIDEyMzQifQ=="}`,
			mapping: &intakev1.Mapping{Embedded: []string{"content", "more"}},
			want:    func(_ Fields, m []Mapped) string { return m[0].Email + " " + m[0].Phone }, is: "a@b.example +493055501234",
		},
		{
			name: "a name in parts, where the mapping says", body: `{"who":{"first":"Ana","last":"Bo"},"where":{"country":"+49","area":"30","number":"5550 1234"}}`,
			mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: "name", Paths: []string{"who"}}, {Field: "phone", Paths: []string{"where"}}}},
			want:    func(_ Fields, m []Mapped) string { return m[0].Submission.GetPersonal().GetName() + " " + m[0].Phone }, is: "Ana Bo +493055501234",
		},
		{
			name: "marks of a test", body: `{"email":"a@b.example","env":"staging","live":"no"}`,
			mapping: &intakev1.Mapping{Tests: []*intakev1.TestMark{{Path: "live"}, {Path: "env", Value: "staging"}}},
			want: func(_ Fields, m []Mapped) string {
				return map[bool]string{true: "test"}[m[0].Submission.GetTest()]
			}, is: "test",
		},
		{
			name: "a mark that is not set", body: `{"email":"a@b.example","env":"prod","live":"no"}`,
			mapping: &intakev1.Mapping{Tests: []*intakev1.TestMark{{Path: "live"}, {Path: "env", Value: "staging"}}},
			want: func(_ Fields, m []Mapped) string {
				return map[bool]string{true: "test"}[m[0].Submission.GetTest()]
			}, is: "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, m := deliver(t, &intakev1.SourceDeclared{Mapping: tt.mapping}, "application/json", tt.body, tt.headers...)
			if got := tt.want(f, m); got != tt.is {
				t.Errorf("got %q, want %q", got, tt.is)
			}
		})
	}
}

func answers(m Mapped) string {
	var out []string
	for _, a := range m.Submission.GetPersonal().GetOther() {
		if a.GetKey() != "name" {
			out = append(out, a.GetKey()+"="+a.GetValue())
		}
	}
	return strings.Join(out, " ")
}

func TestEvents(t *testing.T) {
	src := &intakev1.SourceDeclared{Mapping: &intakev1.Mapping{
		Event:  "kind|header:x-event",
		Events: map[string]string{"made": "create", "changed": "update", "gone": "erase", "moved": "link", "pinged": "ignore"},
	}}
	for kind, want := range map[string]Mapped{
		"made":    {Event: "create"},
		"changed": {Event: "update", Update: true},
		"gone":    {Event: "erase", Ignored: "x"},
		"moved":   {Event: "link", Ignored: "x"},
		"pinged":  {Event: "ignore", Ignored: "x"},
		"unheard": {Event: "ignore", Ignored: "x"},
		"":        {},
	} {
		_, inBody := deliver(t, src, "application/json", `{"kind":"`+kind+`","email":"a@b.example"}`)
		_, inHeader := deliver(t, src, "application/json", `{"email":"a@b.example"}`, "x-event", kind)
		for _, got := range []Mapped{inBody[0], inHeader[0]} {
			if got.Event != want.Event || got.Update != want.Update || (got.Ignored != "") != (want.Ignored != "") {
				t.Errorf("%q: %q, update %v, ignored %q", kind, got.Event, got.Update, got.Ignored)
			}
			if got.Email != "a@b.example" {
				t.Errorf("%q: what it says is lost", kind)
			}
		}
	}
}

func TestConsents(t *testing.T) {
	given, refused, unknown := leadv1.ConsentState_CONSENT_STATE_GIVEN, leadv1.ConsentState_CONSENT_STATE_REFUSED, leadv1.ConsentState_CONSENT_STATE_UNSPECIFIED
	consent := func(purpose string, state leadv1.ConsentState, path, text string) *leadv1.Consent {
		c := &leadv1.Consent{Purpose: purpose, State: state, Path: path}
		if text != "" {
			sum := sha256.Sum256([]byte(text))
			c.TextSha256 = sum[:]
		}
		return c
	}
	tests := []struct {
		name, body string
		mapping    *intakev1.Mapping
		want       []*leadv1.Consent
	}{
		{name: "none is asked", body: `{"email":"a@b.example"}`},
		{name: "left blank", body: `{"consent":"","newsletter":null}`},
		{name: "an answer that is none", body: `{"consent":"maybe later"}`},
		{name: "yes and no", body: `{"gdpr_consent":true,"newsletter":"0"}`, want: []*leadv1.Consent{consent("processing", given, "gdpr_consent", ""), consent("newsletter", refused, "newsletter", "")}},
		{name: "the text as the value", body: `{"consent":"I agree to the privacy policy"}`, want: []*leadv1.Consent{consent("processing", given, "consent", "")}},
		{name: "a text that says no", body: `{"acceptance-1":"I do not agree"}`, want: []*leadv1.Consent{consent("processing", unknown, "acceptance-1", "")}},
		{name: "an opt-out that is ticked, and one that is not", body: `{"emailOptOut":"1","unsubscribe":"0"}`, want: []*leadv1.Consent{consent("marketing", refused, "emailOptOut", "")}},
		{
			name: "a legal question", body: `{"definition":{"fields":[{"id":"q","title":"You accept our terms"}]},"answers":[{"type":"boolean","boolean":true,"field":{"id":"q","type":"legal"}}]}`,
			want: []*leadv1.Consent{consent("processing", given, "answers.q", "You accept our terms")},
		},
		{
			name: "options of a form",
			body: `{"legalConsentOptions":{"consent":{"consentToProcess":true,"text":"Process it","communications":[{"value":true,"subscriptionTypeId":9,"text":"Write to me"},{"value":false,"subscriptionTypeId":10,"text":"Call me"}]}}}`,
			want: []*leadv1.Consent{
				consent("processing", given, "legalConsentOptions.consent.consentToProcess", "Process it"),
				consent("communication-9", given, "legalConsentOptions.consent.communications[0].value", "Write to me"),
				consent("communication-10", refused, "legalConsentOptions.consent.communications[1].value", "Call me"),
			},
		},
		{
			name: "responses to consents", body: `{"formResponse":{"consentResponses":[{"consentId":32,"accepted":true}]},"custom_disclaimer_responses":[{"checkbox_key":"Opt 1","is_checked":""},{"checkbox_key":"Opt 2","is_checked":"1"}]}`,
			want: []*leadv1.Consent{consent("consent-32", given, "formResponse.consentResponses[0].accepted", ""), consent("disclaimer-opt-2", given, "custom_disclaimer_responses[1].is_checked", "")},
		},
		{
			name: "mapped, each with its own text", body: `{"boxes":[{"on":"yes","says":"Call me"},{"on":"no","says":"Sell it"}]}`,
			mapping: &intakev1.Mapping{Consents: []*intakev1.ConsentPath{{Purpose: "contact", Path: "boxes.on", Text: "boxes.says"}}},
			want:    []*leadv1.Consent{consent("contact", given, "boxes[0].on", "Call me"), consent("contact", refused, "boxes[1].on", "Sell it")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, m := deliver(t, &intakev1.SourceDeclared{Mapping: tt.mapping}, "application/json", tt.body)
			got := m[0].Submission.GetFeatures().GetConsents()
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, c := range tt.want {
				sealed := slices.ContainsFunc(m[0].Submission.GetPersonal().GetOther(), func(a *leadv1.Answer) bool {
					sum := sha256.Sum256([]byte(a.GetValue()))
					return a.GetKey() == "consent:"+c.GetPurpose() && string(sum[:]) == string(c.GetTextSha256())
				})
				if (len(c.GetTextSha256()) > 0) != sealed {
					t.Errorf("the text of %s: sealed %v", c.GetPath(), sealed)
				}
			}
		})
	}
	_, m := deliver(t, nil, "application/json", `{"submittedAt":1706741502694,"consent":"yes"}`)
	if at := m[0].Submission.GetFeatures().GetConsents()[0].GetAt().AsTime(); at.UnixMilli() != 1706741502694 {
		t.Errorf("given at %v", at)
	}
}

func TestAttribution(t *testing.T) {
	tests := []struct {
		name, body string
		want       *leadv1.Attribution
	}{
		{"none", `{"email":"a@b.example"}`, nil},
		{"in hidden fields", `{"hidden":{"utm_source":"ad","utm_id":"77"},"li_fat_id":"secret-1"}`, &leadv1.Attribution{Source: "ad", Id: "77", Click: "li_fat_id"}},
		{"in parameters", `{"urlParameters":[{"id":"utm_medium","name":"utm_medium","value":"cpc"}]}`, &leadv1.Attribution{Medium: "cpc"}},
		{
			"in the page's address, behind what is sent", `{"utm_source":"own","page_url":"https://x.example/p/?utm_source=ad&utm_id=8&gclid=abc&email=a@b.example","referrer":"https://search.example/?q=secret"}`,
			&leadv1.Attribution{Source: "own", Id: "8", Click: "gclid", Landing: "x.example/p/", Referrer: "search.example"},
		},
		{"a page whose path looks personal", `{"page_url":"https://x.example/u/a@b.example"}`, &leadv1.Attribution{Landing: "x.example"}},
		{"an address that is none", `{"page_url":"contact","referrer":"direct"}`, nil},
		{"a cookie of the page", `{"context":{"hutk":"aaaa","pageUri":"www.x.example/y"}}`, &leadv1.Attribution{Click: "hutk"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mapOne(t, "application/json", tt.body)
			if diff := cmp.Diff(tt.want, m.Submission.GetFeatures().GetAttribution(), protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// Nothing personal is in the clear, and nothing is gone.
			if text := m.Submission.GetFeatures().GetAttribution().String(); strings.Contains(text, "secret") || strings.Contains(text, "@") || strings.Contains(text, "abc") {
				t.Errorf("in the clear: %s", text)
			}
		})
	}
	if m := mapOne(t, "application/json", `{"li_fat_id":"secret-1"}`); answers(m) != "li_fat_id=secret-1" {
		t.Errorf("the click id is not sealed: %s", answers(m))
	}
}

func TestValues(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"a date in parts", `{"d":{"year":"2026","month":"2","day":"3"}}`, "d=2026-02-03"},
		{"a date that is none", `{"d":{"year":"2026","month":"13","day":"3"}}`, "d=2026-13-3"},
		{"a date left blank", `{"d":{"year":"","month":"","day":""}}`, "d="},
		{"a date with its moment", `{"d":{"value":"10/02/2026","unix":1790899200}}`, "d=10/02/2026"},
		{"a file", `{"cv":[{"id":"1","name":"cv.pdf","url":"https://x.example/cv.pdf","mimeType":"application/pdf","size":1200}]}`, "cv[0] cv=cv.pdf (application/pdf, 1200 bytes) https://x.example/cv.pdf [may need a login]"},
		{"a file that ends", `{"cv":{"filename":"cv.pdf","url":"https://x.example/cv.pdf?X-Amz-Expires=1800"}}`, "cv=cv.pdf (unknown type, unknown number of bytes) https://x.example/cv.pdf?X-Amz-Expires=1800 [expires]"},
		{"a file that travels along", `{"cv":{"filename":"cv.pdf","content":"QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"}}`, "cv=cv.pdf (unknown type, 24 bytes) [content not kept]"},
		{"a link is no file", `{"site":{"name":"Home","url":"https://x.example"}}`, "site.name name=Home site.url url=https://x.example"},
		{"what was typed instead", `{"answers":[{"type":"choices","choices":{"ids":["1"],"labels":["Bonn"],"other":"Ulm"},"field":{"ref":"r"}}]}`, "answers.r[0] r=Bonn answers.r r=Ulm"},
		{"what stands beside an answer", `{"fields":[{"name":"email","value":"a@b.example","objectTypeId":"0-1","source":"import"}]}`, "fields.email email=a@b.example fields.email.source source=import"},
		{"duplicate labels", `{"fields":[{"label":"Name","value":"A"},{"label":"Name","value":"B"}]}`, "fields.Name Name=A fields.Name Name=B"},
		{"elements by id, joined by the schema", `{"payload":{"data":{"e-1":"a@b.example"},"schema":[{"fieldName":"Email","fieldElementId":"e-1"}]}}`, "payload.data.e-1 e-1 (Email)=a@b.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("application/json", "", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(said(f.Items[0]), " "); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// The only address decides who it is; of several nobody knows which.
func TestDoubtfulAddresses(t *testing.T) {
	one := mapOne(t, "application/json", `{"q1":"ana@b.example","q2":"ANA@b.example"}`)
	if one.NeedsMapping || one.Found[0].GetConfidence() != 65 {
		t.Errorf("one address: %v", one.Found)
	}
	two := mapOne(t, "application/json", `{"q1":"ana@b.example","q2":"bo@b.example"}`)
	if !two.NeedsMapping || two.Found[0].GetConfidence() != 50 || two.Email != "ana@b.example" || answers(two) != "q2=bo@b.example" {
		t.Errorf("two addresses: %v, %s", two.Found, answers(two))
	}
}

func TestSuggest(t *testing.T) {
	src := &intakev1.SourceDeclared{Preset: "google-ads", Mapping: &intakev1.Mapping{Fields: []*intakev1.FieldPath{{Field: "ignore", Paths: []string{"api_version"}}}}}
	f, m := deliver(t, src, "application/json", `{"lead_id":"1","google_key":"s3cret","api_version":"1","user_column_data":[{"column_id":"EMAIL","string_value":"a@b.example"}],
		"alt":"c@d.example","mobile_contact":"0171 555","long":"`+strings.Repeat("ü", 300)+`"}`)
	var got []string
	for _, l := range Suggest(f.Items[0], m[0]) {
		if strings.Contains(l.GetValue(), "s3cret") {
			t.Error("a secret is shown")
		}
		if n := len([]rune(l.GetValue())); n > maxShown {
			t.Errorf("%d characters are shown", n)
		}
		got = append(got, l.GetPath()+" "+l.GetField()+"?"+l.GetSuggestion())
	}
	want := []string{"lead_id id?", "google_key ignore?", "api_version ignore?", "user_column_data.EMAIL email?", "alt ?email", "mobile_contact ?phone", "long ?"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMappingHeaders(t *testing.T) {
	if got := MappingHeaders(&intakev1.SourceDeclared{Preset: "cloudevents"}); !slices.Equal(got, []string{"ce-id", "ce-source"}) {
		t.Errorf("got %v", got)
	}
	if got := MappingHeaders(nil); got != nil {
		t.Errorf("got %v", got)
	}
}
