package main

import (
	"encoding/json"
	"testing"
	"time"
)

// Both departments agree on a clean start: reports begin there, and what came before
// counts only when somebody asks for it.
func TestReportsStartAtTheBaseline(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.submit("before", filled(1))
	h.time.Set(monday.Add(48 * time.Hour))
	h.submit("after-1", filled(2))
	h.submit("after-2", filled(3))
	h.settle()
	received := func(args ...string) (n float64, baseline *string) {
		t.Helper()
		var said struct {
			Baseline *string
			Total    struct{ Received float64 }
		}
		text := ok(t, append([]string{"report", "funnel", "--format", "json", "--server", h.GRPCAddr, "--token", h.admin}, args...)...)
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatal(err)
		}
		return said.Total.Received, said.Baseline
	}
	if n, baseline := received(); n != 3 || baseline != nil {
		t.Errorf("without a baseline: %v leads, baseline %v; want all 3", n, baseline)
	}
	h.agree(append([]byte("baseline: 2026-03-03T00:00:00Z\n"), h.document()...))
	h.settle()
	if n, baseline := received(); n != 2 || baseline == nil || *baseline != "2026-03-03T00:00:00Z" {
		t.Errorf("by default: %v leads, baseline %v; want the 2 since the baseline", n, baseline)
	}
	for want, args := range map[float64][][]string{
		3: {{"--from", "2026-01-01"}, {"--earlier"}, {"--earlier", "--to", "2026-04-01"}},
		2: {{"--to", "2026-04-01"}, {"--from", "2026-03-03"}},
		// Whoever asks for a time that was over by then gets it.
		1: {{"--to", "2026-03-03"}, {"--as-of", "2026-03-02T12:00:00Z"}},
	} {
		for _, a := range args {
			if n, _ := received(a...); n != want {
				t.Errorf("with %v: %v leads; want %v", a, n, want)
			}
		}
	}
	has(t, ok(t, "report", "funnel", "--server", h.GRPCAddr, "--token", h.admin), "received from 2026-03-03T00:00:00Z (the agreed baseline; --earlier counts what came before)")
	has(t, ok(t, "report", "definitions", "--server", h.GRPCAddr, "--token", h.admin), "the agreed baseline", "Version 2 is in force since")
	has(t, h.page("/reports/funnel"), "the baseline that both departments agreed on", "/reports/funnel?earlier=yes")
}
