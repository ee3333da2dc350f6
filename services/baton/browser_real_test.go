//go:build real

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/browsertest"
)

// TestPagesHoldTheReports shows the live page and a lead's page of a system
// that has played its two weeks to a real browser: no script error, and the
// numbers are those that the reports give. Run with -artifacts to keep the
// pictures.
func TestPagesHoldTheReports(t *testing.T) {
	ctx := t.Context()
	p, err := newPlay(ctx, t.TempDir(), io.Discard, demoConfig{leads: 80, seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.app.Stop(context.Background()) })
	for _, step := range []func(context.Context) error{p.begin, p.play, p.app.Read} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	funnel, err := feedbackv1.NewReportServiceClient(p.conn()).GetReport(p.as(ctx, ""), &feedbackv1.GetReportRequest{Report: "funnel"})
	if err != nil {
		t.Fatal(err)
	}
	response, err := feedbackv1.NewReportServiceClient(p.conn()).GetReport(p.as(ctx, ""), &feedbackv1.GetReportRequest{Report: "response"})
	if err != nil {
		t.Fatal(err)
	}
	leads, err := leadv1.NewLeadServiceClient(p.conn()).ListLeads(p.as(ctx, ""), &leadv1.ListLeadsRequest{State: leadv1.State_STATE_WON})
	if err != nil || len(leads.GetLeads()) == 0 {
		t.Fatalf("%d won leads, %v", len(leads.GetLeads()), err)
	}

	b := browsertest.Start(t)
	_, port, _ := strings.Cut(p.app.ConsoleAddr, ":")
	address := "http://pages.localhost:" + port
	in := b.Open(address + "/signin")
	in.Eval(`document.getElementById("token").value = ` + strconv.Quote(p.admin))
	in.Click(".signin button")
	in.Until(`location.pathname === "/" && document.readyState === "complete"`)
	in.Close()

	one := leads.GetLeads()[0]
	dir := t.ArtifactDir()
	for _, page := range []struct {
		name, path string
		numbers    []float64
		holds      []string
	}{
		{"live", "/", []float64{totalOf(funnel, "received"), totalOf(funnel, "mql"), totalOf(funnel, "won"), totalOf(response, "up_to_1h"), totalOf(response, "from_1h_to_24h")}, []string{"ana", "chloe"}},
		{"lead", "/leads/" + one.GetLeadId(), nil, []string{one.GetOwner(), "won", "profile", one.GetSource()}},
	} {
		tab := b.Open(address + page.path)
		tab.Until(`document.getElementById("live-state").textContent === "Live"`)
		dom := tab.Eval("document.documentElement.outerHTML")
		for _, n := range page.numbers {
			if want := `<data value="` + strconv.FormatFloat(n, 'f', -1, 64) + `">`; !strings.Contains(dom, want) {
				t.Errorf("%s does not hold %s of the reports", page.name, want)
			}
		}
		for _, want := range page.holds {
			if !strings.Contains(dom, want) {
				t.Errorf("%s does not hold %q", page.name, want)
			}
		}
		for scheme, width := range map[string]int{"light": 1320, "dark": 360} {
			tab.Look(width, scheme)
			picture := tab.Picture()
			browsertest.Drawn(t, page.name, picture)
			if err := os.WriteFile(filepath.Join(dir, page.name+"-"+scheme+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tab.Close()
		b.Quiet()
	}
}
