package agreement

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func noticesOf(t *testing.T, source []byte) string {
	t.Helper()
	a, err := Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, n := range a.Notices() {
		fmt.Fprintf(&b, "%d:%d %s\n", n.Line, n.Column, n.Text)
		if n.Excerpt == "" {
			t.Errorf("a notice without its line: %v", n)
		}
	}
	return b.String()
}

func TestNotices(t *testing.T) {
	const rest = "    text: Everybody else.\n"
	cases := []struct {
		name     string
		from, to string
		want     string
	}{
		{"nothing to say", "baton: 1", "baton: 1 # the good document", ""},
		{"leads that no handoff takes", rest, rest + "    when: lead.employees >= 100\n", "81:1 a lead with 20 employees would be qualified and no handoff would take it, so that it waits; add a last handoff for stage MQL without `when`\n"},
		{"handoffs that overlap", rest, rest + "    when: lead.country == \"DE\"\n", "81:1 a lead with 20 employees and country US would be qualified and no handoff would take it, so that it waits; add a last handoff for stage MQL without `when`\n90:11 a lead with 500 employees and country DE fits \"big\" (line 85) as well as \"rest\"; the first in the list counts\n"},
		{"a special case first is no overlap", "  - id: rest\n", "  - {id: middle, stage: MQL, text: Middle., when: lead.employees >= 50, pool: inside}\n  - id: rest\n", ""},
		{"handoffs of a call", "  - id: rest\n", "  - {id: soon, stage: SQL, text: Soon., when: call.horizon_months <= 3, pool: inside}\n  - {id: replacing, stage: SQL, text: Replaces., when: call.answers.need == \"replace\", pool: inside}\n  - id: rest\n", "88:56 a lead with months until the person wants to buy 3 and answer \"need\" of the call \"replace\" fits \"soon\" (line 87) as well as \"replacing\"; the first in the list counts\n"},
		{"personas that overlap", `lead.role in ["buyer", "assistant"]`, `lead.role in ["buyer", "assistant"] || lead.has_phone`, "62:13 a lead with role of the person \"executive\" and a telephone number fits \"boss\" (line 57) as well as \"buyer\"; the first in the list counts\n"},
		{"a persona that the profile keeps out", "lead.has_email || lead.has_phone", `has(lead.role) && lead.role != "executive"`, "57:13 no lead that meets the customer profile is ever the persona \"boss\", so that it decides nothing\n"},
		{"a must-have that all meet", "lead.has_email || lead.has_phone", `lead.contact_wish in ["contact", "content-only", "unknown"]`, "40:13 every lead meets the must-have \"contactable\", so that it keeps nobody out\n"},
		{"points that all get", "lead.employees >= 20", "lead.has_phone || lead.has_email", "44:13 every lead that meets the must-haves meets the criterion \"size\", so that its points distinguish nobody\n"},
		{"points that nobody gets", "    - id: size\n", "    - {id: extra, text: Extra., when: '!lead.has_email && !lead.has_phone', points: 1}\n    - id: size\n", "42:39 no lead that meets the must-haves ever meets the criterion \"extra\", so that it gives no points\n"},
		{"points that need a call", "    - id: size\n", "    - {id: extra, text: Extra., when: call.reached, points: 1}\n    - id: size\n", "42:39 no lead that meets the must-haves ever meets the criterion \"extra\", because it is decided before anybody has called, so that it gives no points\n"},
		{"what is calculated is not judged", "lead.has_email || lead.has_phone", "lead.employees * 2 < 5 && lead.employees > 900", ""},
		{"what is held against each other is not judged", "lead.has_email || lead.has_phone", "lead.campaign == lead.source && lead.campaign != lead.source", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := noticesOf(t, edited(t, goodSource(t), c.from, c.to))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStarterHasNothingToNote holds that who begins with the starter agreement
// reads no noise.
func TestStarterHasNothingToNote(t *testing.T) {
	if got := noticesOf(t, Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)})); got != "" {
		t.Errorf("notices:\n%s", got)
	}
}

// TestExampleHasNothingToNote holds that what the reference page shows is meant so.
func TestExampleHasNothingToNote(t *testing.T) {
	if got := noticesOf(t, []byte(exampleText)); got != "" {
		t.Errorf("notices:\n%s", got)
	}
}

// TestRestoreTakesWhatWasSigned holds that a rule added later keeps no signed
// agreement from deciding.
func TestRestoreTakesWhatWasSigned(t *testing.T) {
	source := edited(t, goodSource(t), "lead.employees >= 500", "lead.employees >= 500 && lead.employees <= 50")
	if _, err := Compile(source); err == nil {
		t.Fatal("a handoff that never holds was accepted")
	}
	a, err := Restore(source)
	if err != nil {
		t.Fatal(err)
	}
	if a.Name() != "Test agreement" || len(a.Notices()) != 0 {
		t.Errorf("name %q, notices %v", a.Name(), a.Notices())
	}
	var r Register
	r.Apply(&ledger.Event{Body: &agreementv1.AgreementProposed{Version: 1, Document: source}})
	if v := r.Version(1); v == nil || v.Agreement == nil {
		t.Error("what the log holds is judged again, and cannot decide any more")
	}
	if _, err := Restore([]byte("baton: 1")); err == nil {
		t.Error("a document that cannot be read was restored")
	}
}

// TestSolverMatchesSearch holds the search for a lead against trying all leads
// of many more values than the conditions name.
func TestSolverMatchesSearch(t *testing.T) {
	a := good(t)
	found, never := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var formulas []formula
		var tests []test
		text := ""
		for range rapid.IntRange(1, 5).Draw(t, "conditions") {
			f := drawFormula(t, 1)
			text += f.text + "\n"
			c, complaints := a.vocabulary.compile(f.text)
			if c == nil {
				t.Fatalf("%s: %v", f.text, complaints)
			}
			formulas, tests = append(formulas, f), append(tests, c.test())
		}
		q := query{points: make(map[int]int64)}
		roles := make([]int, len(tests))
		for i := range tests {
			roles[i] = rapid.IntRange(0, 3).Draw(t, "role")
			switch roles[i] {
			case 0:
				q.hold = append(q.hold, i)
			case 1:
				q.fail = append(q.fail, i)
			case 2:
				q.some = append(q.some, i)
			default:
				q.points[i] = rapid.SampledFrom([]int64{2, 1, -1}).Draw(t, "points")
			}
		}
		q.needed = rapid.Int64Range(-1, 3).Draw(t, "needed")
		holds := func(m model) bool {
			sum, one := int64(0), len(q.some) == 0
			for i, f := range formulas {
				met := f.eval(m) == yes3
				switch roles[i] {
				case 0:
					if !met {
						return false
					}
				case 1:
					if met {
						return false
					}
				case 2:
					one = one || met
				default:
					if met {
						sum += q.points[i]
					}
				}
			}
			return one && (len(q.points) == 0 || sum >= q.needed)
		}
		s := a.newSolver(tests, noCall, 1_000_000)
		got := s.solve(q)
		if got.found == got.never {
			t.Fatalf("not decided: %+v\n%s", got, text)
		}
		var names []string
		for _, v := range modelValues {
			if strings.Contains(text, v.name) {
				names = append(names, v.name)
			}
		}
		if got.found {
			found++
			m := make(model)
			for _, name := range []string{"lead.has_email", "lead.free_email"} {
				m[name] = false
			}
			for at, c := range got.chosen {
				if c != unchosen {
					m[s.domains[at].variable.name] = s.domains[at].classes[c].fact
				}
			}
			if !strings.Contains(text, "lead.has_email") {
				m["lead.has_email"] = m["lead.free_email"]
			}
			if !m.lawful() || !holds(m) {
				t.Fatalf("%v does not fit %+v\n%s", m, q, text)
			}
			return
		}
		never++
		var every func(m model, names []string)
		every = func(m model, names []string) {
			if len(names) == 0 {
				if (m.lawful() || !strings.Contains(text, "lead.has_email")) && holds(m) {
					t.Fatalf("%v fits, and none was found for %+v\n%s", m, q, text)
				}
				return
			}
			for _, fact := range valuesOf(names[0]) {
				m[names[0]] = fact
				every(m, names[1:])
			}
		}
		every(make(model), names)
	})
	if found < 20 || never < 10 {
		t.Errorf("%d found, %d never: the formulas are too much alike", found, never)
	}
}

// TestSolverSaysWhenItGivesUp holds that work is bounded, and that nothing is
// claimed once the bound is reached.
func TestSolverSaysWhenItGivesUp(t *testing.T) {
	a := good(t)
	var tests []test
	var q query
	// Each condition is easy; that no lead meets all of them shows late.
	for i, text := range []string{
		`(lead.employees + answers.budget) % 7 == 3`, `(answers.budget + 2 * lead.employees) % 5 == 1`,
		`lead.campaign == lead.source`, `lead.source == lead.medium`, `lead.medium != lead.campaign`,
	} {
		c, complaints := a.vocabulary.compile(text)
		if c == nil {
			t.Fatal(complaints)
		}
		tests, q.hold = append(tests, c.test()), append(q.hold, i)
	}
	if got := a.newSolver(tests, noCall, 1_000_000).solve(q); got.found || got.never {
		t.Errorf("samples were taken for everything: %+v", got)
	}
	c, _ := a.vocabulary.compile(`lead.employees > 5 && lead.employees < 3`)
	if got := a.newSolver([]test{c.test()}, noCall, 2).solve(query{hold: []int{0}}); got.found || got.never {
		t.Errorf("more was claimed than was looked at: %+v", got)
	}
	if got := a.newSolver([]test{c.test()}, noCall, 100).solve(query{hold: []int{0}}); got.found || !got.never {
		t.Errorf("a plain contradiction was not seen: %+v", got)
	}
}

// TestSolverWeighs holds what points and alternatives cost each other: the lead
// that counts is one of `some`, not the one with the most points.
func TestSolverWeighs(t *testing.T) {
	a := good(t)
	cases := []struct {
		name           string
		conditions     []string
		q              query
		found, decided bool
	}{
		{"points or persona", []string{"lead.has_email", "!lead.has_email"}, query{some: []int{1}, points: map[int]int64{0: 2}, needed: 2}, false, true},
		{"points and persona", []string{"lead.has_email", "!lead.has_email", "lead.has_phone"}, query{some: []int{1}, points: map[int]int64{0: 2, 2: 2}, needed: 2}, true, true},
		{"the cheaper persona", []string{"lead.has_email", "!lead.has_email", "lead.has_phone", "!lead.has_phone"}, query{some: []int{1, 3}, points: map[int]int64{0: 3, 2: 1}, needed: 3}, true, true},
		{"points that must be taken", []string{"lead.has_email", "lead.has_email || lead.has_phone"}, query{hold: []int{0}, points: map[int]int64{1: -1}, needed: 0}, false, true},
		{"a persona of samples", []string{"lead.campaign == lead.source && lead.campaign != lead.source"}, query{some: []int{0}}, false, false},
		{"points of samples", []string{"lead.campaign == lead.source && lead.campaign != lead.source"}, query{points: map[int]int64{0: 1}, needed: 1}, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var tests []test
			for _, text := range c.conditions {
				one, complaints := a.vocabulary.compile(text)
				if one == nil {
					t.Fatal(complaints)
				}
				tests = append(tests, one.test())
			}
			got := a.newSolver(tests, noCall, 1000).solve(c.q)
			if got.found != c.found || got.never != (c.decided && !c.found) {
				t.Errorf("found %v, never %v with %d points", got.found, got.never, got.points)
			}
		})
	}
}
