package intake

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// agreed is a vocabulary of a few words.
type agreed struct{}

func (agreed) Word(list, text string) (string, bool) {
	word, ok := map[string]string{
		"industries:Maschinenbau": "machinery", "roles:CTO": "decider", "roles:Einkauf": "buyer", "products:Pump": "pump",
	}[list+":"+text]
	return word, ok
}

func (agreed) Answer(key, value string) (string, *leadv1.Value, bool) {
	switch {
	case norm(key) == "budget" && value != "":
		return "budget", &leadv1.Value{Kind: &leadv1.Value_Text{Text: strings.ToLower(value)}}, true
	case key == "How soon?":
		return "urgency", &leadv1.Value{Kind: &leadv1.Value_Number{Number: 3}}, true
	}
	return "", nil, false
}

var webSource = &intakev1.SourceDeclared{SourceId: "s-web", Name: "web", Honeypots: []string{"website"}}

func mapOne(t *testing.T, contentType, body string) Mapped {
	t.Helper()
	f, err := Parse(contentType, "", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Items) != 1 {
		t.Fatalf("%d items", len(f.Items))
	}
	return Map(f.Items[0], agreed{}, webSource)
}

func other(kv ...string) []*leadv1.Answer {
	var out []*leadv1.Answer
	for i := 0; i < len(kv); i += 2 {
		out = append(out, &leadv1.Answer{Key: kv[i], Value: kv[i+1]})
	}
	return out
}

func TestMap(t *testing.T) {
	tests := []struct {
		name, contentType, body string
		want                    Mapped
	}{
		{
			name: "a flat body of everything", contentType: "application/json",
			body: `{"external_id":"x-1","email":" Ana@B.Example ","phone":"030 5550 1234","first_name":"Ana","last_name":"Bo","company":"Acme","job_title":"CTO",
				"message":"Hello","country":"Deutschland","employees":"51-200","industry":"Maschinenbau","product":"Pump","language":"de-AT","contact_wish":"yes",
				"budget":"High","colour":"blue","utm_source":"ad","utm_campaign":"q3 launch","consent":"on","g-recaptcha-response":"zzz","is_test":false}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					ExternalId: "x-1",
					Personal: &leadv1.PersonalData{
						Email: "Ana@B.Example", Phone: "030 5550 1234", Name: "Ana Bo", FirstName: "Ana", LastName: "Bo", Company: "Acme", JobTitle: "CTO", Message: "Hello",
						Other: other("country", "Deutschland", "employees", "51-200", "industry", "Maschinenbau", "product", "Pump", "budget", "High", "colour", "blue", "consent", "on"),
					},
					Features: &leadv1.Features{
						Country: "DE", Employees: 51, Industry: "machinery", Role: "decider", Product: "pump", Language: "de", ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT,
						HasEmail: true, HasPhone: true, HasCompany: true,
						Answers:     map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Text{Text: "high"}}},
						Attribution: &leadv1.Attribution{Source: "ad", Campaign: "q3 launch"},
						Consents:    []*leadv1.Consent{{Purpose: "processing", State: leadv1.ConsentState_CONSENT_STATE_GIVEN, Path: "consent"}},
					},
				},
				Email: "ana@b.example", Phone: "+493055501234",
			},
		},
		{
			name: "labels, when the keys say nothing", contentType: "application/json",
			body: `{"data":{"fields":[{"key":"question_1","label":"E-Mail *","value":"a@b.example"},{"key":"question_2","label":"Vorname","value":"Ana"},
				{"key":"question_3","label":"What is your company name?","value":"Acme"},{"key":"question_4","label":"Land:","value":"Österreich"},
				{"key":"question_5","label":"How soon?","value":"now"}]}}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Name: "Ana", FirstName: "Ana", Company: "Acme", Other: other("question_4", "Österreich", "question_5", "now")},
					Features: &leadv1.Features{Country: "AT", HasEmail: true, HasCompany: true, Answers: map[string]*leadv1.Value{"urgency": {Kind: &leadv1.Value_Number{Number: 3}}}},
				},
				Email: "a@b.example",
			},
		},
		{
			name: "the value itself, when nothing else says it", contentType: "application/json",
			body: `{"q1":"me@b.example","q2":"+49 30 5550 1234"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "me@b.example", Phone: "+49 30 5550 1234"},
					Features: &leadv1.Features{Country: "DE", HasEmail: true, HasPhone: true},
				},
				Email: "me@b.example", Phone: "+493055501234",
			},
		},
		{
			name: "a form's name is not a person's, nor its owner's address", contentType: "application/json",
			body: `{"triggerType":"form_submission","payload":{"name":"Contact Us","id":"sub-1","formId":"f","data":{"First Name":"Zoe","email":"z@b.example"}},"owner":{"email":"owner@b.example","name":"Boss"}}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					ExternalId: "sub-1",
					Personal: &leadv1.PersonalData{
						Email: "z@b.example", Name: "Zoe", FirstName: "Zoe",
						Other: other("triggerType", "form_submission", "name", "Contact Us", "formId", "f", "email", "owner@b.example", "name", "Boss"),
					},
					Features: &leadv1.Features{HasEmail: true},
				},
				Email: "z@b.example",
			},
		},
		{
			name: "only a foreign address", contentType: "application/json",
			body: `{"associated-owner":{"email":"owner@b.example","first-name":"Boss"}}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Other: other("email", "owner@b.example", "first-name", "Boss")},
					Features: &leadv1.Features{},
				},
				NeedsMapping: true,
			},
		},
		{
			name: "a name and an address beside each other in an envelope", contentType: "application/json",
			body: `{"event":"invitee.created","payload":{"email":"a@b.example","name":"Ana Bo","questions_and_answers":[{"question":"Topic?","answer":"Price"}],"tracking":{"utm_source":"ad"}}}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Name: "Ana Bo", Other: other("event", "invitee.created", "Topic?", "Price")},
					Features: &leadv1.Features{HasEmail: true, Attribution: &leadv1.Attribution{Source: "ad"}},
				},
				Email: "a@b.example",
			},
		},
		{
			name: "names and numbers in pieces", contentType: "application/json",
			body: `{"q3_studentsName":{"first":"Ana","last":"Bo"},"q4_phone":{"area":"30","phone":"5550 1234"},"q5_email":"a@b.example"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Phone: "30 5550 1234", Name: "Ana Bo", FirstName: "Ana", LastName: "Bo"},
					Features: &leadv1.Features{HasEmail: true},
				},
				Email: "a@b.example",
				Notes: []string{"the telephone number does not parse; it was kept as typed"},
			},
		},
		{
			name: "spam and its controls", contentType: typeURLEncoded,
			body: "email=a%40b.example&website=http%3A%2F%2Fspam.example&_next=https%3A%2F%2Fx.example&_subject=Hi&subject=Pricing",
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Other: other("subject", "Pricing")},
					Features: &leadv1.Features{HasEmail: true},
				},
				Email: "a@b.example",
				Spam:  "a hidden field that people cannot see was filled",
			},
		},
		{
			name: "a test", contentType: "application/json", body: `{"email":"a@b.example","is_test":true}`,
			want: Mapped{
				Submission: &intakev1.Submission{Test: true, Personal: &leadv1.PersonalData{Email: "a@b.example"}, Features: &leadv1.Features{HasEmail: true}},
				Email:      "a@b.example",
			},
		},
		{
			name: "a field called test that holds something else", contentType: "application/json", body: `{"test":2432232314}`,
			want: Mapped{
				Submission:   &intakev1.Submission{Personal: &leadv1.PersonalData{Other: other("test", "2432232314")}, Features: &leadv1.Features{}},
				NeedsMapping: true,
			},
		},
		{
			name: "text", contentType: typeURLEncoded, body: "Hello, World!",
			want: Mapped{
				Submission:   &intakev1.Submission{Personal: &leadv1.PersonalData{Message: "Hello, World!"}, Features: &leadv1.Features{}},
				NeedsMapping: true,
				Notes:        []string{noteText},
			},
		},
		{
			name: "a typing mistake stays visible", contentType: "application/json", body: `{"email":"ana@","phone":"call me","country":"Atlantis","employees":"many"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "ana@", Phone: "call me", Other: other("country", "Atlantis", "employees", "many")},
					Features: &leadv1.Features{},
				},
				Notes: []string{
					"the e-mail address does not parse; it was kept as typed", "the country was not understood",
					"the telephone number does not parse; it was kept as typed", "the number of employees was not understood",
				},
			},
		},
		{
			name: "a free mail address and a campaign that looks personal", contentType: "application/json",
			body: `{"email":"ana@gmail.com","utm_source":"ana@gmail.com","utm_medium":"+49 30 5550 1234","utm_term":"493055501234","utm_campaign":"` + strings.Repeat("ü", 70) + `","utm_content":"2026-10-02"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "ana@gmail.com"},
					Features: &leadv1.Features{HasEmail: true, Attribution: &leadv1.Attribution{Campaign: strings.Repeat("ü", 64), Content: "2026-10-02"}},
				},
				Email: "ana@gmail.com",
			},
		},
		{
			name: "a campaign in the page's address", contentType: "application/json",
			body: `{"email":"a@b.example","page_url":"https://x.example/?utm_source=ad&utm_medium=cpc#top","utm_source":"own"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Other: other("page_url", "https://x.example/?utm_source=ad&utm_medium=cpc#top")},
					Features: &leadv1.Features{HasEmail: true, Attribution: &leadv1.Attribution{Source: "own", Medium: "cpc", Landing: "x.example/"}},
				},
				Email: "a@b.example",
			},
		},
		{
			name: "one answer under several spellings, several answers under one", contentType: "application/json",
			body: `{"data":{"page_uid":"about","interests":["A","B"]},"human_fields":{"Page Uid":"about"}}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Other: other("page_uid", "about", "interests", "A", "interests", "B")},
					Features: &leadv1.Features{},
				},
				NeedsMapping: true,
			},
		},
		{
			name: "a tick that mentions email is no address", contentType: "application/json",
			body: `{"fields":[{"name":"news","label":"Please email me the news","value":"yes"},{"name":"f2","label":"Your email please","value":"a@b.example"}]}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example", Other: other("news", "yes")},
					Features: &leadv1.Features{HasEmail: true},
				},
				Email: "a@b.example",
			},
		},
		{
			name: "content only", contentType: "application/json", body: `{"email":"a@b.example","contact_me":"no"}`,
			want: Mapped{
				Submission: &intakev1.Submission{
					Personal: &leadv1.PersonalData{Email: "a@b.example"},
					Features: &leadv1.Features{HasEmail: true, ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY},
				},
				Email: "a@b.example",
			},
		},
		{
			name: "nothing", contentType: "application/json", body: `{}`,
			want: Mapped{Submission: &intakev1.Submission{Personal: &leadv1.PersonalData{}, Features: &leadv1.Features{}}, NeedsMapping: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mapOne(t, tt.contentType, tt.body)
			if diff := cmp.Diff(tt.want, got, protocmp.Transform(), cmpopts.IgnoreFields(Mapped{}, "Found")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMapWithoutAnAgreement(t *testing.T) {
	f, err := Parse("application/json", "", []byte(`{"email":"a@b.example","industry":"Maschinenbau","country":"CH","website":"https://b.example"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := Map(f.Items[0], nil, nil)
	want := Mapped{
		Submission: &intakev1.Submission{
			Personal: &leadv1.PersonalData{Email: "a@b.example", Other: other("industry", "Maschinenbau", "website", "https://b.example")},
			Features: &leadv1.Features{Country: "CH", HasEmail: true},
		},
		Email: "a@b.example",
	}
	if diff := cmp.Diff(want, got, protocmp.Transform(), cmpopts.IgnoreFields(Mapped{}, "Found")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExternalID(t *testing.T) {
	tests := []struct{ name, contentType, body, want string }{
		{"own name first", "application/json", `{"event_id":"e","external_id":"x","lead_id":"l"}`, "x"},
		{"a submission before its event", "application/json", `{"eventId":"e","data":{"submissionId":"s"}}`, "s"},
		{"a 64-bit number", "application/json", `{"lead_id":9007199254740993}`, "9007199254740993"},
		{"an id at the root", "application/json", `{"id":"7","email":"a@b.example"}`, "7"},
		{"an id of something else", "application/json", `{"form":{"id":"7"},"email":"a@b.example"}`, ""},
		{"an id among questions", "application/json", `{"fields":[{"name":"id","value":"7"}]}`, ""},
		{"a hidden event in a form", typeURLEncoded, "event_id=webinar&id=3&email=a", ""},
		{"a form that names its submission", typeURLEncoded, "submissionID=77&email=a", "77"},
		{"with characters that mean something elsewhere", "application/json", `{"lead_id":"a.b *> c"}`, "a.b *> c"},
		{"blank", "application/json", `{"lead_id":" ","id":"4"}`, "4"},
		{"too long", "application/json", `{"lead_id":"` + strings.Repeat("x", 513) + `"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.contentType, "", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := ExternalID(f.Items[0]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	f, err := Parse("application/json", "", []byte(`[{"email":"a"},{"email":"b"},{"id":"own","email":"c"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]string{{"key", "d"}, {"key#1", "d#1"}, {"own", "d#2"}} {
		if key, delivery := Identity(f, i, "key", "d"); key != want[0] || delivery != want[1] {
			t.Errorf("item %d = %q, %q; want %q", i, key, delivery, want)
		}
	}
	if key, _ := Identity(f, 0, "", "d"); key != "" {
		t.Errorf("a submission that nobody named has the key %q", key)
	}
}

func TestCanonical(t *testing.T) {
	canonical := func(contentType, body string) string {
		f, err := Parse(contentType, "utm_source=x", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Items[0].Canonical())
	}
	a := canonical("application/json", `{"email":"a@b.example","m":"x\r\ny","blank":""}`)
	b := canonical(typeURLEncoded, "m=x%0Ay&email=a%40b.example&_next=z")
	if a != b || a == "" {
		t.Errorf("equal answers differ:\n%q\n%q", a, b)
	}
	// Content cannot imitate the frame around it.
	if canonical("application/json", `{"a":"1\n1:b=1:2"}`) == canonical("application/json", `{"a":"1","b":"2"}`) {
		t.Error("different answers are equal")
	}
}
