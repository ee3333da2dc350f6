//go:build real

package console

import (
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/browsertest"
)

// TestBrowser shows every page to a real browser, light and dark, wide and
// narrow: no script or policy error, nothing wider than the window, live
// updates running, and the figures there. Run with -artifacts to keep the
// pictures.
func TestBrowser(t *testing.T) {
	b := browsertest.Start(t)
	full, bare := newFixed(), newFixed()
	bare.empty, bare.log = true, nil
	system, empty := signIn(t, b, full, anaToken), signIn(t, b, bare, anaToken)
	managed := signIn(t, b, newFixed(), maxToken)
	owned := signIn(t, b, newFixed(), benToken)
	outside, err := New(Config{Conn: full.serve(t), Directory: full})
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(outside)
	t.Cleanup(door.Close)
	dir := t.ArtifactDir()
	for _, page := range []struct {
		name, address string
		live          bool
		holds         []string
	}{
		{"live", system + "/", true, []string{`<data value="8812">8,812</data>`, `<data value="214">214</data>`, "12 <small>of 12, full", "ben took the lead"}},
		{"leads", system + "/leads", false, []string{"offered to ana"}},
		{"lead", system + "/leads/" + offeredLead, true, []string{"(in 1 h 12 min)", "lead.employees", "820–824", "zoe@kettle.example"}},
		{"lead-tell", owned + "/leads/" + acceptedLead, true, []string{"Record a touch", "Say how the deal stands", "Tell marketing what you learned"}},
		{"funnel", system + "/reports/funnel?by=source", false, []string{"autumn-fair-2025"}},
		{"response", system + "/reports/response", false, []string{`<data value="21930">6 h 5 min</data>`}},
		{"definitions", system + "/reports/definitions", false, []string{"Version 1 to version 2", "6.50"}},
		{"nurture", system + "/nurture", false, []string{"overdue by 3 d 3 h"}},
		{"agreement", system + "/agreement", false, []string{"Kettle handoff"}},
		{"fault", system + "/leads/nobody", false, []string{"there is no such lead"}},
		{"empty", empty + "/", true, []string{"No lead has come in yet"}},
		{"line", system + "/line", false, []string{"Claim it", "Nobody in pool South can take it now"}},
		{"line-manager", managed + "/line", false, []string{"Move the chosen leads", "Take a move back"}},
		{"lead-manager", managed + "/leads/" + offeredLead, true, []string{"Move this lead"}},
		{"people", system + "/people", false, []string{"Sign in for the day", "1.5 behind"}},
		{"people-manager", managed + "/people", false, []string{"Move all open leads of somebody"}},
		{"why", system + "/why-not", false, []string{"Why not me?", "ana by turn 824"}},
		{"line-empty", empty + "/line", false, []string{"Nobody waits"}},
		{"nurture-empty", empty + "/nurture", false, []string{"No lead is with marketing"}},
		{"signin", door.URL + "/signin", false, []string{"Sign in"}},
	} {
		p := b.Open(page.address)
		if page.live {
			p.Until(`document.getElementById("live-state").textContent === "Live"`)
		}
		dom := p.Eval("document.documentElement.outerHTML")
		for _, want := range page.holds {
			if !strings.Contains(dom, want) {
				t.Errorf("%s does not hold %q", page.name, want)
			}
		}
		if page.name == "lead-manager" {
			p.Eval(`document.querySelector("details.call").open = true`)
		}
		if page.name == "lead-tell" {
			p.Eval(`document.querySelectorAll("details.call").forEach(function(d) { d.open = true })`)
		}
		if page.name == "lead" {
			p.Eval(`document.querySelector(".acts details").open = true`)
		}
		for _, look := range []struct {
			name, scheme string
			width        int
		}{{"light", "light", 1320}, {"dark", "dark", 1320}, {"narrow", "light", 360}, {"narrow-dark", "dark", 360}} {
			p.Look(look.width, look.scheme)
			if wide := p.Eval("document.documentElement.scrollWidth"); wide != strconv.Itoa(look.width) {
				t.Errorf("%s is %s wide in a window of %d", page.name, wide, look.width)
			}
			picture := p.Picture()
			browsertest.Drawn(t, page.name, picture)
			if err := os.WriteFile(filepath.Join(dir, page.name+"-"+look.name+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		// A missing page is an answer that browsers report by themselves.
		if page.name == "fault" {
			b.Forget("404")
		}
		b.Quiet()
	}
}

// TestBrowserHears holds what happens while a page is open.
func TestBrowserHears(t *testing.T) {
	b := browsertest.Start(t)
	f := newFixed()
	system := signIn(t, b, f, anaToken)
	live := b.Open(system + "/")
	live.Until(`document.getElementById("live-state").textContent === "Live"`)
	lead := b.Open(system + "/leads/" + offeredLead)
	lead.Until(`document.getElementById("live-state").textContent === "Live"`)

	f.append(happening(acceptedLead, "ben called <i>twice</i>."))
	live.Until(`document.querySelector("#events li.fresh p").textContent === "ben called <i>twice</i>."`)
	if got := live.Eval(`document.querySelectorAll("#events li").length`); got != "9" { // of ten, one only accompanies another
		t.Errorf("%s events are shown", got)
	}
	// The figures follow: the log is at the new entry.
	live.Until(`[...document.querySelectorAll("#numbers dd")].some((d) => d.textContent === "10")`)
	if got := lead.Eval(`document.getElementById("live-state").textContent`); got != "Live" {
		t.Errorf("another lead's event says %q", got)
	}
	f.append(happening(offeredLead, "ana looked at it."))
	lead.Until(`document.getElementById("live-state").textContent.includes("Something new happened")`)
	for range 40 {
		f.append(happening(waitingLead, "It waits on."))
	}
	live.Until(`document.querySelector("#events li").dataset.sequence === "51"`)
	if got := live.Eval(`document.querySelectorAll("#events li").length`); got != "30" {
		t.Errorf("%s events are kept", got)
	}
	b.Quiet()

	// People act by the form itself, which only the page's own site may send.
	lead.Click(".acts button.main")
	lead.Until(`document.readyState === "complete" && document.body.textContent.includes("Accepted: the lead is yours.")`)
	f.mu.Lock()
	if len(f.accepts) != 1 || f.accepts[0].GetLeadId() != offeredLead || f.accepts[0].GetIdempotencyKey() == "" {
		t.Errorf("accepted %v", f.accepts)
	}
	f.mu.Unlock()
	b.Quiet()
}

// TestBrowserMoves moves leads as a manager does, by ticking them, and takes it back.
func TestBrowserMoves(t *testing.T) {
	b := browsertest.Start(t)
	f := newFixed()
	p := b.Open(signIn(t, b, f, maxToken) + "/line")
	p.Click(`input[value="` + waitingLead + `"]`)
	p.Click(`input[value="` + claimLead + `"]`)
	p.Eval(`document.querySelector("select[name=reason]").value = "left"`)
	p.Click("#many button.main")
	p.Until(`document.readyState === "complete" && document.querySelector("h1").textContent === "Moved"`)
	bulk := handed[*routingv1.BulkReassignRequest](f)
	if len(bulk) != 1 || len(bulk[0].GetLeadIds()) != 2 || bulk[0].GetReason() != "left" || bulk[0].GetTo() != "" || bulk[0].GetIdempotencyKey() == "" {
		t.Errorf("asked %v", bulk)
	}
	p.Look(1320, "light")
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "moved.png"), p.Picture(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Click("main form button")
	p.Until(`document.readyState === "complete" && document.querySelector("h1").textContent === "Given back"`)
	if got := handed[*routingv1.UndoReassignRequest](f); len(got) != 1 || got[0].GetBatchId() != "bmany" {
		t.Errorf("asked %v", got)
	}
	b.Quiet()
}

// signIn serves a console and signs the browser in as a person does: by the
// form.
func signIn(t *testing.T, b *browsertest.Browser, f *fixed, token string) (address string) {
	t.Helper()
	console, err := New(Config{Conn: f.serve(t), Directory: f})
	if err != nil {
		t.Fatal(err)
	}
	// Cookies know no ports: each console is its own host.
	server := httptest.NewServer(console)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	hosts++
	address = "http://" + "console" + strconv.Itoa(hosts) + ".localhost:" + at.Port()
	p := b.Open(address + "/leads")
	p.Eval(`document.getElementById("token").value = ` + strconv.Quote(token))
	p.Click(".signin button")
	p.Until(`location.pathname === "/leads" && document.readyState === "complete"`)
	if got := p.Eval(`document.cookie`); got != "" {
		t.Errorf("script reads the cookie %q", got)
	}
	p.Close()
	b.Quiet()
	return address
}

var hosts int
