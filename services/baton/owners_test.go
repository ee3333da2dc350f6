package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// TestImportOwners: leads of the past with their changes of owner, twice. Nobody is
// offered anything, and a lead of today is not touched.
func TestImportOwners(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara")
	h.typed()
	today := h.submit("live-1", filled(1))
	h.settle()
	before := h.lead(today)
	deals := writeFile(t, "deals.csv", "id,came,who\nD-1,2025-01-01,Ana\nD-2,2025-01-02,Ana\n")
	ok(t, "import", deals, "--source", "web", "--history", "--map", writeFile(t, "deals.yaml",
		"columns:\n  external_id: id\n  received_at: came\n  owner: who\n  outcome: {default: open}\n"))
	hands := writeFile(t, "hands.csv", "id,at,who\n"+
		"D-1,2025-01-01,Ana\nD-1,2025-02-01,Ben\nD-2,2025-02-01,Ana\nD-1,2025-03-01,Ben\nD-1,2025-04-01,Dora Lind\n"+
		"live-1,2026-03-02,Ben\nD-9,2025-01-01,Ben\nD-1,2025-01-15,Cara\n")
	mapping := writeFile(t, "hands.yaml", "columns:\n  external_id: id\n  occurred_at: at\n  owner: who\n")
	args := []string{"import", hands, "--source", "web", "--kind", "owners", "--map", mapping}
	same(t, "foreseen", tallied(t, append(args, "--dry-run")...).Preview.Here, int64(7))
	same(t, "first", tallied(t, args...), importTally{Rows: 8, Accepted: 5, New: 2, There: 3, Rejected: 3, Rejects: hands + ".rejects.csv"})
	var why []string
	for _, row := range rejectsOf(t, hands)[1:] {
		why = append(why, row[0]+": "+row[2])
	}
	if all := strings.Join(why, "\n"); !strings.Contains(all, "7: the lead is no imported history") || !strings.Contains(all, "8: there is no such lead") || !strings.Contains(all, "9: it lies before the last change of owner") {
		t.Errorf("rejects:\n%s", all)
	}
	same(t, "second", tallied(t, args...), importTally{Rows: 8, Accepted: 5, There: 5, Rejected: 3, Rejects: hands + ".rejects.csv"})
	h.settle()
	var report struct {
		Rows []struct {
			Key            string
			Leads, Changes int64
		}
	}
	if err := json.Unmarshal([]byte(ok(t, "report", "load", "--historical", "--format", "json")), &report); err != nil {
		t.Fatal(err)
	}
	var loads []string
	for _, row := range report.Rows {
		loads = append(loads, fmt.Sprintf("%s %d %d", row.Key, row.Leads, row.Changes))
	}
	same(t, "load", loads, []string{"ana 2 0", "ben 1 1", "cara 0 0", "dora.lind 1 1"})
	if after := h.lead(today); after.GetSequence() != before.GetSequence() {
		t.Error("a lead of today was touched")
	}
	for _, l := range must[*leadv1.ListLeadsResponse](t)(leadv1.NewLeadServiceClient(h.conn).ListLeads(h.as(""), &leadv1.ListLeadsRequest{PageSize: 50, Member: "dora.lind"})).GetLeads() {
		history := ok(t, "lead", "history", l.GetLeadId())
		var owners []string
		for line := range strings.Lines(history) {
			if _, said, found := strings.Cut(line, "Imported history: "); found && !strings.Contains(said, "received") {
				owners = append(owners, strings.TrimSpace(said))
			}
		}
		same(t, "the owners in order", owners, []string{"ana works on it.", "ben had it from now on, and no longer ana.", "dora.lind had it from now on, and no longer ben."})
		if l.GetOffers() != 0 {
			t.Error("a lead of the past was offered")
		}
	}
	whole(t, h)
}
