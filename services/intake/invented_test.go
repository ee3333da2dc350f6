package intake

import (
	"fmt"
	"strings"
	"testing"
)

// invented are tools that nobody has heard of, in shapes that were written
// before anybody looked at what becomes of them. Each must come out right, or be
// held with the right suggestion.
var invented = []struct {
	name, contentType, body string
	want                    string   // email|name|company|phone
	needsMapping            bool     // whether it is held
	suggested               []string // "path=field"
}{
	{
		name: "resource with attributes", contentType: "application/vnd.api+json",
		body: `{"data":{"type":"enquiries","id":"42","attributes":{"email-address":"ana@b.example","full-name":"Ana Bo","company-name":"Acme","telephone":"+49 30 5550 1234","created-at":"2026-05-01T10:00:00Z"},
			"relationships":{"owner":{"data":{"type":"users","id":"7"}}}},"jsonapi":{"version":"1.0"}}`,
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "edges and nodes", contentType: "application/json",
		body: `{"response":{"uuid":"r-1","edges":[{"node":{"question":{"text":"What is your email?"},"reply":{"text":"ana@b.example"}}},
			{"node":{"question":{"text":"Your name"},"reply":{"text":"Ana Bo"}}},{"node":{"question":{"text":"Company"},"reply":{"text":"Acme"}}}]}}`,
		want: "ana@b.example|Ana Bo|Acme|",
	},
	{
		name: "an object of boxes without a value", contentType: "application/json",
		body: `{"responses":{"f_1":{"label":"E-Mail","answer":"ana@b.example"},"f_2":{"label":"Ihr Name","answer":"Ana Bo"},"f_3":{"label":"Firma","answer":"Acme"},"f_4":{"label":"Telefon","answer":"030 5550 1234"}}}`,
		want: "ana@b.example|Ana Bo|Acme|030 5550 1234",
	},
	{
		name: "another language, nested", contentType: "application/json",
		body: `{"Absender":{"Vorname":"Ana","Nachname":"Bo","E-Mail-Adresse":"ana@b.example","Rufnummer":"+49 30 5550 1234","Organisation":"Acme"},"Anliegen":"Bitte um Rückruf","Einwilligung":"ja"}`,
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "prompts and responses", contentType: "application/json",
		body: `{"session":"s-9","turns":[{"prompt":"Where can we write to you?","response":"ana@b.example"},{"prompt":"Who are you?","response":"Ana Bo"},{"prompt":"Which company do you work for?","response":"Acme"}]}`,
		want: "ana@b.example|Ana Bo|Acme|",
	},
	{
		name: "kinds of contact", contentType: "application/json",
		body: `{"visitor":{"nickname":"ana","contact_details":[{"kind":"email","detail":"ana@b.example"},{"kind":"phone","detail":"+49 30 5550 1234"}]},"transcript":"Hello, what does it cost?"}`,
		want: "ana@b.example|||+49 30 5550 1234",
	},
	{
		name: "a header line and a row", contentType: "application/json",
		body: `{"sheet":"Leads","columns":["Work e-mail","Your name","Company"],"row":["ana@b.example","Ana Bo","Acme"]}`,
		want: "ana@b.example|Ana Bo|Acme|",
	},
	{
		name: "lines of text", contentType: "text/plain",
		body: "Name: Ana Bo\nE-Mail: ana@b.example\nFirma: Acme\nTelefon: +49 30 5550 1234\n\nBitte um Rückruf.",
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "a text with one colon", contentType: "text/plain", body: "Company: please call me",
		want: "|||", needsMapping: true,
	},
	// A second set, written when the first came out right.
	{
		name: "sections with entries", contentType: "application/json",
		body: `{"formular":"Kontakt","sections":[{"heading":"Zur Person","entries":[{"caption":"Vor- und Nachname","content":"Ana Bo"},{"caption":"Ihre E-Mail-Adresse","content":"ana@b.example"}]},
			{"heading":"Zum Unternehmen","entries":[{"caption":"Unternehmen","content":"Acme"},{"caption":"Telefonnummer","content":"+49 30 5550 1234"}]}]}`,
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "a row of a sheet", contentType: "application/json",
		body: `{"spreadsheetId":"x1","values":{"Timestamp":"2026-05-01 10:00","Email Address":"ana@b.example","What is your full name?":"Ana Bo","Company / Organisation":"Acme","Best phone number to reach you":"+49 30 5550 1234"}}`,
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "a contact of an address book", contentType: "application/json",
		body: `{"contact":{"names":[{"givenName":"Ana","familyName":"Bo"}],"emailAddresses":[{"value":"ana@b.example","type":"work"}],"phoneNumbers":[{"value":"+49 30 5550 1234","type":"mobile"}],"organizations":[{"name":"Acme","title":"CTO"}]}}`,
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "bracketed and prefixed form fields", contentType: typeURLEncoded,
		body: "lead%5Bcontact%5D%5Bfirst%5D=Ana&lead%5Bcontact%5D%5Blast%5D=Bo&lead%5Bcontact%5D%5Bemail_addr%5D=ana%40b.example&lead%5Bfirm%5D=Acme&lead%5Bcontact%5D%5Btel_no%5D=%2B49+30+5550+1234",
		want: "ana@b.example|Ana Bo|Acme|+49 30 5550 1234",
	},
	{
		name: "two addresses and nothing that says whose", contentType: "application/json",
		body: `{"payload":{"from":"ana@b.example","to":"sales@acme.example","subject":"Prices"}}`,
		want: "ana@b.example|||", needsMapping: true, suggested: []string{"payload.to=email"},
	},
	{
		name: "codes for questions", contentType: "application/json",
		body: `{"survey":"s1","a1":"Ana Bo","a2":"Acme","a3":"call me on Monday","b7":"0171 5550123"}`,
		want: "|||", needsMapping: true,
	},
}

func TestInventedTools(t *testing.T) {
	for _, tt := range invented {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse(tt.contentType, "", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Items) != 1 {
				t.Fatalf("%d submissions", len(f.Items))
			}
			m := Map(f.Items[0], nil, nil)
			p := m.Submission.GetPersonal()
			if got := strings.Join([]string{p.GetEmail(), p.GetName(), p.GetCompany(), p.GetPhone()}, "|"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if m.NeedsMapping != tt.needsMapping {
				t.Errorf("needs mapping: %v", m.NeedsMapping)
			}
			suggested := map[string]bool{}
			for _, l := range Suggest(f.Items[0], m) {
				suggested[l.GetPath()+"="+l.GetSuggestion()] = true
			}
			for _, s := range tt.suggested {
				if !suggested[s] {
					t.Errorf("%s is not suggested: %v", s, suggested)
				}
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
