package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// shown is what baton agreement try --format json says.
type shown struct {
	Version  string `json:"agreement_version"`
	Leads    string `json:"leads"`
	Refused  string `json:"refused"`
	Tried    string `json:"tried"`
	Changed  string `json:"changed"`
	Up, Down string
	Moves    []struct{ Now, Then, Leads string }
	Causes   []struct{ ID, Text, Direction, Leads string }
	Missing  []struct{ Fact, Leads string }
	Sample   []struct {
		LeadID string `json:"lead_id"`
		Now    string
		Then   string
		Causes []string
	}
}

func (s shown) moves() (out []string) {
	for _, m := range s.Moves {
		out = append(out, fmt.Sprintf("%s>%s %s", m.Now, m.Then, m.Leads))
	}
	return out
}

// try runs the command and reads what it says.
func (h *house) try(args ...string) (out shown) {
	h.t.Helper()
	text := ok(h.t, append([]string{"agreement", "try", "--server", h.GRPCAddr, "--token", h.admin, "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		h.t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func changed(t *testing.T, document []byte, old, with string) []byte {
	t.Helper()
	if bytes.Count(document, []byte(old)) != 1 {
		t.Fatalf("the document does not hold %q once", old)
	}
	return bytes.Replace(document, []byte(old), []byte(with), 1)
}

func formOf(n int, change map[string]string) url.Values {
	form := filled(n)
	for k, v := range change {
		form.Set(k, v)
	}
	return form
}

// A new definition on the leads of the log, counted by hand.
func TestAgreementTryOnTheLog(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.submit("before", filled(90))
	h.settle()
	h.time.Set(monday.Add(time.Hour))
	h.agree(h.document())
	h.settle()
	h.submit("large", filled(1))                                                         // MQL, and a call makes it SQL
	h.submit("small", formOf(2, map[string]string{"employees": "30"}))                   // MQL, would be no longer
	h.submit("tiny", formOf(3, map[string]string{"employees": "3"}))                     // MQL by country and company, would be no longer
	student := h.submit("student", formOf(4, map[string]string{"job_title": "Student"})) // with marketing either way
	h.submit("spam", formOf(5, map[string]string{"_gotcha": "x"}))
	h.settle()
	large := h.ids["large"]
	who := h.lead(large).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: large}))
	five := int64(5)
	must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as(who), &qualificationv1.RecordCallRequest{LeadId: large, IdempotencyKey: "c", Reached: true, FitConfirmed: true, HorizonMonths: &five}))
	// It was not known when the student was first decided, and lifts them today.
	h.touch(&intakev1.Touch{ExternalId: "t1", Kind: "order-intent", LeadId: student})
	h.settle()
	same(t, "what the signal does", h.lead(student).GetStage().String(), "STAGE_MQL")
	events := must[uint64](t)(h.log.Last(t.Context(), "LEDGER"))

	unchanged := writeFile(t, "same.yaml", string(h.document())+"\n# The same.\n")
	got := h.try("--agreement", unchanged)
	same(t, "the same document", []any{got.Version, got.Leads, got.Refused, got.Tried, got.Changed}, []any{"1", "6", "1", "5", "0"})
	same(t, "moves of the same document", got.moves(), []string{"MQL>MQL 3", "LEAD>LEAD 1", "SQL>SQL 1"})

	stricter := string(changed(t, changed(t, h.document(), "when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 50\n      must: true"), "horizon_months: 6", "horizon_months: 3"))
	file := writeFile(t, "stricter.yaml", stricter)
	got = h.try("--agreement", file, "--sample", "10")
	same(t, "a stricter document", []any{got.Leads, got.Tried, got.Changed, got.Up, got.Down}, []any{"6", "5", "3", "0", "3"})
	same(t, "moves of a stricter document", got.moves(), []string{"MQL>LEAD 2", "LEAD>LEAD 1", "MQL>MQL 1", "SQL>SAL 1"})
	var why []string
	for _, c := range got.Causes {
		why = append(why, c.ID+" "+c.Direction+" "+c.Leads)
	}
	same(t, "the causes", why, []string{"size down 2", "horizon down 1"})
	leads := map[string]string{}
	for _, l := range got.Sample {
		leads[l.LeadID] = l.Now + ">" + l.Then
	}
	same(t, "the sample", leads, map[string]string{h.ids["small"]: "MQL>LEAD", h.ids["tiny"]: "MQL>LEAD", large: "SQL>SAL"})

	// Leads are chosen by when they were received.
	got = h.try("--agreement", file, "--to", monday.Add(30*time.Minute).Format(time.RFC3339))
	same(t, "the lead of the first half hour", []any{got.Leads, got.moves()}, []any{"1", []string{"MQL>MQL 1"}})

	text := ok(t, "agreement", "try", "--agreement", file, "--server", h.GRPCAddr, "--token", h.admin)
	has(t, text, "stricter.yaml beside version 1, which is in force", "MQL                    LEAD (with marketing)  2      changes", "TOTAL",
		"The company has at least 20 employees (lead.employees >= 20 now, lead.employees >= 50 then; a must-have only then)",
		"The person wants to buy within 3 months", "Nothing was recorded.", h.ids["small"], "lead.employees = 30", "(new agreement, profile 1, personas 1)")
	for _, personal := range []string{"ada", "Ada", "Maschinen", "maschinen", "Example"} {
		if strings.Contains(text, personal) {
			t.Errorf("the trial shows %q, which is personal:\n%s", personal, text)
		}
	}
	same(t, "entries of the log after the trials", must[uint64](t)(h.log.Last(t.Context(), "LEDGER")), events)

	// A document that is wrong is refused with its lines, before anything is asked.
	wrong := run(t, "agreement", "try", "--agreement", writeFile(t, "wrong.yaml", strings.Replace(stricter, "horizon_months: 3", "horizon_month: 3", 1)), "--server", h.GRPCAddr, "--token", h.admin)
	if wrong.status != statusRefused || !strings.Contains(wrong.out, "horizon_month") {
		t.Errorf("a wrong document: status %d\n%s%s", wrong.status, wrong.out, wrong.err)
	}
}

// A new definition on a file of leads.
func TestAgreementTryOnAFile(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.settle()
	csv := writeFile(t, "webinar.csv", "external_id,email,company,country,employees,job_title\n"+
		"1,a@firma.example,Firma,DE,80,Head of IT\n"+
		"2,b@firma.example,Firma,DE,30,Head of IT\n"+
		"3,c@firma.example,Firma,US,3,Student\n"+
		"3,c@firma.example,Firma,US,3,Student\n")
	file := writeFile(t, "stricter.yaml", string(changed(t, h.document(), "when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 50\n      must: true")))
	got := h.try("--agreement", file, csv)
	same(t, "the rows", []any{got.Version, got.Leads, got.Tried, got.Changed}, []any{"1", "3", "3", "1"})
	same(t, "their moves", got.moves(), []string{"LEAD>LEAD 1", "MQL>LEAD 1", "MQL>MQL 1"})
	same(t, "which row", got.Sample[0].LeadID, "line 3")
	same(t, "leads after the trial", h.count(), 0)
}
