package main

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadbaton/baton/services/agreement"
)

// TestFieldsAndAudienceOfARunningSystem holds that what leads stated is counted
// from the log, and that a proposal says which facts nobody states.
func TestFieldsAndAudienceOfARunningSystem(t *testing.T) {
	h := start(t, Config{})
	h.typed()
	file := filepath.Join(t.TempDir(), "agreement.yaml")
	if err := os.WriteFile(file, h.document(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, "agreement", "fields")
	same(t, "without an agreement", r.status, statusRefused)
	has(t, r.err, "no agreement is in force")
	has(t, ok(t, "agreement", "fields", file), "1 thing to look at", "no source has sent a lead in the last 90 days")

	ok(t, "import", writeFile(t, "accounts.csv", "domain,name\nmaschinen.example,Maschinen AG\n"), "--kind", "accounts")
	h.submit("one", filled(1))
	h.submit("two", filled(2))
	h.submit("three", url.Values{"email": {"bea@firm.example"}, "country": {"AT"}})
	h.settle()
	out := ok(t, "agreement", "propose", file)
	has(t, out, "Version 1 is on the table", "things to look at",
		"answers.timeframe is used by the criterion soon; no source has stated it in the last 90 days (web: 0 of 3 leads)",
		`touches.count("reply") is used by the signal reply; nobody has reported a touch of this kind in the last 90 days`)
	if strings.Contains(out, "lead.employees is used") {
		t.Errorf("what the web form states is noticed:\n%s", out)
	}
	h.agree(h.document())
	h.submit("four", filled(4))
	h.settle()
	out = ok(t, "agreement", "fields")
	has(t, out, "STATED BY", "lead.employees", "number of employees of the", "criterion size, handoff", "large-companies", "web: 3 of 4",
		"industry of the company:", "and 1 more", "web: 4 of 4", "calls")
	checked := ok(t, "agreement", "check", file)
	if strings.Contains(checked, "to look at") {
		t.Errorf("without --server it says what only a system knows:\n%s", checked)
	}
	has(t, ok(t, "agreement", "check", file, "--server", h.GRPCAddr), "is complete", "answers.timeframe is used by the criterion soon")
	var answer struct {
		Unsupplied []string `json:"unsupplied"`
	}
	if err := json.Unmarshal([]byte(ok(t, "agreement", "check", file, "--server", h.GRPCAddr, "--format", "json")), &answer); err != nil || len(answer.Unsupplied) < 3 {
		t.Errorf("as JSON it says %v, %v", answer.Unsupplied, err)
	}
	var fields struct {
		Days   int `json:"days"`
		Fields []struct {
			Name   string `json:"name"`
			Supply []struct {
				Source string `json:"source"`
				Stated string `json:"stated"`
			} `json:"supply"`
		} `json:"fields"`
	}
	if err := json.Unmarshal([]byte(ok(t, "agreement", "fields", "--format", "json")), &fields); err != nil || fields.Days != 90 {
		t.Fatalf("as JSON: %v, %+v", err, fields)
	}
	for _, f := range fields.Fields {
		if f.Name == "lead.employees" && (len(f.Supply) != 1 || f.Supply[0].Source != "web" || f.Supply[0].Stated != "3") {
			t.Errorf("lead.employees as JSON is %+v", f)
		}
	}

	var audience struct {
		agreement.Audience
		Leads audienceCounts `json:"leads"`
	}
	if err := json.Unmarshal([]byte(ok(t, "agreement", "audience", "--format", "json")), &audience); err != nil {
		t.Fatal(err)
	}
	counts := audience.Leads
	// Two leads came before there were words for their roles.
	same(t, "leads of the audience", []int64{counts.Known, counts.Profile, counts.Matching, counts.Accounts, counts.Criteria["size"], counts.Criteria["region"], counts.Personas["champion"], counts.Personas["somebody"]},
		[]int64{4, 4, 3, 1, 3, 4, 1, 2})
	same(t, "the first criterion", audience.Criteria[0].Filter.String(), "lead.has_email || lead.has_phone")
	has(t, ok(t, "agreement", "audience"), "RULE", "lead.employees >= 20", "must", "Of 4 known leads, 4 match the customer profile (3 points needed), and 3 of them a persona too; those belong to 1 declared account.")
	rows, err := csv.NewReader(strings.NewReader(ok(t, "agreement", "audience", file, "--format", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]agreement.Filter{}
	for _, row := range rows[1:] {
		id, group := row[0]+" "+row[2], row[5]
		if last := len(read[id]); group != "1" && last == 0 {
			t.Fatalf("%s begins with group %s", id, group)
		} else if group == string(rune('1'+last)) {
			read[id] = append(read[id], nil)
		}
		f := read[id]
		f[len(f)-1] = append(f[len(f)-1], agreement.Predicate{Condition: row[9]})
	}
	same(t, "a criterion as CSV", read["profile business"].String(), "(lead.has_company) || (lead.has_email && !lead.free_email)")
	same(t, "a persona as CSV", read["persona somebody"].String(), "(lead.has_company) && (!has(lead.role))")
	same(t, "rows", len(read), 12)
}
