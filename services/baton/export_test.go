package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A view leaves the system as CSV and as JSON lines, with one and the same content.
func TestExportOfAView(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	id := h.submit("x-1", filled(1))
	h.submit("x-2", filled(2))
	h.settle()
	if err := h.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	as := []string{"--server", h.GRPCAddr, "--token", h.admin}
	file := filepath.Join(t.TempDir(), "leads.csv")
	ok(t, append([]string{"export", "v_leads", "--out", file}, as...)...)
	f := must[*os.File](t)(os.Open(file))
	defer f.Close()
	rows := must[[][]string](t)(csv.NewReader(f).ReadAll())
	lines := strings.Split(strings.TrimSpace(ok(t, append([]string{"export", "v_leads", "--format", "ndjson"}, as...)...)), "\n")
	if len(rows) != 3 || len(lines) != 2 {
		t.Fatalf("%d rows with the head, %d lines; want 3 and 2", len(rows), len(lines))
	}
	seen := false
	for i, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatal(err)
		}
		for j, name := range rows[0] {
			if text, isText := object[name].(string); isText && text != rows[i+1][j] {
				t.Errorf("%s: %q as JSON, %q as CSV", name, text, rows[i+1][j])
			}
		}
		seen = seen || object["lead_id"] == id && object["historical"] == false && object["won_at"] == nil
	}
	if !seen {
		t.Errorf("the lead is not there: %s", lines)
	}
	if list := ok(t, append([]string{"export", "--list"}, as...)...); !strings.Contains(list, "v_speed_to_lead: A lead that was not refused") {
		t.Errorf("list: %s", list)
	}
	if got := ok(t, append([]string{"rebuild"}, as...)...); !strings.HasPrefix(got, "The read model is folded anew from ") {
		t.Errorf("rebuild: %s", got)
	}
	if again := strings.Split(strings.TrimSpace(ok(t, append([]string{"export", "v_leads", "--format", "ndjson"}, as...)...)), "\n"); !slices.Equal(again, lines) {
		t.Errorf("rebuilt %s\nbefore  %s", again, lines)
	}
	refused(t, "there is no view", append([]string{"export", "v_nothing"}, as...)...)
}

// What another version of the agreement would have made of the same leads stands beside
// what was stated, by qualification's own decision, and the leads that differ are listed.
func TestReportIsRestatedUnderAVersion(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.agree(changed(t, h.document(), "when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 100\n      must: true"))
	h.agree([]byte(string(h.document()) + "\n# As before.\n"))
	form := filled(3)
	form.Set("employees", "200")
	small := h.submit("a", filled(1))
	h.submit("b", form)
	h.settle()
	if err := h.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	as := []string{"--server", h.GRPCAddr, "--token", h.admin, "--format", "json"}
	var got struct{ Total map[string]any }
	if err := json.Unmarshal([]byte(ok(t, append([]string{"report", "funnel", "--definition", "2"}, as...)...)), &got); err != nil {
		t.Fatal(err)
	}
	same(t, "as stated, under version 2, both, only stated", []any{got.Total["mql"], got.Total["mql_restated"], got.Total["mql_both"], got.Total["mql_only_stated"], got.Total["mql_only_restated"]},
		[]any{2.0, 1.0, 1.0, 1.0, 0.0})
	if list := ok(t, append([]string{"report", "leads", "funnel", "--definition", "2", "--name", "mql_only_stated"}, as...)...); strings.Count(list, "lead_id")+strings.Count(list, "leadId") != 1 || !strings.Contains(list, small) {
		t.Errorf("only stated: %s\nwant %s", list, small)
	}
	if plain := ok(t, append([]string{"report", "funnel"}, as...)...); strings.Contains(plain, "restated") {
		t.Errorf("re-stated though nobody asked: %s", plain)
	}
	refused(t, "the agreement has no version 9", append([]string{"report", "funnel", "--definition", "9"}, as...)...)
}
