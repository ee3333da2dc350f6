package agreement

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// told is a supply and what it heard so far.
type told struct {
	*Supply
	now time.Time
}

func (s *told) hear(lead string, body proto.Message) {
	s.Apply(&ledger.Event{Subject: "lead." + lead, Recorded: s.now, Occurred: s.now, Body: body})
}

func (s *told) received(lead, source string, f *leadv1.Features) {
	s.hear(lead, &leadv1.LeadReceived{SourceId: "id-" + source, Source: source, Features: f})
}

// of lists what each source states of a fact: "web 1/2".
func (s *told) of(a *Agreement, name string) string {
	fields := a.Fields()
	supply := s.Of(fields, s.now)
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	var out []string
	for _, one := range supply[i] {
		out = append(out, fmt.Sprintf("%s %d/%d", one.Source, one.Stated, one.Leads))
	}
	return strings.Join(out, ", ")
}

func (s *told) want(t *testing.T, a *Agreement, name, want string) {
	t.Helper()
	if got := s.of(a, name); got != want {
		t.Errorf("%s is stated by %q, want %q", name, got, want)
	}
}

func TestSupply(t *testing.T) {
	a := starter(t, StarterParams{})
	s := &told{NewSupply(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	notices := func() []string {
		fields := a.Fields()
		return s.Unsupplied(fields, s.Of(fields, s.now), s.now)
	}
	if got := notices(); len(got) != 1 || !strings.Contains(got[0], "no source has sent a lead in the last 90 days") {
		t.Errorf("with no lead the notices are %q", got)
	}
	s.received("a", "web", &leadv1.Features{HasEmail: true, Country: "DE"})
	s.received("b", "web", &leadv1.Features{HasEmail: true, Employees: 30, Answers: map[string]*leadv1.Value{"timeframe": word("now"), "budget": word("a word where a number belongs")}})
	s.received("c", "events", &leadv1.Features{HasPhone: true, ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT})
	s.want(t, a, "lead.country", "events 0/1, web 1/2")
	s.want(t, a, "lead.employees", "events 0/1, web 1/2")
	s.want(t, a, "lead.contact_wish", "events 1/1, web 0/2")
	s.want(t, a, "answers.timeframe", "events 0/1, web 1/2")
	s.want(t, a, "answers.budget", "events 0/1, web 0/2")
	s.want(t, a, "lead.free_email", "events 0/1, web 2/2")
	s.want(t, a, "call.reached", "")

	// What is not a lead of the source does not count.
	s.hear("h", &leadv1.LeadReceived{SourceId: "id-web", Source: "web", Historical: true, Features: &leadv1.Features{Country: "DE"}})
	s.received("spam", "web", &leadv1.Features{Country: "DE"})
	s.hear("spam", &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "honeypot"})
	s.want(t, a, "lead.country", "events 0/1, web 1/2")

	// A later reading of the body takes the place of the first; a conflict does not.
	s.hear("a", &leadv1.SubmissionRevised{Features: &leadv1.Features{Industry: "retail"}, Conflict: true})
	s.want(t, a, "lead.industry", "events 0/1, web 0/2")
	s.hear("a", &leadv1.SubmissionRevised{Features: &leadv1.Features{Industry: "retail"}})
	s.want(t, a, "lead.industry", "events 0/1, web 1/2")
	s.want(t, a, "lead.country", "events 0/1, web 0/2")
	s.hear("c", &leadv1.LeadRemapped{Features: &leadv1.Features{Country: "AT"}})
	s.want(t, a, "lead.country", "events 1/1, web 0/2")

	// Touches are facts of the lead that they are on, each once.
	s.hear("b", &leadv1.TouchAdded{Kind: "webinar"})
	s.hear("b", &leadv1.TouchAdded{Kind: "webinar"})
	s.hear("b", &leadv1.SubmissionRevised{Features: &leadv1.Features{Employees: 30, HasEmail: true}})
	s.want(t, a, `touches.count("webinar")`, "events 0/1, web 1/2")

	got := notices()
	text := strings.Join(got, "\n")
	for _, want := range []string{
		"lead.has_phone is used by the criterion contactable; no source has stated it in the last 90 days (events: 0 of 1 lead, web: 0 of 2 leads)",
		`touches.count("reply") is used by the signal reply; nobody has reported a touch of this kind in the last 90 days`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among the notices:\n%s", want, text)
		}
	}
	for _, not := range []string{"lead.employees is", `touches.count("webinar")`, "lead.product", "call.", "answers.budget", "lead.free_email"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is supplied, or used by nothing, and yet noticed:\n%s", not, text)
		}
	}

	// 90 days later it is forgotten, also what nobody asked about meanwhile.
	s.now = s.now.AddDate(0, 0, 89)
	s.want(t, a, "lead.employees", "events 0/1, web 1/2")
	s.now = s.now.AddDate(0, 0, 1)
	s.want(t, a, "lead.employees", "")
	s.received("late", "web", &leadv1.Features{})
	s.want(t, a, "lead.employees", "web 0/1")
	if len(s.leads) != 1 || len(s.queue) != 1 || len(s.sources["id-events"].leads) != 0 {
		t.Errorf("%d leads, %d in the queue, %d counts of the other source are kept", len(s.leads), len(s.queue), len(s.sources["id-events"].leads))
	}
	if !strings.Contains(strings.Join(notices(), "\n"), `touches.count("webinar")`) {
		t.Error("a touch of long ago still counts as reported")
	}
	// The source is known by its last name.
	s.hear("renamed", &leadv1.LeadReceived{SourceId: "id-web", Source: "site", Features: &leadv1.Features{}})
	s.want(t, a, "lead.employees", "site 0/2")
}

// TestSupplyCountsWhatFactsSay holds the counts against reading every lead anew.
func TestSupplyCountsWhatFactsSay(t *testing.T) {
	a := starter(t, StarterParams{})
	fields := a.Fields()
	rapid.Check(t, func(t *rapid.T) {
		s := &told{NewSupply(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
		leads := map[string]*leadv1.Features{}
		touched := map[string][]string{}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "lead")
			f := &leadv1.Features{
				Country: rapid.SampledFrom([]string{"", "DE"}).Draw(t, "country"), HasEmail: rapid.Bool().Draw(t, "email"),
				Employees: rapid.Int64Range(0, 1).Draw(t, "employees"),
			}
			if rapid.Bool().Draw(t, "answered") {
				f.Answers = map[string]*leadv1.Value{"timeframe": word(rapid.SampledFrom([]string{"", "now"}).Draw(t, "answer"))}
			}
			switch _, known := leads[id]; {
			case !known:
				s.received(id, "web", f)
				leads[id] = f
			case rapid.Bool().Draw(t, "touch"):
				kind := rapid.SampledFrom([]string{"reply", "webinar"}).Draw(t, "kind")
				s.hear(id, &leadv1.TouchAdded{Kind: kind})
				touched[id] = append(touched[id], kind)
			default:
				s.hear(id, &leadv1.SubmissionRevised{Features: f})
				leads[id] = f
			}
		}
		supply := s.Of(fields, s.now)
		for i, f := range fields {
			if f.OfCall() {
				continue
			}
			want := int64(0)
			for id, features := range leads {
				if f.States(features, func(kind string) bool { return slices.Contains(touched[id], kind) }) {
					want++
				}
			}
			if got := supply[i][0]; got.Stated != want || got.Leads != int64(len(leads)) {
				t.Errorf("%s: %d of %d, want %d of %d", f.Name, got.Stated, got.Leads, want, len(leads))
			}
		}
	})
}

// TestFieldsAreTheVocabulary holds that whatever a condition may name is listed,
// and says what it is.
func TestFieldsAreTheVocabulary(t *testing.T) {
	a := starter(t, StarterParams{})
	v, err := newVocabulary(a)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range a.Fields() {
		if names = append(names, f.Name); f.About == "" || f.Kind == "" {
			t.Errorf("%s says nothing of itself: %+v", f.Name, f)
		}
		condition := f.Name
		switch f.Kind {
		case kindNumber:
			condition += " > 0"
		case kindText:
			condition = "has(" + f.Name + ")"
		}
		if _, complaints := v.compile(condition); len(complaints) > 0 {
			t.Errorf("%s cannot be asked about: %v", f.Name, complaints)
		}
	}
	for _, name := range v.names() {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not listed", name)
		}
	}
	for _, touch := range a.Touches() {
		if !slices.Contains(names, touchCount(touch.Name, 0)) {
			t.Errorf("the touch %s is not listed", touch.Name)
		}
	}
	want := map[string][]string{
		"lead.role":                     {"persona decider", "persona champion", "persona buyer", "persona initiator", "persona somebody"},
		"lead.product":                  nil,
		"lead.employees":                {"criterion size", "handoff large-companies"},
		`touches.count("pricing-page")`: {"signal prices", "criterion interested"},
	}
	for _, f := range a.Fields() {
		if used, named := want[f.Name]; named && !slices.Equal(used, f.UsedBy) {
			t.Errorf("%s is used by %v, want %v", f.Name, f.UsedBy, used)
		}
	}
	example, err := Compile([]byte(exampleText))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range example.Fields() {
		switch f.Name {
		case "lead.country":
			if !slices.Equal(f.UsedBy, []string{"stage MQL"}) {
				t.Errorf("the country is used by %v", f.UsedBy)
			}
		case "lead.language":
			if !slices.Equal(f.UsedBy, []string{"handoff large-companies"}) {
				t.Errorf("the language, which people must know, is used by %v", f.UsedBy)
			}
		case "lead.industry":
			if !slices.Equal(f.UsedBy, []string{"overlay new-market"}) || !slices.Equal(f.Words, []string{"health", "retail"}) {
				t.Errorf("the industry is used by %v and can be %v", f.UsedBy, f.Words)
			}
		case "call.answers.can_decide":
			if !slices.Equal(f.UsedBy, []string{"criterion can-decide of stage SAL"}) {
				t.Errorf("the answer of the call is used by %v", f.UsedBy)
			}
		case "answers.budget":
			if f.Unit != "1250 means 12.50 EUR" {
				t.Errorf("the budget is counted in %q", f.Unit)
			}
		}
	}
}

// BenchmarkSupply is the price of one lead: it is paid while the log is folded.
func BenchmarkSupply(b *testing.B) {
	s := NewSupply()
	event := &ledger.Event{Recorded: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Body: &leadv1.LeadReceived{SourceId: "web", Source: "web", Features: benchmarkFacts().Features}}
	subjects := make([]string, 100_000)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("lead.%026d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		event.Subject = subjects[i%len(subjects)]
		s.Apply(event)
	}
}
