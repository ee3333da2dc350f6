//go:build real

package score

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// opportunities are the deals of a sales team that were won or lost, with what
// was known of each when it began: product, and the company's industry, size,
// turnover and country. value is what it came to, which is known only afterwards.
func opportunities(t *testing.T) (leads []Known, value []int64) {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", "maven-crm-sales-opportunities")
	read := func(name string) (rows []map[string]string) {
		t.Helper()
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatalf("this test reads real data in the folder shared beside the checkout: %v", err)
		}
		defer file.Close()
		from := io.Reader(file)
		if strings.HasSuffix(name, ".gz") {
			if from, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		lines, err := csv.NewReader(from).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, name := range lines[0] {
				row[name] = line[i]
			}
			rows = append(rows, row)
		}
		return rows
	}
	accounts := map[string]map[string]string{}
	for _, a := range read("accounts.csv") {
		accounts[a["account"]] = a
	}
	for _, o := range read("sales_pipeline.csv.gz") {
		if o["deal_stage"] != "Won" && o["deal_stage"] != "Lost" {
			continue
		}
		at, err := time.Parse(time.DateOnly, o["engage_date"])
		if err != nil {
			t.Fatal(err)
		}
		a := accounts[o["account"]]
		employees, err := strconv.ParseInt(a["employees"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		revenue, err := strconv.ParseFloat(a["revenue"], 64)
		if err != nil {
			t.Fatal(err)
		}
		worth, err := strconv.ParseInt(o["close_value"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		leads = append(leads, Known{Lead: o["opportunity_id"], At: at, Yes: o["deal_stage"] == "Won", Features: &leadv1.Features{
			Product: o["product"], Industry: a["sector"], Employees: employees, HasCompany: true,
			Answers: map[string]*leadv1.Value{
				"location": {Kind: &leadv1.Value_Text{Text: a["office_location"]}},
				"revenue":  {Kind: &leadv1.Value_Number{Number: int64(revenue)}},
			},
		}})
		value = append(value, worth)
	}
	return leads, value
}

// Invented deals in which nothing about the lead says how it goes: that is found.
func TestOpportunitiesWithoutASignal(t *testing.T) {
	leads, value := opportunities(t)
	if len(leads) != 6711 {
		t.Fatalf("%d deals are closed, want 6711", len(leads))
	}
	m := Train(leads, Options{Number: 1, Label: scorev1.Label_LABEL_WON})
	t.Log(m.GetSummary())
	if m.GetVerdict() != scorev1.Verdict_VERDICT_CHANCE || m.GetAuc().GetLow() > 500_000 || m.GetAuc().GetHigh() < 500_000 {
		t.Errorf("%s: %s", m.GetVerdict(), m.GetSummary())
	}
	if len(m.GetFields()) < 5 {
		t.Errorf("it read %d fields only", len(m.GetFields()))
	}

	// What it came to is known once it was won.
	for i, k := range leads {
		k.Features.Answers["value"] = &leadv1.Value{Kind: &leadv1.Value_Number{Number: value[i]}}
	}
	m = Train(leads, Options{Number: 2, Label: scorev1.Label_LABEL_WON})
	t.Log(m.GetSummary())
	if m.GetVerdict() != scorev1.Verdict_VERDICT_LEAKAGE || len(m.GetSuspects()) != 1 || m.GetSuspects()[0].GetField() != "answers.value" {
		t.Errorf("%s: %s", m.GetVerdict(), m.GetSummary())
	}
}
