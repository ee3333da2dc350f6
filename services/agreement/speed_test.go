package agreement

import (
	"fmt"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// twelve is a profile of twelve conditions, each beside the same in Go.
var twelve = []struct {
	condition string
	must      bool
	points    int64
	inGo      func(*leadv1.Features) bool
}{
	{`lead.has_email || lead.has_phone`, true, 0, func(f *leadv1.Features) bool { return f.GetHasEmail() || f.GetHasPhone() }},
	{`lead.contact_wish != "content-only"`, true, 0, func(f *leadv1.Features) bool {
		return f.GetContactWish() != leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY
	}},
	{`lead.country in ["AT", "BE", "CH", "DE", "DK", "FR", "GB", "NL"]`, false, 2, func(f *leadv1.Features) bool {
		switch f.GetCountry() {
		case "AT", "BE", "CH", "DE", "DK", "FR", "GB", "NL":
			return true
		}
		return false
	}},
	{`lead.employees >= 20`, false, 2, func(f *leadv1.Features) bool { return f.GetEmployees() >= 20 }},
	{`lead.employees >= 500`, false, 1, func(f *leadv1.Features) bool { return f.GetEmployees() >= 500 }},
	{`lead.has_company || (lead.has_email && !lead.free_email)`, false, 1, func(f *leadv1.Features) bool {
		return f.GetHasCompany() || (f.GetHasEmail() && !f.GetFreeEmail())
	}},
	{`lead.industry in ["software", "retail"]`, false, 1, func(f *leadv1.Features) bool {
		return f.GetIndustry() == "software" || f.GetIndustry() == "retail"
	}},
	{`lead.role == "executive"`, false, 2, func(f *leadv1.Features) bool { return f.GetRole() == "executive" }},
	{`answers.timeframe == "now"`, false, 2, func(f *leadv1.Features) bool { return f.GetAnswers()["timeframe"].GetText() == "now" }},
	{`has(answers.budget) && answers.budget >= 100000`, false, 2, func(f *leadv1.Features) bool {
		return f.GetAnswers()["budget"].GetNumber() >= 100000
	}},
	{`lead.language in ["de", "en", "fr"]`, false, 1, func(f *leadv1.Features) bool {
		return f.GetLanguage() == "de" || f.GetLanguage() == "en" || f.GetLanguage() == "fr"
	}},
	{`lead.source == "newsletter" && lead.medium == "email"`, false, -1, func(f *leadv1.Features) bool {
		return f.GetAttribution().GetSource() == "newsletter" && f.GetAttribution().GetMedium() == "email"
	}},
}

func twelveConditions(t testing.TB) (*Agreement, Facts) {
	t.Helper()
	var b strings.Builder
	b.WriteString("profile:\n  version: p1\n  points_needed: 6\n  criteria:\n")
	for i, c := range twelve {
		weight := "must: true"
		if !c.must {
			weight = fmt.Sprintf("points: %d", c.points)
		}
		fmt.Fprintf(&b, "    - {id: c%d, text: One., when: '%s', %s}\n", i, c.condition, weight)
	}
	text := string(goodSource(t))
	from, to := strings.Index(text, "profile:\n"), strings.Index(text, "personas:\n")
	a, err := Compile([]byte(text[:from] + b.String() + text[to:]))
	if err != nil {
		t.Fatal(err)
	}
	return a, Facts{Features: &leadv1.Features{
		HasEmail: true, HasCompany: true, Country: "NL", Employees: 80, Industry: "retail", Role: "buyer", Language: "en",
		ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT,
		Answers:     map[string]*leadv1.Value{"timeframe": word("later"), "budget": number(250_000)},
		Attribution: &leadv1.Attribution{Source: "search", Medium: "cpc"},
	}}
}

func inGo(f *leadv1.Features) (met bool, points int64) {
	met = true
	for i := range twelve {
		switch c := &twelve[i]; {
		case c.inGo(f):
			points += c.points
		case c.must:
			met = false
		}
	}
	return met && points >= 6, points
}

// TestTwelveConditions holds that both sides of the comparison decide the same.
func TestTwelveConditions(t *testing.T) {
	a, facts := twelveConditions(t)
	fit := a.Profile(facts)
	if met, points := inGo(facts.Features); met != fit.Met || points != fit.Points || points != 9 {
		t.Errorf("the agreement: %v with %d points; Go: %v with %d", fit.Met, fit.Points, met, points)
	}
}

// BenchmarkTwelveConditions compares, side by side: the explained decision as it
// is recorded, the conditions alone, and the same in Go.
func BenchmarkTwelveConditions(b *testing.B) {
	a, facts := twelveConditions(b)
	b.Run("explained", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !a.Profile(facts).Met {
				b.Fatal("not met")
			}
		}
	})
	b.Run("conditions", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			met := 0
			for i := range a.profile.criteria {
				if ok, _ := a.profile.criteria[i].when.decide(&facts); ok {
					met++
				}
			}
			if met == 0 {
				b.Fatal("not met")
			}
		}
	})
	b.Run("go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if met, _ := inGo(facts.Features); !met {
				b.Fatal("not met")
			}
		}
	})
}

// BenchmarkCheck is what holding the starter's rules against each other costs,
// beside compiling them.
func BenchmarkCheck(b *testing.B) {
	source := Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)})
	for _, c := range []struct {
		name string
		by   func([]byte) (*Agreement, error)
	}{{"compile", Compile}, {"restore", Restore}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.by(source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
