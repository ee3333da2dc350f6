package agreement

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func number(n int64) *leadv1.Value { return &leadv1.Value{Kind: &leadv1.Value_Number{Number: n}} }
func word(s string) *leadv1.Value  { return &leadv1.Value{Kind: &leadv1.Value_Text{Text: s}} }

// with is an agreement whose only criterion is a must-have with this condition.
func with(t testing.TB, condition string) *Agreement {
	t.Helper()
	source := edited(t, goodSource(t), "when: lead.has_email || lead.has_phone", "when: |-\n        "+strings.ReplaceAll(condition, "\n", "\n        "))
	source = edited(t, source, "points_needed: 3", "points_needed: 0")
	a, err := Restore(source)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProfileTruthTable(t *testing.T) {
	a := good(t)
	for _, reachable := range []bool{false, true} {
		for _, employees := range []int64{0, 19, 20} {
			for _, budget := range []int64{-1, 99_999, 100_000} {
				f := &leadv1.Features{HasPhone: reachable, Employees: employees}
				if budget >= 0 {
					f.Answers = map[string]*leadv1.Value{"budget": number(budget)}
				}
				fit := a.Profile(Facts{Features: f})
				want := int64(0)
				if employees >= 20 {
					want += 2
				}
				if budget >= 100_000 {
					want += 2
				}
				if fit.Points != want || fit.Needed != 3 || fit.Met != (reachable && want >= 3) || fit.Version != "p1" {
					t.Errorf("reachable %v, employees %d, budget %d: got met %v with %d of %d points", reachable, employees, budget, fit.Met, fit.Points, fit.Needed)
				}
				sum := int64(0)
				for _, c := range fit.Criteria {
					sum += c.Points
				}
				if sum != fit.Points {
					t.Errorf("the criteria add up to %d, not %d", sum, fit.Points)
				}
			}
		}
	}
}

func TestProfileExplains(t *testing.T) {
	fit := good(t).Profile(Facts{Features: &leadv1.Features{HasEmail: true, Answers: map[string]*leadv1.Value{"budget": number(123456)}}})
	want := []*leadv1.Criterion{
		{Id: "contactable", Text: "Can be reached.", Condition: "lead.has_email || lead.has_phone", Must: true, Met: true, Values: []*leadv1.NamedValue{
			{Name: "lead.has_email", Value: "yes"}, {Name: "lead.has_phone", Value: "no"},
		}},
		{Id: "size", Text: "Big enough.", Condition: "lead.employees >= 20", Values: []*leadv1.NamedValue{
			{Name: "lead.employees", Value: "unknown"},
		}},
		{Id: "budget", Text: "Has money.", Condition: "has(answers.budget) && answers.budget >= 100000", Met: true, Points: 2, Values: []*leadv1.NamedValue{
			{Name: "answers.budget", Value: "1234.56 EUR"},
		}},
	}
	if diff := cmp.Diff(want, fit.Criteria, protocmp.Transform()); diff != "" {
		t.Errorf("criteria (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"number of employees"}, fit.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// TestUnknown holds what an unknown fact does: no comparison with it holds, in
// either direction, and has() asks for it.
func TestUnknown(t *testing.T) {
	known := Facts{Features: &leadv1.Features{
		Country: "DE", Employees: 30, Answers: map[string]*leadv1.Value{"budget": number(7), "timeframe": word("now"), "newsletter": {Kind: &leadv1.Value_Flag{Flag: true}}},
	}, Call: &leadv1.CallRecorded{Reached: true, HorizonMonths: proto.Int64(3), Answers: map[string]*leadv1.Value{"need": word("replace")}}}
	nothing := Facts{}
	cases := []struct {
		condition      string
		known, nothing bool
		missing        string
	}{
		{`lead.employees >= 20`, true, false, "number of employees"},
		{`lead.employees < 20`, false, false, "number of employees"},
		{`!(lead.employees >= 20)`, false, false, "number of employees"},
		{`lead.employees != 5`, true, false, "number of employees"},
		{`lead.country != "FR"`, true, false, "country"},
		{`!(lead.country in ["FR"])`, true, false, "country"},
		{`has(lead.country)`, true, false, "country"},
		{`!has(lead.country)`, false, true, ""},
		{`!has(lead.country) || lead.country == "DE"`, true, true, ""},
		{`has(lead.employees) && lead.employees < 20`, false, false, "number of employees"},
		{`lead.employees >= 20 || lead.contact_wish == "unknown"`, true, true, ""},
		{`lead.contact_wish == "contact" && lead.employees >= 20`, false, false, ""},
		{`lead.employees >= 20 ? true : lead.has_email`, true, false, "number of employees"},
		{`answers.budget > 5`, true, false, `answer "budget" of the form`},
		{`answers.timeframe == "now" && answers.newsletter`, true, false, `answer "timeframe" of the form, answer "newsletter" of the form`},
		{`call.reached && call.horizon_months <= 6`, true, false, "recorded call, months until the person wants to buy"},
		{`call.answers.need == "replace"`, true, false, `answer "need" of the call`},
		{`has(call.answers.need) || has(call.reached)`, true, false, `answer "need" of the call, recorded call`},
		{`lead.employees * 9223372036854775807 > 0 || false`, false, false, "number of employees"},
		{`30 / (lead.employees - 30) == 1`, false, false, "number of employees"},
		{`lead.country.startsWith("D") && lead.country.endsWith("E") && lead.country.contains("DE")`, true, false, "country"},
		{"lead.employees == 30\n  && lead.country == 'DE'", true, false, "number of employees, country"},
		{`lead.has_email == lead.free_email`, true, true, ""},
	}
	for _, c := range cases {
		t.Run(c.condition, func(t *testing.T) {
			a := with(t, c.condition)
			if got := a.Profile(known); got.Criteria[0].Met != c.known || got.Met != c.known {
				t.Errorf("with known facts: met %v, want %v", got.Criteria[0].Met, c.known)
			}
			got := a.Profile(nothing)
			if got.Criteria[0].Met != c.nothing || got.Met != c.nothing {
				t.Errorf("with no facts: met %v, want %v", got.Criteria[0].Met, c.nothing)
			}
			// The other criteria of the document lack employees and budget.
			var missing []string
			met, m := a.profile.criteria[0].when.decide(&nothing)
			if met == c.nothing {
				missing = m
			}
			if s := strings.Join(missing, ", "); s != c.missing {
				t.Errorf("missing %q, want %q", s, c.missing)
			}
			for _, v := range got.Criteria[0].Values {
				if v.Value == "unknown" && strings.Contains(v.Name, "has_") {
					t.Errorf("%s is never unknown", v.Name)
				}
			}
		})
	}
}

// TestValuesInOrder holds that an explanation lists what a condition mentions in
// the order of its text, each once.
func TestValuesInOrder(t *testing.T) {
	a := with(t, `call.reached && (lead.role == "buyer" || has(answers.budget) && answers.budget > lead.employees) && lead.country.startsWith("D") && lead.role in ["buyer"]`)
	var got []string
	for _, v := range a.Profile(Facts{}).Criteria[0].Values {
		got = append(got, v.Name+"="+v.Value)
	}
	want := []string{"call.reached=unknown", "lead.role=unknown", "answers.budget=unknown", "lead.employees=unknown", "lead.country=unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestAnswerOfAnotherType holds that a fact of the wrong type is unknown.
func TestAnswerOfAnotherType(t *testing.T) {
	a := with(t, `answers.budget >= 0`)
	fit := a.Profile(Facts{Features: &leadv1.Features{Answers: map[string]*leadv1.Value{"budget": word("much")}}})
	if fit.Met || fit.Criteria[0].Values[0].Value != "unknown" {
		t.Errorf("got %v with %v", fit.Met, fit.Criteria[0].Values)
	}
}

func TestPersona(t *testing.T) {
	a := good(t)
	fit := a.Persona(Facts{Features: &leadv1.Features{Role: "buyer"}})
	want := PersonaFit{Met: true, Version: "q1", ID: "buyer", Title: "The buyer", Influence: "brake", Criteria: []*leadv1.Criterion{{
		Id: "buyer", Text: "Compares prices.", Condition: `lead.role in ["buyer", "assistant"]`, Met: true,
		Values: []*leadv1.NamedValue{{Name: "lead.role", Value: "buyer"}},
	}}}
	if diff := cmp.Diff(want, fit, protocmp.Transform()); diff != "" {
		t.Errorf("persona (-want +got):\n%s", diff)
	}
	none := a.Persona(Facts{Features: &leadv1.Features{}})
	if none.Met || none.ID != "" || none.Version != "q1" || len(none.Criteria) != 2 {
		t.Errorf("without a role: %+v", none)
	}
}

func TestHandoff(t *testing.T) {
	a := good(t)
	cases := []struct {
		stage     leadv1.Stage
		employees int64
		want      string
	}{
		{leadv1.Stage_STAGE_MQL, 500, "big"},
		{leadv1.Stage_STAGE_MQL, 499, "rest"},
		{leadv1.Stage_STAGE_MQL, 0, "rest"},
		{leadv1.Stage_STAGE_SQL, 500, ""},
	}
	for _, c := range cases {
		rule, why, ok := a.Handoff(c.stage, Facts{Features: &leadv1.Features{Employees: c.employees}})
		if rule.ID != c.want || ok != (c.want != "") || (why != nil) != ok {
			t.Errorf("%v with %d employees: %+v, %v", c.stage, c.employees, rule, ok)
		}
		if ok && (!why.Met || why.Id != rule.ID || why.Condition == "") {
			t.Errorf("the explanation does not say why: %v", why)
		}
	}
}

// TestConcurrentUse evaluates one agreement from many goroutines; the race
// detector watches.
func TestConcurrentUse(t *testing.T) {
	a := good(t)
	facts := Facts{Features: &leadv1.Features{Employees: 30, HasEmail: true}}
	want := a.Profile(facts)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, a.Profile(facts), protocmp.Transform()); diff != "" {
					t.Errorf("differs:\n%s", diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestDecideMatchesModel compares conditions over random facts with a
// three-valued model written from the rules: a comparison with an unknown fact
// has no result, and && and || have one only where it does not depend on it.
func TestDecideMatchesModel(t *testing.T) {
	type truth int
	const (
		no truth = iota
		unknown
		yes
	)
	type atom struct {
		text string
		eval func(*leadv1.Features) truth
	}
	of := func(known, holds bool) truth {
		switch {
		case !known:
			return unknown
		case holds:
			return yes
		}
		return no
	}
	atoms := []atom{
		{`lead.employees >= 20`, func(f *leadv1.Features) truth { return of(f.Employees > 0, f.Employees >= 20) }},
		{`lead.country in ["DE", "FR"]`, func(f *leadv1.Features) truth {
			return of(f.Country != "", f.Country == "DE" || f.Country == "FR")
		}},
		{`lead.role != "buyer"`, func(f *leadv1.Features) truth { return of(f.Role != "", f.Role != "buyer") }},
		{`has(lead.role)`, func(f *leadv1.Features) truth { return of(true, f.Role != "") }},
		{`lead.has_email`, func(f *leadv1.Features) truth { return of(true, f.HasEmail) }},
	}
	var expression func(t *rapid.T, depth int) atom
	expression = func(t *rapid.T, depth int) atom {
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		if depth == 0 || kind == 0 {
			return rapid.SampledFrom(atoms).Draw(t, "atom")
		}
		a := expression(t, depth-1)
		if kind == 1 {
			return atom{"!(" + a.text + ")", func(f *leadv1.Features) truth { return yes - a.eval(f) }}
		}
		b := expression(t, depth-1)
		if kind == 2 {
			return atom{"(" + a.text + " && " + b.text + ")", func(f *leadv1.Features) truth { return min(a.eval(f), b.eval(f)) }}
		}
		return atom{"(" + a.text + " || " + b.text + ")", func(f *leadv1.Features) truth { return max(a.eval(f), b.eval(f)) }}
	}
	v, err := newVocabulary(good(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		e := expression(t, 3)
		c, complaints := v.compile(e.text)
		if c == nil {
			t.Fatalf("%s: %v", e.text, complaints)
		}
		for range 5 {
			f := &leadv1.Features{
				Employees: rapid.SampledFrom([]int64{0, 19, 20}).Draw(t, "employees"),
				Country:   rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "country"),
				Role:      rapid.SampledFrom([]string{"", "buyer", "executive"}).Draw(t, "role"),
				HasEmail:  rapid.Bool().Draw(t, "email"),
			}
			if met, _ := c.decide(&Facts{Features: f}); met != (e.eval(f) == yes) {
				t.Fatalf("%s with %v: met %v", e.text, f, met)
			}
		}
	})
}

// TestCost holds that no accepted condition can reach the limit of steps at run
// time, however long the texts of a lead are.
func TestCost(t *testing.T) {
	v, err := newVocabulary(good(t))
	if err != nil {
		t.Fatal(err)
	}
	var list bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&list, "%q,", fmt.Sprint(i))
	}
	c, complaints := v.compile(`lead.campaign in [` + strings.TrimSuffix(list.String(), ",") + `]`)
	if c == nil {
		t.Fatal(complaints)
	}
	long := strings.Repeat("x", longestText)
	met, _ := c.decide(&Facts{Features: &leadv1.Features{Attribution: &leadv1.Attribution{Campaign: long}}})
	if met {
		t.Error("met without reason")
	}
	met, _ = c.decide(&Facts{Features: &leadv1.Features{Attribution: &leadv1.Attribution{Campaign: "399"}}})
	if !met {
		t.Error("the longest list allowed cannot be evaluated")
	}
	if c, complaints := v.compile(strings.Repeat("lead.has_email && ", 300) + "true"); c != nil || !strings.Contains(complaints[0].text, "longer than") {
		t.Errorf("a condition of more than %d characters: %v", maxCondition, complaints)
	}
	if c, complaints := v.compile(strings.Repeat("!(", 200) + "true" + strings.Repeat(")", 200)); c != nil || len(complaints) == 0 {
		t.Errorf("a deep condition was accepted")
	}
	expensive := strings.TrimSuffix(strings.Repeat("(lead.campaign+lead.campaign+lead.campaign+lead.campaign).contains(lead.source+lead.source+lead.source) || ", 36), " || ")
	if c, complaints := v.compile(expensive); c != nil || !strings.Contains(complaints[0].text, "steps") {
		t.Errorf("an expensive condition: %v", complaints)
	}
}
