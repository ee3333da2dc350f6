//go:build real

package main

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// A log of a help desk has a row for each thing that somebody did on a case. Whoever
// did something had the case then.
const (
	cases = `
columns:
  external_id: Case ID
  received_at: {column: Complete Timestamp, format: "YYYY/MM/DD HH:mm:ss"}
  owner: Resource
  outcome: {default: open}
`
	hands = `
columns:
  external_id: Case ID
  occurred_at: {column: Complete Timestamp, format: "YYYY/MM/DD HH:mm:ss"}
  owner: Resource
`
)

// TestHelpdeskHistory: a real log of 4,580 cases as history, twice: as many cases,
// changes of owner and people as it holds, in the report and in each lead's history.
func TestHelpdeskHistory(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "helpdesk-italy")
	var known struct {
		Events, Cases, Resources int64
		Changes                  int64 `json:"resource_changes_total"`
		NoChange                 int64 `json:"cases_with_no_change"`
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "FIGURES.json"))), &known); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "helpdesk.csv.gz")
	owners, first := ownersOf(t, file)

	h := start(t, Config{clock: clock.NewVirtual(time.Date(2014, 6, 1, 9, 0, 0, 0, time.UTC))})
	h.typed()
	// Beside the file, so that rejects would not be written to it.
	copied := writeFile(t, "helpdesk.csv.gz", string(must[[]byte](t)(os.ReadFile(file))))
	for again, want := range []importTally{
		{Rows: known.Events, Accepted: known.Events, New: known.Cases, There: known.Events - known.Cases},
		{Rows: known.Events, Accepted: known.Events, There: known.Events},
	} {
		began := time.Now()
		same(t, "leads", tallied(t, "import", copied, "--source", "web", "--map", writeFile(t, "cases.yaml", cases), "--history"), want)
		if again == 0 {
			want.New, want.There = known.Changes, known.Events-known.Changes
		}
		same(t, "owners", tallied(t, "import", copied, "--source", "web", "--map", writeFile(t, "hands.yaml", hands), "--kind", "owners"), want)
		t.Logf("run %d: %v", again+1, time.Since(began).Round(time.Millisecond))
	}
	h.settle()

	var report struct {
		Rows []struct {
			Key                                    string
			Leads, Changes, HandedOn, Open, Offers int64
		}
		Total struct {
			WithLeads            int64 `json:"with_leads"`
			Leads, Changes, Open int64
		}
	}
	if err := json.Unmarshal([]byte(ok(t, "report", "load", "--historical", "--format", "json")), &report); err != nil {
		t.Fatal(err)
	}
	same(t, "load", []int64{report.Total.WithLeads, report.Total.Leads, report.Total.Changes, report.Total.Open}, []int64{known.Resources, known.Cases, known.Changes, known.Cases})
	held := map[string]int64{}
	for _, chain := range owners {
		had := map[string]bool{}
		for _, o := range chain {
			had[o] = true
		}
		for o := range had {
			held[o]++
		}
	}
	for _, row := range report.Rows {
		if row.Leads != held[row.Key] {
			t.Errorf("%s has had %d cases; a direct count says %d", row.Key, row.Leads, held[row.Key])
		}
	}

	// The history of each lead holds its owners in order.
	client := leadv1.NewLeadServiceClient(h.conn)
	var changes, none int64
	seen := 0
	for token := ""; ; {
		page := must[*leadv1.ListLeadsResponse](t)(client.ListLeads(h.as(""), &leadv1.ListLeadsRequest{PageSize: 500, PageToken: token}))
		for _, l := range page.GetLeads() {
			seen++
			history := must[*leadv1.GetHistoryResponse](t)(client.GetHistory(h.as(""), &leadv1.GetHistoryRequest{LeadId: l.GetLeadId()}))
			var chain []string
			for _, e := range history.GetEntries() {
				if owner, ok := ownerIn(e.GetSentence()); ok {
					chain = append(chain, owner)
				}
			}
			key := l.GetReceivedAt().AsTime().String() + strings.Join(chain, " ")
			if first[key] == 0 {
				t.Fatalf("no case came when lead %s did and had the owners %v", l.GetLeadId(), chain)
			}
			first[key]--
			changes += int64(len(chain) - 1)
			if len(chain) == 1 {
				none++
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	same(t, "changes by the histories", []int64{int64(seen), changes, none}, []int64{known.Cases, known.Changes, known.NoChange})
	if waiting := h.figures("funnel")["received"]; waiting != 0 {
		t.Errorf("%v leads of the past count as received", waiting)
	}
	whole(t, h)
}

// ownerIn is who has a lead by a sentence of its history.
func ownerIn(sentence string) (string, bool) {
	rest, ok := strings.CutPrefix(sentence, "Imported history: ")
	for _, end := range []string{" had it from now on", " works on it"} {
		if who, _, found := strings.Cut(rest, end); ok && found {
			return who, true
		}
	}
	return "", false
}

// ownersOf reads the file with the standard library: the owners of each case in order,
// and how many cases began at an instant and had the same ones.
func ownersOf(t *testing.T, path string) (owners map[string][]string, first map[string]int) {
	t.Helper()
	packed := must[*os.File](t)(os.Open(path))
	defer packed.Close()
	rows := must[[][]string](t)(csv.NewReader(must[*gzip.Reader](t)(gzip.NewReader(packed))).ReadAll())
	owners, began := map[string][]string{}, map[string]time.Time{}
	for _, row := range rows[1:] {
		id, who := row[0], strings.ToLower(strings.ReplaceAll(row[2], " ", "."))
		if chain := owners[id]; len(chain) == 0 || chain[len(chain)-1] != who {
			owners[id] = append(chain, who)
		}
		if began[id].IsZero() {
			began[id] = must[time.Time](t)(time.Parse("2006/01/02 15:04:05.000", row[3]))
		}
	}
	first = map[string]int{}
	for id, chain := range owners {
		first[began[id].String()+strings.Join(chain, " ")]++
	}
	return owners, first
}
