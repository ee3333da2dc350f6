package agreement

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

func key(seed byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

func starter(t testing.TB, p StarterParams) *Agreement {
	t.Helper()
	p.MarketingKey, p.SalesKey = key(1), key(2)
	a, err := Compile(Starter(p))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestStarterPassesItsOwnChecks(t *testing.T) {
	a := starter(t, StarterParams{Zone: "Europe/Berlin"})
	if !a.PartyKey(Marketing).Equal(key(1)) || !a.PartyKey(Sales).Equal(key(2)) {
		t.Error("the keys are not the given ones")
	}
	c, ok := a.Calendar("office")
	if !ok || c.Zone() != "Europe/Berlin" || c.Between(at(t, "2026-03-02T00:00:00Z"), at(t, "2026-03-09T00:00:00Z")) != 40*time.Hour {
		t.Errorf("the calendar is not Monday to Friday, 9 to 17: %v", c)
	}
	var consequences []leadv1.Consequence
	for _, r := range a.Reasons() {
		if !slices.Contains(consequences, r.Consequence) {
			consequences = append(consequences, r.Consequence)
		}
	}
	if len(a.Reasons()) != 6 || len(consequences) != 3 {
		t.Errorf("%d reasons with %d consequences, want 6 with 3", len(a.Reasons()), len(consequences))
	}
	if len(a.Pools()) != 2 || len(a.Glossary()) == 0 || len(a.sections) == 0 || a.Accountable(Sales) == "" || a.NurtureOwner() == "" {
		t.Error("the starter lacks a part")
	}
	feedback, asks := a.Feedback()
	disputes, settled := a.Disputes()
	within, _, returns := a.AcceptedByDefault()
	if !asks || len(feedback.Why) == 0 || len(feedback.Talk) == 0 || len(feedback.Missing) == 0 || len(feedback.Required) == 0 || feedback.Within == 0 ||
		!settled || disputes.Arbiter != "director" || !returns || within != 24*time.Hour || len(a.Dispositions()) == 0 || len(a.DealStages()) == 0 {
		t.Error("the starter lacks a part on what comes after the handoff")
	}
	if year := a.Year(); year.Starts != time.January || year.Zone.String() != "Europe/Berlin" {
		t.Errorf("the year starts in %s, %s", year.Starts, year.Zone)
	}
	for want, f := range map[string]*leadv1.Features{
		"new-business":  {},
		"retention":     {Answers: map[string]*leadv1.Value{"customer": {Kind: &leadv1.Value_Flag{Flag: true}}}},
		"sales-support": {Attribution: &leadv1.Attribution{Medium: "sales"}},
	} {
		if got := a.Purpose(Facts{Features: f}); got != want {
			t.Errorf("purpose %q, want %q", got, want)
		}
	}
	if sheet, ok := a.Questionnaire(leadv1.Stage_STAGE_MQL); !ok || sheet.Version == "" || len(sheet.Questions) == 0 {
		t.Error("the starter has no questionnaire")
	}
}

func TestStarterMembers(t *testing.T) {
	for n := range 6 {
		all := []string{"u1", "u-2", "007", "true", "x.y"}[:max(n-1, 0)]
		a := starter(t, StarterParams{Members: all})
		want := all
		if len(all) == 0 {
			want = []string{"ana", "ben", "chloe", "dan"}
		}
		var got []string
		for _, p := range a.Pools() {
			if p.Group != "sales" {
				t.Errorf("pool %s is of group %q", p.ID, p.Group)
			}
			for _, m := range p.Members {
				if !slices.Contains(got, m.Member) {
					got = append(got, m.Member)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
	}
}

// TestStarterWithoutKeys holds that the document then points at what is missing.
func TestStarterWithoutKeys(t *testing.T) {
	_, err := Compile(Starter(StarterParams{}))
	var problems *Problems
	if !errors.As(err, &problems) || len(problems.List) != 2 || problems.List[0].Path != "parties.marketing.public_key" || problems.List[1].Path != "parties.sales.public_key" {
		t.Fatalf("got %v", err)
	}
}

// TestStarterTakesPlainForms plays leads of a form that asks for e-mail address,
// company, country, number of employees, job title and a message, no more.
func TestStarterTakesPlainForms(t *testing.T) {
	a := starter(t, StarterParams{})
	cases := []struct {
		name            string
		title           string
		f               *leadv1.Features
		profile         bool
		persona, handed string
	}{
		{"a good lead", "Managing Director", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "DE", Employees: 80}, true, "decider", "inside-sales"},
		{"a large company", "VP Engineering", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "US", Employees: 5000}, true, "champion", "large-companies"},
		{"a buyer", "Einkauf", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "AT", Employees: 3}, true, "buyer", "inside-sales"},
		{"no job title", "", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "FR"}, true, "somebody", "inside-sales"},
		{"a student", "PhD Student", &leadv1.Features{HasEmail: true, FreeEmail: true, Country: "DE"}, false, "", "inside-sales"},
		{"cannot be reached", "CEO", &leadv1.Features{HasCompany: true, Country: "DE", Employees: 80}, false, "decider", "inside-sales"},
		{"content only", "CEO", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "DE", Employees: 80, ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY}, false, "decider", "inside-sales"},
		{"far away and small", "Owner", &leadv1.Features{HasEmail: true, HasCompany: true, Country: "NZ", Employees: 4}, false, "decider", "inside-sales"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.f.Role, _ = a.Word(Roles, c.title)
			facts := Facts{Features: c.f}
			fit := a.Profile(facts)
			if fit.Met != c.profile {
				t.Errorf("profile met %v with %d of %d points, want %v; missing %v", fit.Met, fit.Points, fit.Needed, c.profile, fit.Missing)
			}
			if p := a.Persona(facts); p.ID != c.persona {
				t.Errorf("persona %q, want %q", p.ID, c.persona)
			}
			if h, _, ok := a.Handoff(leadv1.Stage_STAGE_MQL, facts); !ok || h.Pool != c.handed {
				t.Errorf("handed to %q, want %q", h.Pool, c.handed)
			}
		})
	}
}

// TestCompileStaysCheap bounds the work of compiling the starter. Allocations are
// the same on a busy machine, time is not: BenchmarkCompile measures that (some
// 5 ms; people wait for it, so it has to stay below 50).
func TestCompileStaysCheap(t *testing.T) {
	source := Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)})
	allocations := testing.AllocsPerRun(3, func() {
		if _, err := Compile(source); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 50_000 {
		t.Errorf("the starter takes %.0f allocations to compile, want at most 50000", allocations)
	}
}

func BenchmarkCompile(b *testing.B) {
	source := Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(source); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkFacts() Facts {
	return Facts{Features: &leadv1.Features{
		HasEmail: true, HasCompany: true, Country: "IT", Employees: 80, Role: "head",
		Answers: map[string]*leadv1.Value{"timeframe": word("later")},
	}}
}

func BenchmarkProfile(b *testing.B) {
	a, facts := starter(b, StarterParams{}), benchmarkFacts()
	b.ReportAllocs()
	for b.Loop() {
		if !a.Profile(facts).Met {
			b.Fatal("not met")
		}
	}
}

func BenchmarkPersona(b *testing.B) {
	a, facts := starter(b, StarterParams{}), benchmarkFacts()
	b.ReportAllocs()
	for b.Loop() {
		if !a.Persona(facts).Met {
			b.Fatal("not met")
		}
	}
}

func BenchmarkHandoff(b *testing.B) {
	a, facts := starter(b, StarterParams{}), benchmarkFacts()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := a.Handoff(leadv1.Stage_STAGE_MQL, facts); !ok {
			b.Fatal("no handoff")
		}
	}
}

// TestStarterExamplesWork holds that what the starter shows of pools, in notes, can be
// written so.
func TestStarterExamplesWork(t *testing.T) {
	source := string(Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)}))
	_, notes, _ := strings.Cut(source, "A pool can say more, for example:\n#\n")
	notes, _, _ = strings.Cut(notes, "pools:\n")
	var lines strings.Builder
	for line := range strings.Lines(notes) {
		lines.WriteString(strings.TrimPrefix(line, "# "))
	}
	if strings.Count(lines.String(), "\n") < 8 {
		t.Fatalf("the notes are not there: %q", lines.String())
	}
	body := string(edited(t, []byte(source), "    capacity: 50\n", lines.String()+"    capacity: 50\n"))
	body = string(edited(t, []byte(body), "# one_owner: {window: 14d}\n", "one_owner: {window: 14d}\n"))
	a, err := Compile([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := a.Pool("inside-sales")
	if window, ok := a.OneOwner(); !ok || window != 14*24*time.Hour || p.GivesBy != ByLoad || p.Next != "sam" || p.Fallback.Pool != "large-companies" || p.Members[0].AtMost.Week != 20 || p.PreviousOwnerWait != 4*time.Hour || !p.SignedIn {
		t.Errorf("the pool is %+v", p)
	}
	if len(a.Notices()) != 0 {
		t.Errorf("notices: %v", a.Notices())
	}
}
