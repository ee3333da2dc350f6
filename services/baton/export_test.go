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
