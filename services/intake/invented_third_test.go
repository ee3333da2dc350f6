package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// inventedThird are eight more tools, written in the shapes and words of tools
// that exist before anybody looked at what becomes of them: three languages,
// questions in several layers, labels apart from their answers, a consent that is
// the text of its box, a campaign that stands in an address only, and people
// beside the one who asks.
var inventedThird = []struct {
	name, contentType, body string
	email, person           string
	company, phone, message string
	consents                []string // "given" and "refused", as they stand
	campaign                string   // source/medium/campaign
}{
	{
		name: "a German landing page", contentType: "application/json",
		body: `{"formular":"Demo-Anfrage","eingegangen":"2026-05-04T09:12:00+02:00","kennung":"LP-99812",
			"felder":{"Anrede":"Frau","Vorname":"Jana","Nachname":"Örtel","Geschäftliche E-Mail *":"jana.oertel@muster.example",
				"Firma / Organisation":"Muster Maschinenbau GmbH","Telefon (tagsüber)":"+49 711 5550 142",
				"Ihre Nachricht an uns":"Bitte um ein Angebot für 20 Arbeitsplätze.",
				"Ich bin damit einverstanden, dass meine Daten zur Bearbeitung meiner Anfrage verarbeitet werden.":"Ja"},
			"seite":"https://www.anbieter.example/demo","herkunft":"https://www.anbieter.example/demo?utm_source=newsletter&utm_medium=email&utm_campaign=mai"}`,
		email: "jana.oertel@muster.example", person: "Jana Örtel", company: "Muster Maschinenbau GmbH", phone: "+49 711 5550 142",
		message: "Bitte um ein Angebot für 20 Arbeitsplätze.", consents: []string{"given"}, campaign: "newsletter/email/mai",
	},
	{
		name: "a French survey in pages", contentType: "application/json",
		body: `{"enquete":{"id":"enq-7","titre":"Salon 2026"},"participant":{"langue":"fr"},
			"pages":[{"titre":"Vous","questions":[{"intitule":"Prénom","reponse":"Élodie"},{"intitule":"Nom de famille","reponse":"Marchand"},
				{"intitule":"Adresse électronique professionnelle","reponse":"e.marchand@exemple.example"}]},
			{"titre":"Votre société","questions":[{"intitule":"Raison sociale","reponse":"Exemple SARL"},
				{"intitule":"Numéro de téléphone portable","reponse":"+33 6 39 98 12 34"},{"intitule":"Combien de salariés ?","reponse":"50-99"},
				{"intitule":"Que pouvons-nous faire pour vous ?","reponse":"Nous cherchons une solution de suivi."},
				{"intitule":"J'accepte d'être contacté par e-mail","reponse":"Oui"}]}]}`,
		email: "e.marchand@exemple.example", person: "Élodie Marchand", company: "Exemple SARL", phone: "+33 6 39 98 12 34",
		message: "Nous cherchons une solution de suivi.", consents: []string{"given"},
	},
	{
		name: "a Spanish chat with its agent", contentType: "application/json",
		body: `{"evento":"conversacion_finalizada","conversacion":{"id":"c-551","agente":{"nombre":"Bot Clara","correo":"clara@proveedor.example"},
			"visitante":{"nombre":"Lucía","apellidos":"Fernández Gil","correo":"lucia@ejemplo.example","telefono":"+34 612 555 014","empresa":"Ejemplo S.L."},
			"ultimo_mensaje":"¿Cuánto cuesta para 30 usuarios?"},
			"url_pagina":"https://proveedor.example/precios?utm_source=google&utm_medium=cpc&utm_campaign=es-precios"}`,
		email: "lucia@ejemplo.example", person: "Lucía Fernández Gil", company: "Ejemplo S.L.", phone: "+34 612 555 014",
		message: "¿Cuánto cuesta para 30 usuarios?", campaign: "google/cpc/es-precios",
	},
	{
		name: "an attendee of an event", contentType: "application/json",
		body: `{"api_url":"https://events.example/v3/attendees/att-20","config":{"action":"attendee.created","user_id":"88"},
			"attendee":{"id":"att-20","created":"2026-04-02T08:00:00Z","status":"Attending",
			"profile":{"first_name":"Noah","last_name":"Lind","email":"noah@lind.example","company":"Lind & Co","job_title":"Head of Operations","cell_phone":"+46 70 555 01 23",
				"addresses":{"work":{"city":"Malmö","country":"SE"}}},
			"answers":[{"question_id":"q1","question":"What would you like to learn?","type":"text","answer":"How handoffs work."},
				{"question_id":"q2","question":"May we share your details with our sponsors?","type":"checkbox","answer":"No"}]}}`,
		email: "noah@lind.example", person: "Noah Lind", company: "Lind & Co", phone: "+46 70 555 01 23", consents: []string{"refused"},
	},
	{
		name: "a landing page with a campaign in its referrer", contentType: "application/json",
		body: `{"lead_id":"8831","page":{"id":"p1","variant":"B","name":"Webinar"},
			"form_data":[{"name":"your-name","label":"Your full name","value":["Priya Nair"]},{"name":"your-email","label":"Business email address","value":["priya@nair.example"]},
				{"name":"org","label":"Where do you work?","value":["Nair Labs"]},{"name":"mobile","label":"Mobile / WhatsApp","value":["+91 98765 43210"]},
				{"name":"cb_1","label":"I agree to receive product updates by email and can unsubscribe at any time.","value":["I agree"]}],
			"meta":{"ip":"203.0.113.7","ua":"Mozilla/5.0","referer":"https://landing.example/webinar?utm_source=linkedin&utm_medium=paid-social&utm_campaign=webinar-q2&li_fat_id=abc"}}`,
		email: "priya@nair.example", person: "Priya Nair", company: "Nair Labs", phone: "+91 98765 43210", consents: []string{"given"},
		campaign: "linkedin/paid-social/webinar-q2",
	},
	{
		name: "a contact of a chat with a tag", contentType: "application/json",
		body: `{"topic":"contact.tag.created","app_id":"a1","data":{"item":{"type":"contact","contact":{"id":"63a","external_id":null,"role":"lead",
			"name":"Tom Baker","email":"tom@baker.example","phone":"+442079460011","location":{"country":"United Kingdom","city":"London"},
			"custom_attributes":{"Company Name":"Baker Tools Ltd","Team size":"11-50"}},"tag":{"id":"5","name":"demo request"}}},
			"delivery_attempts":1,"first_sent_at":1775000000}`,
		email: "tom@baker.example", person: "Tom Baker", company: "Baker Tools Ltd", phone: "+442079460011",
	},
	{
		name: "a French form of labels", contentType: typeURLEncoded,
		body: "Votre+nom=Dubois&Votre+pr%C3%A9nom=Marc&Votre+e-mail=marc%40dubois.example&Soci%C3%A9t%C3%A9=Dubois+SA&T%C3%A9l.=01+99+00+12+34" +
			"&Votre+message=Rappelez-moi&acceptation-rgpd=J%27accepte+la+politique+de+confidentialit%C3%A9",
		email: "marc@dubois.example", person: "Marc Dubois", company: "Dubois SA", phone: "01 99 00 12 34",
		message: "Rappelez-moi", consents: []string{"given"},
	},
	{
		name: "Spanish questions apart from their answers", contentType: "application/json",
		body: `{"survey":{"id":"SV_1","preguntas":{"p1":"Nombre y apellidos","p2":"Correo electrónico","p3":"Empresa","p4":"Teléfono móvil",
			"p5":"¿En qué podemos ayudarle?","p6":"He leído y acepto la política de privacidad"}},
			"respuestas":{"p1":"Carlos Ruiz","p2":"carlos@ruiz.example","p3":"Ruiz e Hijos","p4":"+34 699 555 010","p5":"Quiero una demostración.","p6":"Sí"},
			"fin":"2026-03-01T10:00:00Z"}`,
		email: "carlos@ruiz.example", person: "Carlos Ruiz", company: "Ruiz e Hijos", phone: "+34 699 555 010",
		message: "Quiero una demostración.", consents: []string{"given"},
	},
}

// TestTwoPeopleSideBySideAreHeld holds that where a body speaks of two people in
// the same way nobody is guessed: the submission waits, and the other address is
// suggested.
func TestTwoPeopleSideBySideAreHeld(t *testing.T) {
	f, err := Parse("application/json", "", []byte(`{"order":"o-1","one":{"name":"Ana Bo","email":"ana@b.example","phone":"+49 30 5550 1234"},"two":{"name":"Cem Di","email":"cem@d.example"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := Map(f.Items[0], nil, nil)
	if !m.NeedsMapping {
		t.Errorf("it is not held: %v", m.Found)
	}
	for _, l := range Suggest(f.Items[0], m) {
		if l.GetPath() == "two.email" && l.GetSuggestion() == "email" {
			return
		}
	}
	t.Error("the other address is not suggested")
}

// TestOnePersonWithTwoAddressesIsNotHeld holds that two addresses among one
// person's answers are no two people.
func TestOnePersonWithTwoAddressesIsNotHeld(t *testing.T) {
	for _, body := range []string{
		`{"answers":{"E-Mail":["ana@b.example"],"Work e-mail.":["ana@work.example"]}}`,
		`{"urlParameters":{"email":"ana@b.example"},"payments":{"first":{"email":"ana@work.example"}}}`,
	} {
		f, err := Parse("application/json", "", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if m := Map(f.Items[0], nil, nil); m.NeedsMapping || m.Email != "ana@b.example" {
			t.Errorf("held %v with %s: %v", m.NeedsMapping, m.Email, m.Found)
		}
	}
}

func TestInventedToolsOfThreeLanguages(t *testing.T) {
	for _, tt := range inventedThird {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.contentType, "", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Items) != 1 {
				t.Fatalf("%d submissions", len(f.Items))
			}
			m := Map(f.Items[0], nil, nil)
			p, at := m.Submission.GetPersonal(), m.Submission.GetFeatures().GetAttribution()
			got := []string{p.GetEmail(), p.GetName(), p.GetCompany(), p.GetPhone(), p.GetMessage(), strings.Trim(at.GetSource()+"/"+at.GetMedium()+"/"+at.GetCampaign(), "/")}
			want := []string{tt.email, tt.person, tt.company, tt.phone, tt.message, tt.campaign}
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			var consents []string
			for _, c := range m.Submission.GetFeatures().GetConsents() {
				consents = append(consents, map[leadv1.ConsentState]string{leadv1.ConsentState_CONSENT_STATE_GIVEN: "given", leadv1.ConsentState_CONSENT_STATE_REFUSED: "refused"}[c.GetState()])
			}
			if !slices.Equal(consents, tt.consents) {
				t.Errorf("consents %q, want %q", consents, tt.consents)
			}
			if m.NeedsMapping {
				t.Error("it is held for its mapping")
			}
			nothingLost(t, f.Items[0], m)
			if t.Failed() {
				for _, l := range Suggest(f.Items[0], m) {
					t.Log(fmt.Sprint(l))
				}
				t.Log(m.Found)
			}
		})
	}
}
