package qualification

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// edit is a change of the starter agreement that somebody may want to try.
type edit struct{ old, new string }

var edits = map[string]edit{
	"more points":        {"points_needed: 3", "points_needed: 5"},
	"fewer points":       {"points_needed: 3", "points_needed: 2"},
	"a criterion weighs": {"when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 20\n      points: 1"},
	"a threshold":        {"when: lead.employees >= 20", "when: lead.employees >= 100"},
	"a new must-have":    {"when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 20\n      must: true"},
	"no persona buyer":   {`when: lead.role == "purchasing"`, `when: lead.role == "purchasing" && lead.employees >= 1000`},
	"another persona":    {`when: lead.has_company && !has(lead.role)`, `when: lead.has_company`},
	"facts wanted":       {"title: Marketing qualified lead", "title: Marketing qualified lead\n    requires: [lead.country, lead.employees]"},
	"a stricter signal":  {`when: touches.count("pricing-page", days:7) >= 3`, `when: touches.count("pricing-page", days:7) >= 4`},
	"a shorter horizon":  {"horizon_months: 6", "horizon_months: 3"},
}

func edited(t testing.TB, names ...string) *agreement.Agreement {
	t.Helper()
	text := string(starter())
	for _, name := range names {
		e := edits[name]
		if strings.Count(text, e.old) != 1 {
			t.Fatalf("the starter agreement holds %q %d times; the edit %q needs it once", e.old, strings.Count(text, e.old), name)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	a, err := agreement.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func past(id string, f *leadv1.Features, calls ...*leadv1.CallRecorded) *Past {
	p := &Past{ID: id, Received: noon.Add(-time.Hour), Known: Known{Features: f, At: noon}}
	for _, c := range calls {
		p.Calls = append(p.Calls, PastCall{c, Known{Features: f, At: noon.Add(time.Hour)}})
	}
	return p
}

// drawPast draws a lead of any kind: with and without facts, touches and calls.
func drawPast(t *rapid.T, id string) *Past {
	f := &leadv1.Features{
		HasEmail:    rapid.Bool().Draw(t, "email"),
		Country:     rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "country"),
		Employees:   rapid.SampledFrom([]int64{0, 5, 20, 50, 100, 2000}).Draw(t, "employees"),
		HasCompany:  rapid.Bool().Draw(t, "company"),
		Role:        rapid.SampledFrom([]string{"", "head", "purchasing", "student"}).Draw(t, "role"),
		ContactWish: rapid.SampledFrom([]leadv1.ContactWish{0, 1, 1, 2}).Draw(t, "wish"),
	}
	p := past(id, f)
	for range rapid.SampledFrom([]int{0, 0, 3, 4}).Draw(t, "touches") {
		p.Touches = append(p.Touches, lead.Arrival{Kind: "pricing-page", At: noon.Add(-time.Hour)})
	}
	for i := range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "calls") {
		c := call(fmt.Sprintf("c%d", i), rapid.Bool().Draw(t, "fit"), rapid.SampledFrom([]int64{unstated, 2, 5, 9}).Draw(t, "horizon"))
		p.Calls = append(p.Calls, PastCall{c, Known{Features: f, Touches: p.Touches, At: noon.Add(time.Duration(i+1) * time.Hour)}})
	}
	return p
}

// An agreement beside itself moves nobody, whatever the leads are.
func TestAnUnchangedDocumentChangesNoLead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		trial := NewTrial(agreed, 7, agreed, 5)
		n := rapid.IntRange(1, 20).Draw(rt, "leads")
		for i := range n {
			trial.Take(drawPast(rt, fmt.Sprintf("l%d", i)))
		}
		got := trial.Result()
		if got.GetChanged() != 0 || got.GetTried() != int64(n) || len(got.GetCauses())+len(got.GetSample()) != 0 {
			rt.Fatalf("an agreement beside itself: %v", got)
		}
	})
}

// A lead that somebody can follow by hand, by each edit.
func TestTrialEqualsAHandCount(t *testing.T) {
	t.Parallel()
	leads := func() []*Past {
		looked := past("compares-prices", &leadv1.Features{HasEmail: true, ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT})
		for i := range 3 {
			looked.Touches = append(looked.Touches, lead.Arrival{Kind: "pricing-page", At: noon.Add(-time.Duration(i+1) * time.Hour)})
		}
		return []*Past{
			past("five-points", good()),
			past("three-points", without(func(f *leadv1.Features) { f.Employees = 0 })),
			past("two-points", without(func(f *leadv1.Features) { f.Employees, f.HasCompany, f.FreeEmail = 5, false, true })),
			past("thirty-employees", without(func(f *leadv1.Features) { f.Employees = 30 })),
			past("content-only", without(func(f *leadv1.Features) { f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY })),
			past("no-persona", without(func(f *leadv1.Features) { f.Role = "student" })),
			past("buys", without(func(f *leadv1.Features) { f.Role = "purchasing" })),
			past("wants-it-in-five-months", good(), call("c1", true, 5)),
			past("wants-it-in-two-months", good(), call("c2", true, 2)),
			looked,
		}
	}
	for name, want := range map[string]struct {
		moves  []string
		causes []string
	}{
		"more points":        {[]string{"MQL>LEAD 1"}, []string{"points_needed down 1"}},
		"fewer points":       {[]string{"LEAD>MQL 1"}, []string{"points_needed up 1"}},
		"a criterion weighs": {nil, nil},
		"a threshold":        {nil, nil},
		"a new must-have":    {[]string{"MQL>LEAD 2"}, []string{"size down 2"}},
		"no persona buyer":   {[]string{"MQL>LEAD 1"}, []string{"persona down 1"}},
		"another persona":    {[]string{"LEAD>MQL 1"}, []string{"persona up 1"}},
		// Whoever compares prices is promoted by a signal, which waits for no facts.
		"facts wanted":      {[]string{"MQL>waiting 1"}, []string{"required-facts down 1"}},
		"a stricter signal": {[]string{"MQL>LEAD 1"}, []string{"prices down 1"}},
		"a shorter horizon": {[]string{"SQL>SAL 1"}, []string{"horizon down 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trial := NewTrial(agreed, 7, edited(t, name), 10)
			trial.Refused()
			trial.Historical()
			for _, p := range leads() {
				trial.Take(p)
			}
			got := trial.Result()
			if got.GetLeads() != 12 || got.GetRefused() != 1 || got.GetHistorical() != 1 || got.GetTried() != 10 {
				t.Errorf("%d leads, %d refused, %d historical, %d tried; want 12, 1, 1, 10", got.GetLeads(), got.GetRefused(), got.GetHistorical(), got.GetTried())
			}
			var moves, causes []string
			for _, m := range got.GetMoves() {
				if m.GetNow() != m.GetThen() {
					moves = append(moves, fmt.Sprintf("%s>%s %d", m.GetNow(), m.GetThen(), m.GetLeads()))
				}
			}
			for _, c := range got.GetCauses() {
				causes = append(causes, fmt.Sprintf("%s %s %d", c.GetId(), c.GetDirection(), c.GetLeads()))
			}
			if diff := cmp.Diff(want.moves, moves); diff != "" {
				t.Errorf("by hand (-) and by the trial (+):\n%s", diff)
			}
			if diff := cmp.Diff(want.causes, causes); diff != "" {
				t.Errorf("causes, by hand (-) and by the trial (+):\n%s", diff)
			}
		})
	}
}

// Whatever is edited and whoever is tried: all numbers add up, each change has a
// cause that names what differs, and the sample shows changed leads alone.
func TestTrialAddsUp(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range edits {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(rt *rapid.T) {
		// Of edits of the same line only one fits.
		chosen := rapid.SampledFrom(names).Draw(rt, "edit")
		other := rapid.SampledFrom([]string{"a shorter horizon", "facts wanted", "a stricter signal"}).Draw(rt, "other")
		list := []string{chosen}
		if other != chosen {
			list = append(list, other)
		}
		now, then := agreed, edited(t, list...)
		if rapid.Bool().Draw(rt, "back") {
			now, then = then, now
		}
		n := rapid.IntRange(1, 30).Draw(rt, "leads")
		pasts := make([]*Past, n)
		trial := NewTrial(now, 7, then, 4)
		for i := range n {
			pasts[i] = drawPast(rt, fmt.Sprintf("l%d", i))
			trial.Take(pasts[i])
		}
		got := trial.Result()
		var tried, changed, become, lost int64
		for _, m := range got.GetMoves() {
			tried += m.GetLeads()
			if m.GetNow() == m.GetThen() {
				continue
			}
			changed += m.GetLeads()
			below := []string{"LEAD", "waiting"}
			switch was, is := slices.Contains(below, m.GetNow()), slices.Contains(below, m.GetThen()); {
			case was && !is:
				become += m.GetLeads()
			case !was && is:
				lost += m.GetLeads()
			}
		}
		if tried != int64(n) || got.GetTried() != tried || got.GetLeads() != tried {
			rt.Fatalf("%d leads, %d tried, %d in moves; want %d", got.GetLeads(), got.GetTried(), tried, n)
		}
		if got.GetChanged() != changed || got.GetUp()+got.GetDown()+got.GetAside() != changed || got.GetWouldBecomeMql() != become || got.GetWouldNoLongerBeMql() != lost {
			rt.Fatalf("the changes do not add up to %d, %d become, %d lost: %v", changed, become, lost, got)
		}
		if len(got.GetSample()) != min(4, int(changed)) {
			rt.Fatalf("%d leads are shown of %d that change", len(got.GetSample()), changed)
		}
		for _, l := range got.GetSample() {
			if l.GetNow() == l.GetThen() || len(l.GetCauses()) == 0 || l.GetWhyThen().GetSummary() == "" || l.GetWhyNow().GetSummary() == "" || strings.Contains(l.GetWhyThen().GetSummary(), "version 0") {
				rt.Fatalf("a lead to look at: %v", l)
			}
		}
		for _, c := range got.GetCauses() {
			if c.GetId() == causeOther {
				rt.Fatalf("%d leads change and nobody knows why (%v): %v", c.GetLeads(), list, got.GetSample())
			}
		}
		// The order of the leads does not matter.
		again := NewTrial(now, 7, then, 4)
		for _, p := range slices.Backward(pasts) {
			again.Take(p)
		}
		if diff := cmp.Diff(got, again.Result(), protocmp.Transform()); diff != "" {
			rt.Fatalf("forwards (-) and backwards (+):\n%s", diff)
		}
	})
}

// Where nothing is in force, everybody waits now.
func TestTrialBesideNoAgreement(t *testing.T) {
	t.Parallel()
	trial := NewTrial(nil, 0, agreed, 2)
	trial.Take(past("l1", good(), call("c1", true, 2)))
	trial.Take(past("l2", without(func(f *leadv1.Features) { f.Role = "student" })))
	got := trial.Result()
	want := []*qualificationv1.Move{{Now: "waiting", Then: "LEAD", Leads: 1}, {Now: "waiting", Then: "SQL", Leads: 1}}
	if diff := cmp.Diff(want, got.GetMoves(), protocmp.Transform()); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
	if got.GetUp() != 1 || got.GetAside() != 1 || got.GetWouldBecomeMql() != 1 {
		t.Errorf("up %d, aside %d, become %d; want 1 each", got.GetUp(), got.GetAside(), got.GetWouldBecomeMql())
	}
}

func BenchmarkTrial(b *testing.B) {
	trial := NewTrial(agreed, 7, edited(b, "more points"), 5)
	p := past("l1", good())
	b.ReportAllocs()
	for b.Loop() {
		trial.Take(p)
	}
}
