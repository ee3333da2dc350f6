package agreement

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// verdict decides as a lead is decided that nobody has called.
func verdict(a *Agreement) func(Facts) string {
	return func(f Facts) string {
		if f.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY || !a.Profile(f).Met || !a.Persona(f).Met {
			return "nurturing"
		}
		return "mql"
	}
}

// byCall decides as a lead is decided after a call.
func byCall(a *Agreement) func(Facts) string {
	return func(f Facts) string {
		switch {
		case !f.Call.GetFitConfirmed():
			return "nurturing"
		case f.Call.HorizonMonths != nil && f.Call.GetHorizonMonths() <= a.Horizon():
			return "sql"
		}
		return "sal"
	}
}

func TestSmallestOfTheStarter(t *testing.T) {
	a := starter(t, StarterParams{})
	lead := func(change func(*leadv1.Features)) Facts {
		f := &leadv1.Features{HasEmail: true, HasCompany: true, Country: "DE", Employees: 80, Role: "executive", ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT}
		change(f)
		return Facts{Features: f}
	}
	call := func(fit bool, months *int64) Facts {
		return Facts{Call: &leadv1.CallRecorded{Reached: true, FitConfirmed: fit, HorizonMonths: months}}
	}
	handed := func(f Facts) string {
		rule, _, _ := a.Handoff(leadv1.Stage_STAGE_MQL, f)
		return rule.ID
	}
	cases := []struct {
		name    string
		reads   Reads
		decide  func(Facts) string
		f       Facts
		outcome string
		want    string
	}{
		{"far away", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.Country, f.Employees = "NZ", 12 }), "mql", `if the country were AT (or BE, CH and 15 others) instead of NZ`},
		{"small", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.Country, f.Employees, f.HasCompany, f.FreeEmail = "DE", 12, false, true }), "mql", `if the number of employees were 20 or more instead of 12`},
		{"good", ReadsProfile, verdict(a), lead(func(*leadv1.Features) {}), "nurturing", `if no e-mail address were given`},
		{"content only", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY }), "mql", `if the wish for contact were "contact" (or unknown) instead of "content-only"`},
		{"student", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.Role = "student" }), "mql", `if the role of the person were "executive" instead of "student"`},
		{"a word of an earlier agreement", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.Role = "wizard" }), "mql", `if the role of the person were "executive" instead of "wizard"`},
		{"nothing known", ReadsProfile, verdict(a), Facts{}, "mql", `if an e-mail address were given, the country were AT (or BE, CH and 15 others) instead of unknown and a company were named`},
		{"nothing known, content only", ReadsProfile, verdict(a), Facts{Features: &leadv1.Features{ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY}}, "", `no change of up to three facts would do`},
		{"two facts", ReadsProfile, verdict(a), lead(func(f *leadv1.Features) { f.Country, f.Employees, f.HasCompany, f.FreeEmail = "", 19, false, true }), "mql", `if the country were AT (or BE, CH and 15 others) instead of unknown and the number of employees were 20 or more instead of 19`},
		{"SAL", ReadsCall, byCall(a), call(true, proto.Int64(9)), "nurturing", `if the call had not confirmed the fit`},
		{"SQL", ReadsCall, byCall(a), call(true, proto.Int64(3)), "nurturing", `if the call had not confirmed the fit`},
		{"no fit", ReadsCall, byCall(a), call(false, proto.Int64(3)), "sql", `if the call had confirmed the fit`},
		{"small company", ReadsHandoffs, handed, lead(func(*leadv1.Features) {}), "large-companies", `if the number of employees were 500 or more instead of 80`},
		{"large company", ReadsHandoffs, handed, lead(func(f *leadv1.Features) { f.Employees = 800 }), "everything-else", `if the number of employees were 499 or fewer instead of 800`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := c.f.clone()
			s := a.Smallest(c.reads, c.f, c.decide)
			if s.Words() != c.want || s.Outcome != c.outcome || !s.Sure {
				t.Errorf("got %q making it %q (sure: %v), want %q making it %q", s.Words(), s.Outcome, s.Sure, c.want, c.outcome)
			}
			if !proto.Equal(before.Features, c.f.Features) || !proto.Equal(before.Call, c.f.Call) {
				t.Error("the lead's own facts were changed")
			}
		})
	}
	// Towards a stated outcome, which a caller asks for by what it answers.
	hot := func(f Facts) string { return fmt.Sprint(byCall(a)(f) == "sql") }
	if s := a.Smallest(ReadsCall, call(true, proto.Int64(9)), hot); s.Words() != "if the months until the person wants to buy were 6 or fewer instead of 9" {
		t.Errorf("got %q", s.Words())
	}
	if s := a.Smallest(ReadsCall, call(true, nil), hot); s.Words() != "if the months until the person wants to buy were 6 or fewer instead of unknown" {
		t.Errorf("got %q", s.Words())
	}
}

// TestSmallestTakesTheNearestNumber holds that numbers come before the order in
// which texts are named.
func TestSmallestTakesTheNearestNumber(t *testing.T) {
	a := with(t, `lead.country == "DE" && lead.employees >= 50 || lead.country == "FR" && lead.employees >= 30`)
	met := func(f Facts) string { return strconv.FormatBool(a.Profile(f).Met) }
	s := a.Smallest(ReadsProfile, Facts{Features: &leadv1.Features{Country: "US", Employees: 3}}, met)
	if want := "if the country were FR instead of US and the number of employees were 30 or more instead of 3"; s.Words() != want || !s.Sure {
		t.Errorf("got %q, want %q", s.Words(), want)
	}
}

// TestSmallestOfWhatIsCalculated holds that nothing is claimed to be the
// smallest where only samples can be tried.
func TestSmallestOfWhatIsCalculated(t *testing.T) {
	a := with(t, `lead.employees * 2 >= 100`)
	met := func(f Facts) string { return strconv.FormatBool(a.Profile(f).Met) }
	s := a.Smallest(ReadsProfile, Facts{Features: &leadv1.Features{Employees: 3}}, met)
	if s.Sure || len(s.Changes) != 1 || s.Changes[0].Name != "lead.employees" || s.Outcome != "true" {
		t.Errorf("got %+v", s)
	}
	a = with(t, `lead.employees * lead.employees == 49`)
	s = a.Smallest(ReadsProfile, Facts{Features: &leadv1.Features{Employees: 3}}, met)
	if want := "no change of up to three facts was found that would do"; s.Sure || s.Words() != want {
		t.Errorf("got %q, want %q", s.Words(), want)
	}
}

// TestSmallestSaysWhenItGivesUp holds that the work is bounded, and that the
// answer says how far it came.
func TestSmallestSaysWhenItGivesUp(t *testing.T) {
	var parts []string
	for i := range 40 {
		parts = append(parts, fmt.Sprintf(`lead.campaign != "c%d"`, i), fmt.Sprintf(`lead.source != "s%d"`, i), fmt.Sprintf(`lead.medium != "m%d"`, i))
	}
	a := with(t, strings.Join(parts, " && ")+" || lead.has_email && lead.has_phone && lead.free_email && lead.has_company")
	decisions := 0
	s := a.Smallest(ReadsProfile, Facts{Features: &leadv1.Features{}}, func(Facts) string { decisions++; return "always" })
	if s.Tried != 2 || s.Sure || len(s.Changes) > 0 || decisions > mostDecisions+1 || s.Words() != "no change of up to two facts would do; larger ones are too many to try" {
		t.Errorf("got %q after %d decisions: %+v", s.Words(), decisions, s)
	}
}

// TestSmallestIsSmallest holds every claim about a smallest change against a
// search of its own over all changes of the same lead, with many more values
// than the conditions name.
func TestSmallestIsSmallest(t *testing.T) {
	base := goodSource(t)
	found, none, several := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawAgreement(t, base)
		lead := g.draw(t)
		real := verdict(g.compiled)
		s := g.compiled.Smallest(ReadsProfile, Facts{Features: lead.features()}, real)
		own := g.decide(lead)
		if got := real(Facts{Features: lead.features()}); got != own {
			t.Fatalf("the model decides %s, the agreement %s\n%s", own, got, g)
		}
		if s.Tried < len(s.Changes)-1 || (len(s.Changes) == 0 && s.Tried != 3) {
			t.Fatalf("gave up after %d facts\n%s", s.Tried, g)
		}
		// The claim flips.
		changed, number := lead.clone(), make(map[string]uint64)
		var names []string
		for _, c := range s.Changes {
			names = append(names, c.Name)
			if lead[c.Name] == c.to || c.From != c.variable.inWords(lead[c.Name]) || c.To != c.variable.inWords(c.to) {
				t.Fatalf("%s is said to change from %s to %s\n%s", c.Name, c.From, c.To, g)
			}
			number[c.Name] = far2(lead[c.Name], c.to)
			changed[c.Name] = c.to
		}
		if len(names) > 0 {
			several += min(len(names)-1, 1)
			found++
			if got := real(Facts{Features: changed.features()}); got == own || got != s.Outcome || !changed.lawful() {
				t.Fatalf("changing %v leads to %s from %s, said %s\n%v\n%s", names, got, own, s.Outcome, lead, g)
			}
		} else {
			none++
		}
		if !s.Sure {
			t.Fatalf("not sure, though everything is compared with literals\n%s", g)
		}
		// Nothing smaller flips.
		facts := g.order()
		for n := 1; n <= 3; n++ {
			subsets(len(facts), n, func(at []int) bool {
				these := make([]string, n)
				for i := range at {
					these[i] = facts[at[i]]
				}
				same := slices.Equal(these, names)
				g.every(lead, these, func(other model) {
					if !other.lawful() || g.decide(other) == own {
						return
					}
					if !same {
						t.Fatalf("%v is claimed, and changing %v to %v does, too\nlead %v\n%s", names, these, other, lead, g)
					}
					for _, name := range these {
						if _, ok := other[name].(int64); !ok && other[name] != nil {
							continue
						}
						if d := far2(lead[name], other[name]); d < number[name] {
							t.Fatalf("%v is claimed, and %v is nearer\nlead %v\n%s", changed, other, lead, g)
						} else if d > number[name] {
							return
						}
					}
				})
				return !same
			})
			if n == len(names) {
				break
			}
		}
	})
	if found < 20 || none < 2 || several < 3 {
		t.Errorf("%d changes found, %d of several facts, and %d times none: the leads are too much alike", found, several, none)
	}
}

// subsets tells each subset of n of the first `of` numbers, in order, until the
// answer is false.
func subsets(of, n int, tell func([]int) bool) {
	var step func(at []int, from int) bool
	step = func(at []int, from int) bool {
		if len(at) == n {
			return tell(at)
		}
		for i := from; i < of; i++ {
			if !step(append(slices.Clone(at), i), i+1) {
				return false
			}
		}
		return true
	}
	step(nil, 0)
}

func far2(from, to any) uint64 {
	a, ok := from.(int64)
	b, also := to.(int64)
	switch {
	case !also:
		return math.MaxUint64
	case !ok:
		return 0
	case a > b:
		return uint64(a - b)
	}
	return uint64(b - a)
}

// model is a lead as the test sees it: each fact by its name, nil = unknown.
type model map[string]any

func (m model) clone() model {
	out := make(model, len(m))
	for name, fact := range m {
		out[name] = fact
	}
	return out
}

func (m model) lawful() bool { return m["lead.free_email"] != true || m["lead.has_email"] == true }

func (m model) features() *leadv1.Features {
	text := func(name string) string { s, _ := m[name].(string); return s }
	flag := func(name string) bool { b, _ := m[name].(bool); return b }
	n, _ := m["lead.employees"].(int64)
	f := &leadv1.Features{
		Country: text("lead.country"), Employees: n, Role: text("lead.role"), HasEmail: flag("lead.has_email"), FreeEmail: flag("lead.free_email"),
		Answers: map[string]*leadv1.Value{}, Attribution: &leadv1.Attribution{Campaign: text("lead.campaign")},
	}
	switch m["lead.contact_wish"] {
	case "contact":
		f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTACT
	case "content-only":
		f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY
	}
	if b, ok := m["answers.budget"].(int64); ok {
		f.Answers["budget"] = number(b)
	}
	if s, ok := m["answers.timeframe"].(string); ok {
		f.Answers["timeframe"] = word(s)
	}
	if b, ok := m["answers.newsletter"].(bool); ok {
		f.Answers["newsletter"] = &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: b}}
	}
	return f
}

// values are many more than any condition names. The order is that in which the
// test draws them.
var modelValues = []struct {
	name   string
	values []any
}{
	{"lead.country", []any{"DE", "FR", "AT", "US", "NZ", nil}},
	{"lead.employees", []any{int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), nil}},
	{"lead.role", []any{"executive", "assistant", "buyer", nil}},
	{"lead.has_email", []any{true, false}},
	{"lead.free_email", []any{true, false}},
	{"answers.budget", []any{int64(-3), int64(-2), int64(-1), int64(0), int64(1), int64(2), int64(3), int64(4), int64(5), nil}},
	{"answers.timeframe", []any{"now", "later", nil}},
	{"answers.newsletter", []any{true, false, nil}},
	{"lead.campaign", []any{"spring", "summer", "x", "something-else", nil}},
	{"lead.contact_wish", []any{"contact", "content-only", "unknown"}},
}

func valuesOf(name string) []any {
	for _, v := range modelValues {
		if v.name == name {
			return v.values
		}
	}
	return nil
}

// truth3 is the test's own three-valued logic.
type truth3 int

const (
	no3 truth3 = iota
	unknown3
	yes3
)

type formula struct {
	text string
	eval func(model) truth3
}

// drawn is a generated agreement and what the test knows about it.
type drawn struct {
	compiled *Agreement
	text     string
	needed   int64
	musts    []formula
	gives    []formula
	points   []int64
	personas []formula
	source   string
}

func (g *drawn) String() string { return g.source }

func (g *drawn) decide(m model) string {
	if m["lead.contact_wish"] == "content-only" {
		return "nurturing"
	}
	for _, f := range g.musts {
		if f.eval(m) != yes3 {
			return "nurturing"
		}
	}
	sum := int64(0)
	for i, f := range g.gives {
		if f.eval(m) == yes3 {
			sum += g.points[i]
		}
	}
	if sum < g.needed || !slices.ContainsFunc(g.personas, func(f formula) bool { return f.eval(m) == yes3 }) {
		return "nurturing"
	}
	return "mql"
}

// order is the order in which the document mentions the facts; what it decides
// without mentioning it comes last.
func (g *drawn) order() []string {
	var names []string
	for _, v := range modelValues {
		if strings.Contains(g.text, v.name) {
			names = append(names, v.name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Index(g.text, a) - strings.Index(g.text, b) })
	for _, name := range []string{"lead.contact_wish", "lead.has_email"} {
		if !slices.Contains(names, name) && (name != "lead.has_email" || slices.Contains(names, "lead.free_email")) {
			names = append(names, name)
		}
	}
	return names
}

func (g *drawn) draw(t *rapid.T) model {
	m := make(model)
	for _, v := range modelValues {
		m[v.name] = rapid.SampledFrom(v.values).Draw(t, v.name)
	}
	if !strings.Contains(g.text, "lead.free_email") {
		m["lead.free_email"] = false
	}
	if !m.lawful() {
		m["lead.has_email"] = true
	}
	return m
}

// every tells each lead that differs in exactly these facts.
func (g *drawn) every(m model, names []string, tell func(model)) {
	if len(names) == 0 {
		tell(m)
		return
	}
	other := m.clone()
	for _, fact := range valuesOf(names[0]) {
		if fact != m[names[0]] {
			other[names[0]] = fact
			g.every(other, names[1:], tell)
		}
	}
}

func drawFormula(t *rapid.T, depth int) formula {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth > 0 && kind < 3 {
		a := drawFormula(t, depth-1)
		if kind == 0 {
			return formula{"!(" + a.text + ")", func(m model) truth3 { return yes3 - a.eval(m) }}
		}
		b := drawFormula(t, depth-1)
		if kind == 1 {
			return formula{"(" + a.text + " && " + b.text + ")", func(m model) truth3 { return min(a.eval(m), b.eval(m)) }}
		}
		return formula{"(" + a.text + " || " + b.text + ")", func(m model) truth3 { return max(a.eval(m), b.eval(m)) }}
	}
	known := func(name, text string, holds func(any) bool) formula {
		return formula{text, func(m model) truth3 {
			switch {
			case m[name] == nil:
				return unknown3
			case holds(m[name]):
				return yes3
			}
			return no3
		}}
	}
	v := rapid.SampledFrom(modelValues).Draw(t, "fact")
	name := v.name
	if asks := rapid.IntRange(0, 5).Draw(t, "has"); asks == 0 {
		return formula{"has(" + name + ")", func(m model) truth3 {
			if m[name] == nil {
				return no3
			}
			return yes3
		}}
	}
	switch v.values[0].(type) {
	case bool:
		return known(name, name, func(fact any) bool { return fact == true })
	case int64:
		n := rapid.Int64Range(2, 5).Draw(t, "number")
		op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op")
		holds := func(x, y int64) bool {
			return map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y}[op]
		}
		if rapid.Bool().Draw(t, "turned") {
			return known(name, fmt.Sprintf("%d %s %s", n, op, name), func(fact any) bool { return holds(n, fact.(int64)) })
		}
		return known(name, fmt.Sprintf("%s %s %d", name, op, n), func(fact any) bool { return holds(fact.(int64), n) })
	}
	var named []any
	for _, fact := range v.values {
		if text, ok := fact.(string); ok && text != "something-else" && text != "NZ" && text != "US" {
			named = append(named, text)
		}
	}
	texts := rapid.SliceOfNDistinct(rapid.SampledFrom(named), 1, 2, rapid.ID[any]).Draw(t, "texts")
	if len(texts) == 2 {
		return known(name, fmt.Sprintf("%s in [%q, %q]", name, texts[0], texts[1]), func(fact any) bool { return slices.Contains(texts, fact) })
	}
	if rapid.Bool().Draw(t, "not") {
		return known(name, fmt.Sprintf("%s != %q", name, texts[0]), func(fact any) bool { return fact != texts[0] })
	}
	return known(name, fmt.Sprintf("%s == %q", name, texts[0]), func(fact any) bool { return fact == texts[0] })
}

// drawAgreement is the good document with another profile and other personas.
func drawAgreement(t *rapid.T, base []byte) *drawn {
	g := &drawn{}
	var doc strings.Builder
	list := func(f formula) string {
		g.text += f.text + "\n"
		return fmt.Sprintf("when: '%s'", f.text)
	}
	g.needed = rapid.Int64Range(0, 4).Draw(t, "needed")
	doc.WriteString("  criteria:\n")
	total := int64(0)
	for i := range rapid.IntRange(1, 5).Draw(t, "criteria") {
		f := drawFormula(t, 2)
		weight := "must: true"
		if rapid.IntRange(0, 2).Draw(t, "must") > 0 {
			points := rapid.SampledFrom([]int64{1, 2, 3, -1}).Draw(t, "points")
			total += max(points, 0)
			g.gives, g.points = append(g.gives, f), append(g.points, points)
			weight = fmt.Sprintf("points: %d", points)
		} else {
			g.musts = append(g.musts, f)
		}
		fmt.Fprintf(&doc, "    - {id: c%d, text: One, %s, %s}\n", i, list(f), weight)
	}
	g.needed = min(g.needed, total)
	doc.WriteString("personas:\n  version: q1\n  list:\n")
	for i := range rapid.IntRange(1, 3).Draw(t, "personas") {
		f := drawFormula(t, 2)
		g.personas = append(g.personas, f)
		fmt.Fprintf(&doc, "    - {id: p%d, title: One, influence: user, text: One, %s}\n", i, list(f))
	}
	g.source = fmt.Sprintf("profile:\n  version: p1\n  points_needed: %d\n%s", g.needed, doc.String())
	text := string(base)
	from, to := strings.Index(text, "profile:\n"), strings.Index(text, "stages:\n")
	a, err := Restore([]byte(text[:from] + g.source + text[to:]))
	if err != nil {
		t.Fatalf("%v", err)
	}
	g.compiled = a
	return g
}

// BenchmarkSmallest is what a page waits for: by the starter agreement, and by
// one of twelve conditions; a change of one fact, and the proof that none of
// three does.
func BenchmarkSmallest(b *testing.B) {
	small := starter(b, StarterParams{})
	large, facts := twelveConditions(b)
	for _, c := range []struct {
		name string
		a    *Agreement
		f    *leadv1.Features
	}{
		{"starter, one fact", small, &leadv1.Features{HasEmail: true, HasCompany: true, Country: "NZ", Employees: 12, Role: "executive"}},
		{"starter, none", small, &leadv1.Features{ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY}},
		{"twelve conditions, one fact", large, facts.Features},
		{"twelve conditions, none", large, &leadv1.Features{ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.a.Smallest(ReadsProfile, Facts{Features: c.f}, verdict(c.a))
			}
		})
	}
}
