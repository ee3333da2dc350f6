//go:build real

package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
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
		got.ReadAs = ""
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

// TestImportOpportunitiesInAnyOrder: a file twice into a running system, each
// time in another order and with a twentieth of its rows repeated, is the same
// leads as the file holds.
func TestImportOpportunitiesInAnyOrder(t *testing.T) {
	packed, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "maven-crm-sales-opportunities", "sales_pipeline.csv.gz"))
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
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
	header, rows := lines[0], lines[1:]
	stages := map[string]int64{}
	taken := int64(0)
	for _, row := range rows {
		if cells := strings.Split(row, ","); cells[5] != "" {
			taken++
			stages[cells[4]]++
		}
	}
	h := start(t, Config{clock: clock.NewVirtual(time.Date(2018, 6, 1, 9, 0, 0, 0, time.UTC))})
	h.typed()
	mapping := writeFile(t, "map.yaml", opportunities)
	var first map[string]string
	random := rand.New(rand.NewPCG(1, 2))
	for i, again := range []bool{false, true} {
		repeated := int64(0)
		shuffled := slices.Clone(rows)
		for range len(rows) / 20 {
			row := rows[random.IntN(len(rows))]
			if strings.Split(row, ",")[5] != "" {
				repeated++
			}
			shuffled = append(shuffled, row)
		}
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		file := writeFile(t, "pipeline.csv", header+"\n"+strings.Join(shuffled, "\n")+"\n")
		began := time.Now()
		got := tallied(t, "import", file, "--source", "web", "--map", mapping, "--history")
		t.Logf("run %d: %d rows in %v", i+1, got.Rows, time.Since(began).Round(time.Millisecond))
		want := taken
		if again {
			want = 0
		}
		if got.New != want || got.There != taken+repeated-want {
			t.Errorf("run %d: %+v; want %d new and %d there", i+1, got, want, taken+repeated-want)
		}
		h.settle()
		states, leads := map[string]int64{}, map[string]string{}
		for token := ""; ; {
			page := must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{PageSize: 500, PageToken: token}))
			for _, l := range page.GetLeads() {
				states[l.GetState().String()]++
				leads[l.GetLeadId()] = l.GetState().String() + l.GetOwner() + l.GetReceivedAt().AsTime().String()
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		same(t, "states", states, map[string]int64{"STATE_WON": stages["Won"], "STATE_LOST": stages["Lost"], "STATE_WORKING": stages["Engaging"]})
		if first == nil {
			first = leads
		}
		same(t, "the leads", leads, first)
	}
	whole(t, h)
}

// TestImportOfAMillionRows: constant memory, and the rate beside that of the
// standard library's reader.
func TestImportOfAMillionRows(t *testing.T) {
	const rows = 1_000_000
	path := manyRows(t, rows)
	measure := func(name string, read func() int) time.Duration {
		t.Helper()
		began := time.Now()
		if n := read(); n != rows {
			t.Fatal(name, n)
		}
		took := time.Since(began)
		t.Logf("%-14s %8v  %9.0f rows/s", name, took.Round(time.Millisecond), rows/took.Seconds())
		return took
	}
	plain := measure("encoding/csv", func() int { return readPlainly(t, path) })
	read := measure("read", func() int { return readOurs(t, path, false, nil) })
	mapped := measure("read and map", func() int { return readOurs(t, path, true, nil) })
	t.Logf("rate of encoding/csv: read %.2f, read and map %.2f", plain.Seconds()/read.Seconds(), plain.Seconds()/mapped.Seconds())
	_, peak := peakHeap(t, path, 50_000)
	t.Logf("held at most %d KiB", peak>>10)
	if peak > mostHeld {
		t.Errorf("%d KiB are held; want at most %d", peak>>10, mostHeld>>10)
	}
}
