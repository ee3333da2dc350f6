package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKnownLists: a row whose product or company is not in the list, or empty, goes in,
// is counted, and is listed with its line and why.
func TestKnownLists(t *testing.T) {
	s := &system{}
	serve(t, s)
	products := writeFile(t, "products.csv", "product,price\nLathe X,1\nMill,2\n")
	accounts := writeFile(t, "firms.ndjson", `{"Account":"Acme","size":3}`+"\n"+`{"Account":"Globex"}`+"\n")
	file := writeFile(t, "deals.csv", "id,Account,product,came\n1,acme,Lathe X,2026-01-02\n2,,LatheX,2026-01-02\n3,Hooli,,2026-01-02\n4,Globex,saw,never\n")
	mapping := writeFile(t, "map.yaml", "columns:\n  external_id: id\n  company: Account\n  product: product\n  received_at: came\n")
	args := []string{"import", file, "--source", "crm", "--history", "--map", mapping, "--known", "product=" + products, "--known", "company=" + accounts}
	want := importTally{
		Rows: 4, Accepted: 3, New: 3, Rejected: 1, Rejects: file + ".rejects.csv", Warns: file + ".warnings.csv",
		Warnings: []warned{{"product", "unknown", 1}, {"company", "missing", 1}, {"product", "missing", 1}, {"company", "unknown", 1}},
	}
	same(t, "tally", tallied(t, args...), want)
	f, err := os.Open(want.Warns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the list", rows, [][]string{
		{"line", "column", "reason", "id", "Account", "product", "came"},
		{"3", "product", "product is not in products.csv; there it is written Lathe X", "2", "", "LatheX", "2026-01-02"},
		{"3", "Account", "company is empty", "2", "", "LatheX", "2026-01-02"},
		{"4", "product", "product is empty", "3", "Hooli", "", "2026-01-02"},
		{"4", "Account", "company is not in firms.ndjson", "3", "Hooli", "", "2026-01-02"},
	})
	if info, err := os.Stat(want.Warns); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the warnings have mode %v, %v", info.Mode(), err)
	}
	if got := s.history["2"].GetSubmission().GetFeatures().GetProduct(); got != "LatheX" {
		t.Errorf("the product went in as %q, and not as it is written", got)
	}
	want.New, want.There = 0, 3
	same(t, "once more", tallied(t, args...), want)
	if r := run(t, args...); !strings.Contains(r.err, "product: 1 unknown, company: 1 missing") {
		t.Errorf("the warnings are not told: %s", r.err)
	}

	for spec, why := range map[string]string{
		"product":                "write a field and a file",
		"owner=" + products:      "no column of the file holds",
		"company=" + products:    `has no column "company" or "Account"`,
		"product=" + file + ".x": "cannot be",
	} {
		if r := run(t, "import", file, "--source", "crm", "--history", "--map", mapping, "--known", spec); r.status != statusRefused || !strings.Contains(r.err, why) {
			t.Errorf("--known %s: %+v", spec, r)
		}
	}
}

// guideMaps are the maps that the guide shows, as files, by the names that its commands
// give them.
func guideMaps(t *testing.T) map[string]string {
	t.Helper()
	text := string(must[[]byte](t)(os.ReadFile(filepath.Join("..", "..", "docs", "import.md"))))
	out := map[string]string{}
	for _, name := range []string{"people.yaml", "accounts.yaml", "deals.yaml"} {
		_, rest, told := strings.Cut(text, "`"+name+"` ")
		_, rest, shown := strings.Cut(rest, "```yaml\n")
		block, _, ended := strings.Cut(rest, "```")
		if !told || !shown || !ended {
			t.Fatalf("the guide does not show %s", name)
		}
		out[name] = writeFile(t, name, block)
	}
	return out
}

// TestGuideMapsFit: the maps that the guide shows take the files that it speaks of.
func TestGuideMapsFit(t *testing.T) {
	maps := guideMaps(t)
	for name, test := range map[string]struct {
		kind    string
		history bool
		header  string
	}{
		"people.yaml":   {kindPeople, false, "sales_agent,manager,regional_office"},
		"accounts.yaml": {kindAccounts, false, "account,sector,employees,office_location"},
		"deals.yaml":    {kindLeads, true, "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value"},
	} {
		m, err := readMap(maps[name])
		if err != nil {
			t.Fatal(err)
		}
		k, _ := kindOf(test.kind, test.history)
		if _, err := m.fit(strings.Split(test.header, ","), k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
