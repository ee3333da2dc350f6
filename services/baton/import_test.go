package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// typed points the command line at a house.
func (h *house) typed() {
	h.t.Setenv(envServer, h.GRPCAddr)
	h.t.Setenv(envToken, h.admin)
}

// registrations is a file of leads, some of which fit the starter agreement:
// every third is an intern of a small firm, every fifth has no address, every seventh is a test.
func registrations(n int) []string {
	rows := []string{"id,first_name,last_name,email,company,job_title,country,employees,test"}
	for i := range n {
		size, title, email, test := 80, "Head of Marketing", fmt.Sprintf("ada.%d@maschinen.example", i), ""
		if i%3 == 0 {
			size, title = 3, "Intern"
		}
		if i%5 == 4 {
			email = ""
		}
		if i%7 == 6 {
			test = "true"
		}
		rows = append(rows, fmt.Sprintf("R-%d,Ada,Example%d,%s,Maschinen AG,%s,DE,%d,%s", i, i, email, title, size, test))
	}
	return rows
}

// TestPreviewComesTrue: what a dry run says is what the run then does, and the
// dry run itself leaves nothing behind.
func TestPreviewComesTrue(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara", "dan")
	h.typed()
	rows := registrations(60)
	h.submit("R-1", filled(1)) // here already, with other contents
	h.settle()
	file := writeFile(t, "leads.csv", strings.Join(append(rows, rows[3], rows[9]), "\n")+"\n")
	before := must[uint64](t)(h.App.log.Last(t.Context(), "LEDGER"))
	foreseen := tallied(t, "import", file, "--source", "web", "--dry-run").Preview
	if after := must[uint64](t)(h.App.log.Last(t.Context(), "LEDGER")); after != before {
		t.Fatalf("the dry run said %d events", after-before)
	}
	if again := tallied(t, "import", file, "--source", "web", "--dry-run").Preview; again.KnownPersons != foreseen.KnownPersons {
		t.Error("the dry run made persons known")
	}
	if foreseen.InFile != 2 || foreseen.Known+foreseen.Revisions != 1 || foreseen.MQL == 0 || foreseen.StayLead == 0 || foreseen.Test == 0 || foreseen.NeedsMapping == 0 || len(foreseen.Examples) != mostExamples {
		t.Errorf("foreseen %+v", foreseen)
	}
	was := h.figures("funnel")
	got := tallied(t, "import", file, "--source", "web")
	same(t, "the run", got, importTally{Rows: 62, Accepted: 62, New: 59, There: 3})
	h.settle()
	is := h.figures("funnel")
	same(t, "leads", is["received"]-was["received"], float64(foreseen.Leads+foreseen.NeedsMapping))
	same(t, "MQL", is["mql"]-was["mql"], float64(foreseen.MQL))
	same(t, "refused", is["refused"]-was["refused"], float64(foreseen.Test+foreseen.Spam))

	// And all of it is here now.
	if now := tallied(t, "import", file, "--source", "web", "--dry-run").Preview; now.Leads != 0 || now.Known+now.Revisions != 60 || now.InFile != 2 {
		t.Errorf("afterwards %+v", now)
	}
	same(t, "once more", tallied(t, "import", file, "--source", "web").New, int64(0))
	whole(t, h)
}

// TestOutcomesWaitForTheirLeads: what comes before its lead is listed and is
// recorded when the lead comes; across a stop and a start.
func TestOutcomesWaitForTheirLeads(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	h.agree(h.document())
	h.team("ana", "ben")
	h.typed()
	outcomes := writeFile(t, "outcomes.csv", `id,external_id,outcome,occurred_at,member,reason
o1,D-1,won,2026-02-03T10:00:00Z,ana,
o2,D-1,touch,2026-02-02T10:00:00Z,ben,
o3,D-2,lost,2026-01-01T10:00:00Z,ana,too early
o4,D-3,working,2026-02-03T10:00:00Z,ana,
`)
	args := []string{"import", outcomes, "--source", "web", "--kind", "outcomes"}
	same(t, "before the leads", tallied(t, args...), importTally{Rows: 4, Accepted: 4, Waiting: 4})
	same(t, "once more", tallied(t, args...), importTally{Rows: 4, Accepted: 4, There: 4})
	resolved := must[*intakev1.ResolveLeadsResponse](t)(intakev1.NewIntakeServiceClient(h.conn).ResolveLeads(h.as(""), &intakev1.ResolveLeadsRequest{Source: "web", ExternalIds: []string{"D-1", "D-2", "D-3"}})).GetLeads()
	waits := func() (out []string) {
		t.Helper()
		service, token := feedbackv1.NewFeedbackServiceClient(h.conn), ""
		for {
			page := must[*feedbackv1.ListWaitingOutcomesResponse](t)(service.ListWaitingOutcomes(h.as("ana"), &feedbackv1.ListWaitingOutcomesRequest{PageSize: 1, PageToken: token}))
			for _, o := range page.GetOutcomes() {
				out = append(out, o.GetLeadId()+" "+o.GetMember())
			}
			if token = page.GetNextPageToken(); token == "" {
				return out
			}
		}
	}
	d1, d2, d3 := resolved[0].GetLeadId(), resolved[1].GetLeadId(), resolved[2].GetLeadId()
	same(t, "waiting", waits(), []string{d1 + " ana", d1 + " ben", d2 + " ana", d3 + " ana"})
	has(t, ok(t, "feedback", "waiting"), "LEAD TO COME", d1, "won", "2026-02-03T10:00:00Z")

	h.stop()
	h2 := start(t, Config{Data: data})
	h2.tokens, h2.signs = h.tokens, h.signs
	h = h2
	h.typed()
	same(t, "waiting after a stop", len(waits()), 4)
	past := writeFile(t, "past.csv", "external_id,email,company,received_at,owner,outcome\nD-1,a@firm.example,Firm,2026-02-01,ana,open\nD-2,b@firm.example,Firm,2026-02-01,ana,open\n")
	same(t, "the leads", tallied(t, "import", past, "--source", "web", "--history").New, int64(2))
	h.settle()
	same(t, "waiting still", waits(), []string{d3 + " ana"})
	if l := h.lead(d1); l.GetState() != leadv1.State_STATE_WON || l.GetOwner() != "ana" {
		t.Errorf("D-1 is %v of %s", l.GetState(), l.GetOwner())
	}
	same(t, "what happened to D-1", h.types("lead."+d1), []string{"LeadReceived", "PersonAttached", "OutcomeRecorded", "OutcomeRecorded", "OutcomeRecorded"})
	same(t, "what waited for D-2", h.types("org.outcome."+d2), []string{"OutcomeWaiting", "OutcomeReleased"})
	if l := h.lead(d2); l.GetState() == leadv1.State_STATE_LOST {
		t.Error("D-2 was lost before it was received")
	}
	same(t, "afterwards", tallied(t, args...), importTally{Rows: 4, Accepted: 3, There: 3, Rejected: 1, Rejects: outcomes + ".rejects.csv"})
	whole(t, h)
}

// TestImportedOutcomesOfLiveLeads: another system may close what is offered here.
func TestImportedOutcomesOfLiveLeads(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara", "dan")
	h.typed()
	id := h.submit("L-1", filled(1))
	h.settle()
	file := writeFile(t, "o.csv", "external_id,outcome,occurred_at,member,value\nL-1,won,2026-03-02T09:00:00Z,ana,1200\n")
	mapping := writeFile(t, "m.yaml", "columns:\n  external_id: external_id\n  outcome: outcome\n  occurred_at: occurred_at\n  member: member\n  value: {column: value, currency: EUR}\n")
	same(t, "the run", tallied(t, "import", file, "--source", "web", "--kind", "outcomes", "--map", mapping).New, int64(1))
	h.settle()
	if l := h.lead(id); l.GetState() != leadv1.State_STATE_WON {
		t.Errorf("the lead is %v", l.GetState())
	}
	has(t, h.sentences(id), "1200.00 EUR")
	for member, load := range h.loads() {
		if load != 0 {
			t.Errorf("%s still holds %d", member, load)
		}
	}
	whole(t, h)
}

func TestAccountsAreKeptAndListed(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben")
	h.typed()
	file := writeFile(t, "accounts.csv", "domain,name,owner,segment\nhttps://www.Firm.co.uk/about,Firm,ana,enterprise\nbüro.example,Büro,,\nlocalhost,Nowhere,,\nfirm.co.uk,Firm,ana,enterprise\n")
	args := []string{"import", file, "--kind", "accounts"}
	same(t, "the run", tallied(t, args...), importTally{Rows: 4, Accepted: 3, New: 2, There: 1, Rejected: 1, Rejects: file + ".rejects.csv"})
	same(t, "once more", tallied(t, args...).New, int64(0))
	has(t, ok(t, "account", "list"), "firm.co.uk", "xn--bro-hoa.example", "enterprise")
	if a := h.accounts.ByDomain("firm.co.uk"); a.GetOwner() != "ana" {
		t.Errorf("got %v", a)
	}
	changed := writeFile(t, "accounts.csv", "domain,name,owner,segment\nfirm.co.uk,Firm,ben,enterprise\n")
	same(t, "a change", tallied(t, "import", changed, "--kind", "accounts").New, int64(1))
	if a := h.accounts.ByDomain("firm.co.uk"); a.GetOwner() != "ben" {
		t.Errorf("got %v", a)
	}
	whole(t, h)
}

// TestCheckKnowsPersons: by address or number, and without making anybody known.
func TestCheckKnowsPersons(t *testing.T) {
	h := start(t, Config{})
	service := intakev1.NewIntakeServiceClient(h.conn)
	check := func(subs ...*intakev1.Submission) (out []string) {
		t.Helper()
		for _, r := range must[*intakev1.CheckSubmissionsResponse](t)(service.CheckSubmissions(h.as(""), &intakev1.CheckSubmissionsRequest{Source: "web", Submissions: subs})).GetResults() {
			out = append(out, r.GetOutcome())
		}
		return out
	}
	sub := func(id, email, phone string) *intakev1.Submission {
		return &intakev1.Submission{ExternalId: id, Personal: &leadv1.PersonalData{Email: email, Phone: phone}}
	}
	test := sub("5", "t@b.example", "")
	test.Test = true
	all := []*intakev1.Submission{sub("1", "a@b.example", ""), sub("2", "A@B.example ", ""), sub("3", "", "+49 30 1234567"), sub("4", "", ""), test}
	same(t, "nobody is known", check(all...), []string{"lead", "lead", "lead", "needs-mapping", "test"})
	same(t, "nor now", check(all...), []string{"lead", "lead", "lead", "needs-mapping", "test"})
	must[*intakev1.SubmitResponse](t)(service.Submit(h.as(""), &intakev1.SubmitRequest{Source: "web", IdempotencyKey: "1", Submission: sub("", "a@b.example", "+49301234567")}))
	h.settle()
	same(t, "somebody is known", check(all...), []string{"revision", "known-person", "known-person", "needs-mapping", "test"})
	same(t, "a repeat", check(sub("1", "a@b.example", "+49301234567")), []string{"repeat"})

	// What is found out about a submission does not make another of it.
	h.change("web", &intakev1.SourceDeclared{Region: "DE"}, "region")
	must[*intakev1.SubmitResponse](t)(service.Submit(h.as(""), &intakev1.SubmitRequest{Source: "web", IdempotencyKey: "6", Submission: sub("", "x@mailinator.com", "030 1234567")}))
	h.settle()
	same(t, "a repeat by region and with a throw-away address", check(sub("6", "x@mailinator.com", "030 1234567")), []string{"repeat"})
}

// outcome rows that come in any order leave the same lead.
func TestOutcomesInAnyOrder(t *testing.T) {
	rows := []string{"o1,D-1,won,2026-02-03T10:00:00Z,ana", "o2,D-1,touch,2026-02-02T10:00:00Z,ben", "o3,D-1,touch,2026-02-02T12:00:00Z,ana"}
	var states []string
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		h := start(t, Config{})
		h.typed()
		past := writeFile(t, "past.csv", "external_id,email,received_at,owner,outcome\nD-1,a@firm.example,2026-02-01,ana,open\n")
		tallied(t, "import", past, "--source", "web", "--history")
		text := "id,external_id,outcome,occurred_at,member\n"
		for _, i := range order {
			text += rows[i] + "\n"
		}
		same(t, "taken", tallied(t, "import", writeFile(t, "o.csv", text), "--source", "web", "--kind", "outcomes").New, int64(3))
		h.settle()
		l := h.lead(must[*intakev1.ResolveLeadsResponse](t)(intakev1.NewIntakeServiceClient(h.conn).ResolveLeads(h.as(""), &intakev1.ResolveLeadsRequest{Source: "web", ExternalIds: []string{"D-1"}})).GetLeads()[0].GetLeadId())
		states = append(states, fmt.Sprint(l.GetState(), l.GetOwner()))
	}
	if len(slices.Compact(states)) != 1 {
		t.Errorf("the order matters: %v", states)
	}
}

// TestPastTakesFromAccountsAndPlaces: a deal of the past has the industry, size and
// country of its account, which is known by name alone, its product as it is written,
// and its owner from the day on which it came; the owner's place counts since it held.
func TestPastTakesFromAccountsAndPlaces(t *testing.T) {
	h := start(t, Config{})
	h.typed()
	people := writeFile(t, "people.csv", "handle,roles,team,manager,office,from\nana,sales,North,Mia Roth,Oslo,2024-01-01\nana,sales,South,,Rome,2025-07-01\n")
	same(t, "people", tallied(t, "import", people, "--kind", "people").Accepted, int64(2))
	accounts := writeFile(t, "accounts.csv", "name,industry,employees,country,owner\nAcme Corporation,technolgy,80,Norway,ana\n")
	same(t, "accounts", tallied(t, "import", accounts, "--kind", "accounts").New, int64(1))
	has(t, ok(t, "account", "list"), "Acme Corporation", "technolgy", "80", "NO")
	deals := writeFile(t, "deals.csv", "external_id,company,product,industry,received_at,closed_at,outcome,owner\n"+
		"1,acme corporation,Lathe,,2025-01-10,2025-03-10,won,ana\n2,ACME Corp.,Saw,retail,2025-01-11,,open,ana\n3,Hooli,Saw,,2025-01-12,,open,ana\n")
	args := []string{"import", deals, "--source", "web", "--history"}
	same(t, "deals", tallied(t, args...), importTally{Rows: 3, Accepted: 3, New: 3})
	last := func() uint64 { return must[uint64](t)(h.App.log.Last(t.Context(), "LEDGER")) }
	h.settle()
	before := last()
	for _, again := range [][]string{args, {"import", people, "--kind", "people"}, {"import", accounts, "--kind", "accounts"}} {
		same(t, "new", tallied(t, again...).New, int64(0))
	}
	h.settle()
	same(t, "events of the second import", last()-before, uint64(0))

	counted := func(by string, more ...string) map[string]int64 {
		t.Helper()
		var report struct {
			Rows []struct {
				Key      string
				Received int64
			}
		}
		if err := json.Unmarshal([]byte(ok(t, append([]string{"report", "funnel", "--historical", "--format", "json", "--by", by}, more...)...)), &report); err != nil {
			t.Fatal(err)
		}
		out := map[string]int64{}
		for _, row := range report.Rows {
			if row.Received > 0 {
				out[row.Key] = row.Received
			}
		}
		return out
	}
	same(t, "industries", counted("industry"), map[string]int64{"technolgy": 1, "retail": 1, "(none)": 1})
	same(t, "sizes", counted("size"), map[string]int64{"50-249": 2, "(none)": 1})
	same(t, "countries", counted("country"), map[string]int64{"NO": 2, "(none)": 1})
	same(t, "products", counted("product"), map[string]int64{"Lathe": 1, "Saw": 2})
	same(t, "offices", counted("office"), map[string]int64{"rome": 3})
	before2025 := []string{"--as-of", "2025-02-01"}
	same(t, "managers when the deals were open", counted("manager", before2025...), map[string]int64{"mia.roth": 3})
	same(t, "persons when the deals were open", counted("person", before2025...), map[string]int64{"ana": 3})

	// A lead of today has what its account says too, but only agreed words.
	id := h.submit("live", url.Values{"email": {"jo@gmail.com"}, "company": {"Acme Corporation"}})
	h.settle()
	l := h.lead(id)
	same(t, "a lead of today", []any{l.GetAccount().GetAccountDomain(), l.GetFeatures().GetEmployees(), l.GetFeatures().GetCountry(), l.GetFeatures().GetIndustry()}, []any{"acme corporation", int64(80), "NO", ""})
	whole(t, h)
}
