package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// leadsOr is the kind of new leads, or of those of the past.
func leadsOr(history bool) kind {
	k, _ := kindOf(kindLeads, history)
	return k
}

// fitted is a map that fits a header, both as they are written.
func fitted(t testing.TB, text, header string, history bool) *mapping {
	t.Helper()
	m, err := readMap(writeFile(t, "map.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.fit(strings.Split(header, ","), leadsOr(history))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMapRefusesWhatDoesNotFit(t *testing.T) {
	const header = "id,a,b,b,date"
	for _, c := range []struct{ name, text, want string }{
		{"no columns", "zone: UTC\n", "names no columns"},
		{"no YAML", "columns: [\n", "map.yaml"},
		{"an unknown key", "columns: {email: a}\ncolour: red\n", `unknown field "colour"`},
		{"an unknown key of a column", "columns:\n  email: {column: a, colour: red}\n", `unknown field "colour"`},
		{"an unknown field", "columns: {fax: a}\n", `a field "fax"`},
		{"an unknown column", "columns: {email: mail}\n", `the column "mail", which the file does not have; its columns are "id", "a"`},
		{"a column twice in the file", "columns: {email: b}\n", `two columns "b"`},
		{"a field from nowhere", "columns:\n  email:\n", "says nothing about email"},
		{"an unknown zone", "zone: Mars/Olympus\ncolumns: {email: a}\n", `zone "Mars/Olympus" is not known`},
		{"the machine's zone", "zone: Local\ncolumns: {email: a}\n", `zone "Local" is not known`},
		{"a format of no date", "columns:\n  email: {column: a, format: YYYY}\n", "only dates have"},
		{"a format without a year", "columns:\n  received_at: {column: date, format: DD.MM.}\n", "lacks the day, the month or the year"},
		{"a format in other words", "columns:\n  received_at: {column: date, format: \"%d.%m.%Y\"}\n", "a part that is not known"},
		{"a currency of no value", "columns:\n  email: {column: a, currency: EUR}\n", "which only value has"},
		{"a value without currency", "columns: {value: a}\n", "must say which currency"},
		{"an unknown decimal mark", "columns:\n  value: {column: a, currency: EUR, decimal: x}\n", "the decimal mark"},
		{"a scale beyond the currency", "columns:\n  value: {column: a, currency: JPY, scale: 1}\n", "for JPY it can be -9 to 0"},
		{"an unknown outcome", "columns:\n  outcome: {column: a, map: {Gone: vanished}}\n", `turns an outcome into "vanished"; it can be open, won, lost`},
		{"two meanings", "columns:\n  outcome: {column: a, map: {WON: won, won: lost}}\n", `two things about "won"`},
		{"no external id", "columns: {received_at: date}\n", "history needs the field external_id"},
		{"no date", "columns: {external_id: id}\n", "history needs the field received_at"},
		{"an answer from nowhere", "columns: {external_id: id, received_at: date}\nanswers: {budget: money}\n", `takes budget from the column "money"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := readMap(writeFile(t, "map.yaml", c.text))
			if err == nil {
				_, err = m.fit(strings.Split(header, ","), historyKind)
			}
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want it to say %q", err, c.want)
			}
		})
	}
}

const pastMap = `
zone: Europe/Berlin
columns:
  external_id: id
  email: mail
  company: firm
  received_at: {column: came, format: DD.MM.YYYY HH:mm}
  first_touch_at: called
  outcome: {column: stage, map: {Closed won: won, Closed lost: lost, Open: open}}
  closed_at: closed
  value: {column: amount, currency: EUR, decimal: ","}
  owner: agent
`

const pastHeader = "id,mail,firm,came,called,stage,closed,amount,agent"

func TestPastRow(t *testing.T) {
	m := fitted(t, pastMap, pastHeader, true)
	row, no := m.past(&record{line: 7, cells: []string{"D-1", "Ana@Firm.example", "Firm", "03.04.2026 09:30", "2026-04-03T10:00:00+02:00", "closed WON", "2026-05-01", "1.234,50", "José Müller-Łoś"}}, nil)
	if no != nil {
		t.Fatal(no)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := &intakev1.HistoryRow{
		Line: 7,
		Submission: &intakev1.Submission{
			ExternalId: "D-1", Personal: &leadv1.PersonalData{Email: "Ana@Firm.example", Company: "Firm"},
			Features: &leadv1.Features{HasEmail: true, HasCompany: true},
		},
		ReceivedAt:   timestamppb.New(time.Date(2026, 4, 3, 9, 30, 0, 0, berlin)),
		FirstTouchAt: timestamppb.New(time.Date(2026, 4, 3, 8, 0, 0, 0, time.UTC)),
		ClosedAt:     timestamppb.New(time.Date(2026, 5, 1, 0, 0, 0, 0, berlin)),
		Outcome:      "won", ValueMinor: 123450, Currency: "EUR", Owner: "jose.muller-los",
	}
	if diff := cmp.Diff(want, row, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestPastRowRefusals(t *testing.T) {
	m := fitted(t, pastMap, pastHeader, true)
	good := []string{"D-1", "a@firm.example", "Firm", "03.04.2026 09:30", "", "Open", "", "", "ana"}
	if _, no := m.past(&record{cells: good}, nil); no != nil {
		t.Fatal("the good row is refused: ", no)
	}
	for _, c := range []struct {
		name         string
		at           int
		cell, column string
		want         string
	}{
		{"no id", 0, " ", "id", "external_id is empty"},
		{"no date", 3, "", "came", "received_at is empty"},
		{"another format", 3, "2026-04-03", "came", "does not have the declared format DD.MM.YYYY HH:mm"},
		{"no such day", 3, "31.02.2026 09:30", "came", "does not have the declared format"},
		{"an ambiguous date", 4, "03/04/2026", "called", "03/04/2026 can be 3 April 2026 or 4 March 2026; write in the map under columns first_touch_at: {column: \"called\", format: DD/MM/YYYY} for the first, or first_touch_at: {column: \"called\", format: MM/DD/YYYY} for the second"},
		{"an ambiguous date with a time", 4, "03.04.2026 09:30", "called", "format: DD.MM.YYYY HH:mm}"},
		{"a date that can only be one", 4, "13/04/2026", "called", "can only be 13 April 2026, but others of the column can be read in two ways"},
		{"a date that can only be the other", 4, "04/13/2026", "called", "can only be 13 April 2026"},
		{"a date that is the same both ways", 4, "04-04-2026", "called", "which of them is open"},
		{"no such day either way", 4, "31/31/2026", "called", "is no date such as 2026-04-03"},
		{"a year of two digits", 4, "3-4-26", "called", "write years with four"},
		{"words for a date", 4, "yesterday", "called", "is no date such as 2026-04-03"},
		{"touched too early", 4, "2026-04-02", "called", "first_touch_at lies before received_at"},
		{"an unknown outcome", 5, "Vanished", "stage", "the outcome is none of open, won, lost"},
		{"won without a date", 5, "Closed won", "closed", "closed_at is empty, but the outcome is won"},
		{"an owner that is no handle", 8, "李", "agent", "cannot be written as a handle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cells := append([]string(nil), good...)
			cells[c.at] = c.cell
			_, no := m.past(&record{cells: cells}, nil)
			if no == nil {
				t.Fatal("it was taken")
			}
			if no.column != c.column || !strings.Contains(no.reason, c.want) {
				t.Errorf("column %q: %s; want column %q and %q", no.column, no.reason, c.column, c.want)
			}
			if c.cell != "" && c.column != "called" && strings.Contains(no.reason, strings.TrimSpace(c.cell)) && strings.TrimSpace(c.cell) != "" {
				t.Errorf("the reason quotes the cell: %s", no.reason)
			}
		})
	}
	for _, cells := range [][]string{{"1"}, make([]string, 9), make([]string, 10)} {
		if _, no := m.past(&record{cells: cells}, nil); no == nil {
			t.Errorf("%d cells were taken", len(cells))
		}
	}
	closedEarly := append([]string(nil), good...)
	closedEarly[5], closedEarly[6] = "Closed lost", "2026-01-01"
	if _, no := m.past(&record{cells: closedEarly}, nil); no == nil || !strings.Contains(no.reason, "closed_at lies before received_at") {
		t.Errorf("got %v", no)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		typed string
		spec  columnSpec
		want  int64
		why   string
	}{
		{"1054", columnSpec{Currency: "USD"}, 105400, ""},
		{"1054.5", columnSpec{Currency: "USD"}, 105450, ""},
		{"1054", columnSpec{Currency: "JPY"}, 1054, ""},
		{"1.5", columnSpec{Currency: "KWD"}, 1500, ""},
		{"1.234.567,89", columnSpec{Currency: "EUR", Decimal: ","}, 123456789, ""},
		{"1 234,5", columnSpec{Currency: "EUR", Decimal: ","}, 123450, ""},
		{"1,234.5", columnSpec{Currency: "EUR", Decimal: "."}, 123450, ""},
		{"105450", columnSpec{Currency: "EUR", Scale: 2}, 105450, ""},
		{"12", columnSpec{Currency: "EUR", Scale: -3}, 1200000, ""},
		{"1.234", columnSpec{Currency: "EUR"}, 0, "declare its decimal mark"},
		{"1,50", columnSpec{Currency: "EUR"}, 0, "declare its decimal mark"},
		{"-5", columnSpec{Currency: "EUR"}, 0, "no amount of EUR"},
		{"EUR 5", columnSpec{Currency: "EUR"}, 0, "no amount of EUR"},
		{"5,0,0", columnSpec{Currency: "EUR", Decimal: ","}, 0, "no amount of EUR"},
	} {
		got, why := moneyOf(c.typed, &c.spec)
		if c.why == "" && (got != c.want || why != "") || c.why != "" && !strings.Contains(why, c.why) {
			t.Errorf("moneyOf(%q, %+v) = %d, %q; want %d, %q", c.typed, c.spec, got, why, c.want, c.why)
		}
	}
}

func TestHandleOf(t *testing.T) {
	for in, want := range map[string]string{
		"ana": "ana", "Ana Lima": "ana.lima", "  Mei-Mei   Johns ": "mei-mei.johns", "Jörg Groß": "jorg.gross", "Søren Æ": "soren.ae",
		"O'Neil, Bo": "oneil.bo", "j.smith": "j.smith", "": "", "李": "", "...": "", strings.Repeat("a", 63): strings.Repeat("a", 63), strings.Repeat("a", 64): "",
	} {
		if got := handleOf(in); got != want {
			t.Errorf("handleOf(%q) = %q; want %q", in, got, want)
		}
	}
}

func starter(t testing.TB) *agreement.Agreement {
	t.Helper()
	_, document := starterDocument(t)
	a, err := agreement.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLiveRowKnowsTheAgreedWords(t *testing.T) {
	header := []string{"E-Mail", "Company", "Country", "Company size", "Job title", "Industry", "timeframe", "Owner", "Value"}
	m, err := (&mapFile{}).fit(header, leadsOr(false))
	if err != nil {
		t.Fatal(err)
	}
	rec := &record{cells: []string{"ana@firm.example", "Firm", "Germany", "51-200", "CEO", "SaaS", "as soon as possible", "bob", "5"}}
	req, no := m.live("web", rec, starter(t))
	if no != nil {
		t.Fatal(no)
	}
	f := req.GetSubmission().GetFeatures()
	want := &leadv1.Features{
		Country: "DE", Employees: 51, Industry: "software", Role: "executive", HasEmail: true, HasCompany: true,
		Answers: map[string]*leadv1.Value{"timeframe": {Kind: &leadv1.Value_Text{Text: "now"}}},
	}
	if diff := cmp.Diff(want, f, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if got := req.GetSubmission().GetPersonal().GetEmail(); got != "ana@firm.example" {
		t.Errorf("e-mail %q", got)
	}

	// Without an agreement no text becomes a feature.
	req, no = m.live("web", rec, nil)
	if no != nil {
		t.Fatal(no)
	}
	if f := req.GetSubmission().GetFeatures(); f.GetIndustry() != "" || f.GetRole() != "" || len(f.GetAnswers()) != 0 {
		t.Errorf("free text became a feature: %v", f)
	}
}

func TestLiveRowHasAName(t *testing.T) {
	header := []string{"email", "company"}
	m, err := (&mapFile{}).fit(header, leadsOr(false))
	if err != nil {
		t.Fatal(err)
	}
	key := func(cells ...string) string {
		req, no := m.live("web", &record{cells: cells}, nil)
		if no != nil {
			t.Fatal(no)
		}
		return req.GetIdempotencyKey()
	}
	one := key("a@b.example", "B")
	if !strings.HasPrefix(one, "row:") || one != key(" a@b.example", "B ") {
		t.Errorf("the same row has the names %q and %q", one, key(" a@b.example", "B "))
	}
	if one == key("a@b.example", "C") {
		t.Error("two rows have one name")
	}
	named := fitted(t, "columns: {external_id: id, email: mail}\n", "id,mail", false)
	req, no := named.live("web", &record{cells: []string{"X1", "a@b.example"}}, nil)
	if no != nil || req.GetIdempotencyKey() != "X1" || req.GetSubmission().GetExternalId() != "X1" {
		t.Errorf("got %v, %v", req, no)
	}
	if _, no := named.live("web", &record{cells: []string{strings.Repeat("x", 513), "a@b.example"}}, nil); no == nil || !strings.Contains(no.reason, "512") {
		t.Errorf("an id that is too long: %v", no)
	}
}

func TestExampleMapFits(t *testing.T) {
	m, err := readMap(filepath.Join("..", "..", "docs", "import-map.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "import-map.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const header = "Opportunity ID;First name;Last name;E-mail;Account;Country;Staff;Created;First call;Stage;Closed;Amount;Agent;Campaign;Start"
	if !strings.Contains(string(text), header) {
		t.Error("the example shows another header than this test uses")
	}
	fits, err := m.fit(strings.Split(header, ";"), historyKind)
	if err != nil {
		t.Fatal(err)
	}
	row, no := fits.past(&record{cells: strings.Split("D-1;Ana;Lima;ana@firm.example;Firm;DE;120;03.04.2026 09:30;03.04.2026 10:00;Closed won;01.05.2026;1.234,50;Ana Lima;spring;now", ";")}, starter(t))
	if no != nil {
		t.Fatal(no)
	}
	if row.GetOutcome() != "won" || row.GetOwner() != "ana" || row.GetValueMinor() != 123450 || row.GetSubmission().GetFeatures().GetAnswers()["timeframe"].GetText() != "now" {
		t.Errorf("got %v", row)
	}
	if row, no = fits.past(&record{cells: strings.Split("D-2;;;;;;;03.04.2026 09:30;;;;;;;", ";")}, nil); no != nil || row.GetOutcome() != "open" {
		t.Errorf("an empty stage: %v, %v", row, no)
	}
}
