package intake

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// reading is what somebody who reads a body would write down.
type reading struct {
	preset                               string
	email, name, company, phone, message string
	consents, utm                        string // "purpose=GIVEN", "source/medium/campaign", both joined by spaces
	id, outcome                          string
	ownID                                string // the id without the preset, where it differs; "-" = none
	suggestion                           string // "path=field", without the preset, where it needs mapping
}

// read writes down what a submission became.
func read(src *intakev1.SourceDeclared, m Mapped) reading {
	p, f := m.Submission.GetPersonal(), m.Submission.GetFeatures()
	var consents []string
	for _, c := range f.GetConsents() {
		consents = append(consents, c.GetPurpose()+"="+strings.TrimPrefix(c.GetState().String(), "CONSENT_STATE_"))
	}
	r := reading{
		email: p.GetEmail(), name: p.GetName(), company: p.GetCompany(), phone: p.GetPhone(), message: p.GetMessage(),
		consents: strings.Join(consents, " "), id: m.Submission.GetExternalId(), outcome: "lead",
	}
	if at := f.GetAttribution(); at.GetSource()+at.GetMedium()+at.GetCampaign() != "" {
		r.utm = at.GetSource() + "/" + at.GetMedium() + "/" + at.GetCampaign()
	}
	switch {
	case m.Spam != "":
		r.outcome = "spam"
	case m.Ignored != "":
		r.outcome = "ignored"
	case m.Submission.GetTest():
		r.outcome = "test"
	case Thin(src, m):
		r.outcome = "thin"
	case m.NeedsMapping:
		r.outcome = "needs-mapping"
	}
	return r
}

// Each preset, on bodies in the shape of its tool.
func TestPresetMappings(t *testing.T) {
	const form = typeURLEncoded
	tests := []struct {
		name, contentType, body string
		headers                 []string
		want                    []reading
	}{
		{
			name: "typeform", body: `{"event_id":"e1","event_type":"form_response","form_response":{"token":"t1","hidden":{"utm_source":"ad","utm_campaign":"q3"},
				"definition":{"fields":[{"id":"f1","ref":"r1","title":"Work email?","type":"email"},{"id":"f2","title":"What is your name?","type":"short_text"},{"id":"f3","title":"You accept our terms","type":"legal"},{"id":"f4","title":"Your phone","type":"phone_number"}]},
				"answers":[{"type":"email","email":"ana@b.example","field":{"id":"f1","ref":"r1","type":"email"}},{"type":"text","text":"Ana Bo","field":{"id":"f2","type":"short_text"}},
				{"type":"boolean","boolean":true,"field":{"id":"f3","type":"legal"}},{"type":"phone_number","phone_number":"+493055501234","field":{"id":"f4","type":"phone_number"}}]}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", phone: "+493055501234", consents: "processing=GIVEN", utm: "ad//q3", id: "t1", outcome: "lead"}},
		},
		{
			name: "typeform", body: `{"event_id":"e2","event_type":"form_response_partial","form_response":{"token":"t1","answers":[{"type":"email","email":"ana@b.example","field":{"id":"f1","type":"email"}}]}}`,
			want: []reading{{email: "ana@b.example", id: "t1", outcome: "ignored"}},
		},
		{
			name: "hubspot", body: `[{"eventId":1,"subscriptionType":"contact.creation","portalId":5,"objectId":9007199254740993},{"eventId":2,"subscriptionType":"contact.privacyDeletion","portalId":5,"objectId":8},{"eventId":3,"subscriptionType":"deal.creation","portalId":5,"objectId":7}]`,
			want: []reading{{id: "5|9007199254740993", outcome: "thin"}, {id: "5|8", outcome: "ignored"}, {id: "5|7", outcome: "ignored"}},
		},
		{name: "hubspot-v1", body: `[{"eventId":4,"subscriptionType":"contact.propertyChange","portalId":5,"objectId":8,"propertyName":"email","propertyValue":"new@b.example"}]`, want: []reading{{id: "5|8", outcome: "thin"}}},
		{name: "hubspot-v2", body: `[{"eventId":4,"subscriptionType":"contact.propertyChange","portalId":5,"objectId":8,"propertyName":"phone","propertyValue":"+493055501234"}]`, want: []reading{{id: "5|8", outcome: "thin"}}},
		{
			name: "hubspot-workflow", body: `{"vid":7,"properties":{"email":{"value":"ana@b.example","versions":[{"value":"old@b.example"}]},"firstname":{"value":"Ana","versions":[]},"lastname":{"value":"Bo","versions":[]},"company":{"value":"Acme","versions":[]},"phone":{"value":"030 5550 1234","versions":[]}},"associated-owner":{"email":"owner@c.example","first-name":"Boss"}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", company: "Acme", phone: "030 5550 1234", id: "7", outcome: "lead"}},
		},
		{
			name: "hubspot-forms", body: `{"fields":[{"objectTypeId":"0-1","name":"email","value":"ana@b.example"},{"name":"firstname","value":"Ana"},{"name":"interests","value":"A;B"}],"context":{"hutk":"h","pageUri":"https://x.example/p?utm_source=ad","pageName":"P"},
				"legalConsentOptions":{"consent":{"consentToProcess":true,"text":"Process","communications":[{"value":false,"subscriptionTypeId":9,"text":"Mail"}]}}}`,
			want: []reading{{email: "ana@b.example", name: "Ana", consents: "processing=GIVEN communication-9=REFUSED", utm: "ad//", outcome: "lead"}},
		},
		{
			name: "webflow", body: `{"triggerType":"form_submission","payload":{"name":"Contact","id":"w1","data":{"e-1":"ana@b.example","Name":"Ana Bo"},"schema":[{"fieldName":"Email","fieldElementId":"e-1"}]}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", id: "w1", outcome: "lead"}},
		},
		{
			name: "webflow", body: `{"name":"Contact","site":"s","data":{"Email":"ana@b.example"},"d":"2022-01-01","_id":"v1"}`,
			want: []reading{{email: "ana@b.example", id: "v1", outcome: "lead"}},
		},
		{name: "webflow", body: `{"triggerType":"site_publish","payload":{"id":"x"}}`, want: []reading{{id: "x", outcome: "ignored"}}},
		{
			name: "html", contentType: form, body: "name=Ana+Bo&email=ana%40b.example&interests[]=A&interests[]=B&newsletter=on&_next=https%3A%2F%2Fx.example",
			want: []reading{{email: "ana@b.example", name: "Ana Bo", consents: "newsletter=GIVEN", outcome: "lead"}},
		},
		{
			name: "elementor", contentType: form, body: "fields[name][id]=name&fields[name][title]=Name&fields[name][value]=Ana+Bo&fields[f2][id]=f2&fields[f2][type]=email&fields[f2][title]=Reach+you&fields[f2][value]=ana%40b.example&meta[page_url][title]=Page+URL&meta[page_url][value]=https%3A%2F%2Fx.example%2Fp%3Futm_source%3Dad",
			want: []reading{{email: "ana@b.example", name: "Ana Bo", utm: "ad//", outcome: "lead"}},
		},
		{
			name: "elementor", contentType: form, body: "Name=Ana+Bo&E-Mail=ana%40b.example&No+Label+field_3=x&Page+URL=https%3A%2F%2Fx.example%2F&form_id=f&form_name=Contact",
			want: []reading{{email: "ana@b.example", name: "Ana Bo", outcome: "lead"}},
		},
		{
			name: "gravity-forms", body: `{"id":"12","form_id":"3","1.3":"Ana","1.6":"Bo","2":"ana@b.example","6.1":"A","6.2":"","ip":"203.0.113.1","source_url":"https://x.example/p","status":"active"}`,
			want: []reading{{email: "ana@b.example", id: "3|12", outcome: "lead"}},
		},
		{
			name: "wpforms", body: `{"name":{"first":"Ana","last":"Bo"},"email":"ana@b.example","services":"A||B","entry_id":"5","when":{"value":"10/02/2026","unix":1790899200}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", id: "5", outcome: "lead"}},
		},
		{
			name: "contact-form-7", body: `{"your-name":"Ana Bo","your-email":"ana@b.example","your-message":"Hi","acceptance-2":"I agree that you keep this","file-1":{"filename":"a.pdf","content":"QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", message: "Hi", consents: "processing=GIVEN", outcome: "lead"}},
		},
		{
			name: "google-ads", body: `{"lead_id":"g1","google_key":"k","is_test":false,"gcl_id":"c","form_id":349080077126,"user_column_data":[{"column_id":"EMAIL","string_value":"ana@gmail.com"},{"column_id":"WORK_EMAIL","string_value":"ana@b.example"},{"column_id":"FULL_NAME","string_value":"Ana Bo"},{"column_id":"COMPANY_NAME","string_value":"Acme"}]}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", company: "Acme", id: "g1", outcome: "lead"}},
		},
		{
			name: "calendly", body: `{"event":"invitee.created","payload":{"uri":"u2","old_invitee":"u1","rescheduled":false,"email":"ana@b.example","name":"Ana Bo","questions_and_answers":[{"question":"Company","answer":"Acme","position":0}],"tracking":{"utm_source":"ad","utm_medium":"cpc"}}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", company: "Acme", utm: "ad/cpc/", id: "u2", outcome: "lead"}},
		},
		{name: "calendly", body: `{"event":"invitee.canceled","payload":{"uri":"u1","email":"ana@b.example","name":"Ana Bo"}}`, want: []reading{{email: "ana@b.example", name: "Ana Bo", id: "u1", outcome: "ignored"}}},
		{
			name: "zapier", body: `[{"external_id":"z1","email":"ana@b.example","first_name":"Ana","last_name":"","consent":"True","utm_source":"ad"}]`,
			want: []reading{{email: "ana@b.example", name: "Ana", consents: "processing=GIVEN", utm: "ad//", id: "z1", outcome: "lead"}},
		},
		{name: "make", contentType: form, body: "external_id=m1&email=ana%40b.example&consent=no", want: []reading{{email: "ana@b.example", consents: "processing=REFUSED", id: "m1", outcome: "lead"}}},
		{
			name: "standard-webhooks", body: `{"type":"contact.created","data":{"id":"c1","email":"ana@b.example","name":"Ana Bo"}}`, headers: []string{"webhook-id", "msg_1"},
			want: []reading{{email: "ana@b.example", name: "Ana Bo", id: "msg_1", outcome: "lead"}},
		},
		{name: "svix", body: `{"email":"ana@b.example"}`, headers: []string{"svix-id", "msg_2"}, want: []reading{{email: "ana@b.example", id: "msg_2", outcome: "lead"}}},
		{name: "linkedin", body: `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:x:1","leadAction":"CREATED","occurredAt":1}`, want: []reading{{id: "urn:x:1", outcome: "thin"}}},
		{name: "linkedin", body: `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:x:1","leadAction":"DELETED","occurredAt":1}`, want: []reading{{id: "urn:x:1", outcome: "ignored"}}},
		{
			name: "linkedin", body: `{"id":"x1","testLead":false,"submittedAt":1706741502694,"formResponse":{"consentResponses":[{"consentId":4,"accepted":true}],"answers":[{"questionId":1,"answerDetails":{"textQuestionAnswer":{"answer":"ana@b.example"}}},{"questionId":2,"answerDetails":{"multipleChoiceAnswer":{"options":["A"]}}}]}}`,
			want: []reading{{email: "ana@b.example", consents: "consent-4=GIVEN", id: "x1", outcome: "lead"}},
		},
		{
			name: "meta", body: `{"object":"page","entry":[{"id":"1","changes":[{"field":"leadgen","value":{"leadgen_id":"9007199254740993"}},{"field":"feed","value":{}}]},{"id":"1","changes":[{"field":"leadgen","value":{"leadgen_id":444444444444}}]}]}`,
			want: []reading{{id: "9007199254740993", outcome: "thin"}, {outcome: "ignored"}, {id: "444444444444", outcome: "test"}},
		},
		{
			name: "meta", body: `{"id":"l1","field_data":[{"name":"email","values":["ana@b.example"]},{"name":"full_name","values":["Ana Bo"]},{"name":"company_name","values":["Acme"]}],"custom_disclaimer_responses":[{"checkbox_key":"news","is_checked":"1"}]}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", company: "Acme", consents: "disclaimer-news=GIVEN", id: "l1", outcome: "lead"}},
		},
		{
			name: "tally", body: `{"eventId":"e","eventType":"FORM_RESPONSE","data":{"submissionId":"t1","fields":[{"key":"question_1","label":"Email","type":"INPUT_EMAIL","value":"ana@b.example"},{"key":"question_2","label":"Size","type":"DROPDOWN","value":["o2"],"options":[{"id":"o2","text":"51-200"}]},{"key":"question_3","label":"Phone","type":"INPUT_PHONE_NUMBER","value":null},{"key":"question_4","label":"utm_source","type":"HIDDEN_FIELDS","value":"ad"}]}}`,
			want: []reading{{email: "ana@b.example", utm: "ad//", id: "t1", outcome: "lead"}},
		},
		{
			name: "fillout", body: `{"formId":"f","submission":{"submissionId":"s1","questions":[{"id":"a","name":"Email","type":"EmailInput","value":"ana@b.example"},{"id":"b","name":"Company","type":"ShortAnswer","value":"Acme"}],"urlParameters":[{"id":"utm_source","name":"utm_source","value":"ad"}]}}`,
			want: []reading{{email: "ana@b.example", company: "Acme", utm: "ad//", id: "s1", outcome: "lead"}},
		},
		{name: "framer", body: `{"Name":"Ana Bo","Email":"ana@b.example"}`, headers: []string{"framer-webhook-submission-id", "f1"}, want: []reading{{email: "ana@b.example", name: "Ana Bo", id: "f1", outcome: "lead"}}},
		{
			name: "jotform", contentType: form, body: "submissionID=j1&formTitle=F&pretty=x&webhookURL=https%3A%2F%2Fx.example%2Fsecret&rawRequest=" + `{"q3_name":{"first":"Ana","last":"Bo"},"q4_email":"ana@b.example","q5_phone":{"area":"030","phone":"5550 1234"},"q6_date":{"day":"1","month":"2","year":"2026"}}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", phone: "030 5550 1234", id: "j1", outcome: "lead"}},
		},
		{
			name: "unbounce", contentType: form, body: "page_url=https%3A%2F%2Fx.example%2F%3Futm_source%3Dad&variant=a&data.xml=x&data.json=" + `{"email":["ana@b.example"],"full_name":["Ana Bo"],"time_submitted":["12:12 PM UTC"]}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", utm: "ad//", outcome: "lead"}},
		},
		{
			name: "salesforce-web-to-lead", contentType: form, body: "oid=0&retURL=https%3A%2F%2Fx.example&first_name=Ana&last_name=Bo&email=ana%40b.example&company=Acme&title=CTO&description=Hi&phone=030&emailOptOut=1",
			want: []reading{{email: "ana@b.example", name: "Ana Bo", company: "Acme", phone: "030", message: "Hi", consents: "marketing=REFUSED", outcome: "lead"}},
		},
		{
			name: "netlify", body: `{"id":"n1","number":1,"title":"Ana","email":"ana@b.example","name":"Ana Bo","body":"Hi","data":{"name":"Ana Bo","email":"ana@b.example","message":"Hi","referrer":"https://x.example/p"},"human_fields":{"Name":"Ana Bo"},"ordered_human_fields":[{"title":"Name","name":"name","value":"Ana Bo"}]}`,
			want: []reading{{email: "ana@b.example", name: "Ana Bo", message: "Hi", id: "n1", outcome: "lead"}},
		},
		{name: "formspree", body: `{"form":"f","keys":["email","message"],"submission":{"_replyto":"ana@b.example","message":"Hi","_subject":"S","_gotcha":""}}`, want: []reading{{email: "ana@b.example", message: "Hi", outcome: "lead"}}},
		{name: "surveymonkey", body: `{"name":"Hook","event_type":"response_completed","event_id":"1","object_type":"response","object_id":"o1"}`, want: []reading{{id: "o1", outcome: "thin"}}},
		{name: "surveymonkey", body: `{"name":"Hook","event_type":"survey_created","event_id":"2","object_id":"o2"}`, want: []reading{{id: "o2", outcome: "ignored"}}},
		{
			name: "cloudevents", contentType: "application/cloudevents+json", body: `{"specversion":"1.0","type":"t","source":"/s","id":"1","data":"{\"email\":\"ana@b.example\"}"}`,
			want: []reading{{email: "ana@b.example", id: "/s|1", outcome: "lead"}},
		},
		{
			name: "cloudevents", contentType: "application/cloudevents-batch+json", body: `[{"specversion":"1.0","type":"t","source":"/s","id":"1","data":{"email":"ana@b.example"}},{"specversion":"1.0","type":"t","source":"/s","id":"2","data_base64":"eyJlbWFpbCI6ImJvQGIuZXhhbXBsZSJ9"}]`,
			want: []reading{{email: "ana@b.example", id: "/s|1", outcome: "lead"}, {email: "bo@b.example", id: "/s|2", outcome: "lead"}},
		},
		{name: "cloudevents", body: `{"email":"ana@b.example"}`, headers: []string{"ce-source", "/s", "ce-id", "1"}, want: []reading{{email: "ana@b.example", id: "/s|1", outcome: "lead"}}},
	}
	tried := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tried[tt.name] = true
			src := &intakev1.SourceDeclared{Preset: tt.name}
			if PresetOf(tt.name).GetMapping() == nil {
				t.Fatal("no such preset")
			}
			f, ms := deliver(t, src, orElse(tt.contentType, "application/json"), tt.body, tt.headers...)
			if len(ms) != len(tt.want) {
				t.Fatalf("%d submissions, want %d", len(ms), len(tt.want))
			}
			for i, m := range ms {
				if got := read(src, m); got != tt.want[i] {
					t.Errorf("submission %d (-want +got):\n%s", i, cmp.Diff(tt.want[i], got, cmp.AllowUnexported(reading{})))
				}
				if m.Used != tt.name {
					t.Errorf("used %q", m.Used)
				}
				nothingLost(t, f.Items[i], m)
			}
		})
	}
	for _, p := range Presets() {
		if p.GetMapping() != nil && !tried[p.GetName()] {
			t.Errorf("nobody tries %s", p.GetName())
		}
	}
}
