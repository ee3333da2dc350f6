//go:build real

package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// opportunities is a map for a sales pipeline as a well-known exercise has it.
// 500 of its rows never had a date; they are rejected and not invented.
const opportunities = `
columns:
  external_id: opportunity_id
  company: account
  product: {column: product, map: {GTXPro: GTX Pro}}
  received_at: engage_date
  owner: sales_agent
  outcome:
    column: deal_stage
    map: {Won: won, Lost: lost, Engaging: open, Prospecting: open}
  closed_at: close_date
  value: {column: close_value, currency: USD}
`

func TestImportOpportunities(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "maven-crm-sales-opportunities")
	var known struct {
		Opportunities   int64            `json:"opportunities"`
		Stages          map[string]int64 `json:"stages"`
		BlankEngageDate int64            `json:"blank_engage_date"`
		WonValueTotal   int64            `json:"won_value_total"`
		ByAgent         map[string]struct {
			N int64 `json:"n"`
		} `json:"by_agent"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "FIGURES.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &known); err != nil {
		t.Fatal(err)
	}
	packed, err := os.Open(filepath.Join(dir, "sales_pipeline.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "sales_pipeline.csv", string(text))
	mapping := writeFile(t, "map.yaml", opportunities)

	s := &system{}
	serve(t, s)
	want := importTally{Rows: known.Opportunities, Accepted: known.Opportunities - known.BlankEngageDate, Rejected: known.BlankEngageDate, Rejects: file + ".rejects.csv"}
	for _, again := range []bool{false, true} {
		var got importTally
		if err := json.Unmarshal([]byte(ok(t, "import", file, "--source", "crm", "--map", mapping, "--history", "--format", "json")), &got); err != nil {
			t.Fatal(err)
		}
		want.New, want.There = want.Accepted, 0
		if again {
			want.New, want.There = 0, want.Accepted
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if rejects := rejectsOf(t, file); int64(len(rejects)) != known.BlankEngageDate+1 {
		t.Errorf("%d rejects were written; want %d", len(rejects)-1, known.BlankEngageDate)
	}
	outcomes, owners, value := map[string]int64{}, map[string]bool{}, int64(0)
	for _, row := range s.history {
		outcomes[row.GetOutcome()]++
		owners[row.GetOwner()] = true
		value += row.GetValueMinor()
	}
	// Whoever has no date never closed anything either.
	if diff := cmp.Diff(map[string]int64{"won": known.Stages["Won"], "lost": known.Stages["Lost"], "open": known.Stages["Engaging"] + known.Stages["Prospecting"] - known.BlankEngageDate}, outcomes); diff != "" {
		t.Error(diff)
	}
	if value != known.WonValueTotal*100 {
		t.Errorf("the deals are worth %d cents; want %d", value, known.WonValueTotal*100)
	}
	if len(owners) != len(known.ByAgent) {
		t.Errorf("%d owners; want %d", len(owners), len(known.ByAgent))
	}
}
