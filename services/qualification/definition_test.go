package qualification

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// changedStarter is the starter with parts of its text replaced, in pairs.
func changedStarter(t testing.TB, pairs ...string) *agreement.Agreement {
	t.Helper()
	source := starter()
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(source, []byte(pairs[i])) {
			t.Fatalf("the starter does not hold %q", pairs[i])
		}
		source = bytes.Replace(source, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	a, err := agreement.Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// touched folds touches of a kind, the first at an instant, the others an hour
// later each.
func touched(s *lead.State, kind string, at time.Time, times int) *lead.State {
	for i := range times {
		s.Evolve(&leadv1.TouchAdded{Delivery: &leadv1.DeliveryRef{DeliveryId: kind + string(rune('a'+i))}, Kind: kind}, at.Add(time.Duration(i)*time.Hour), noon)
	}
	return s
}

// left is a lead that was left with marketing for a reason, by the agreement.
func left(t testing.TB, reason string, f *leadv1.Features) *lead.State {
	t.Helper()
	s := in(leadv1.State_STATE_RECEIVED, f)
	s.Evolve(nurture(input(s), reason, &leadv1.Explanation{Summary: "for a test"}), noon, noon)
	return s
}

// said decides, and wants a message of that type.
func said[M proto.Message](t testing.TB, in Input) (m M) {
	t.Helper()
	got := Decide(in)
	m, ok := got.(M)
	if !ok {
		t.Fatalf("got %T: %v, want %T", got, got, m)
	}
	return m
}

func contentOnly() *leadv1.Features {
	return without(func(f *leadv1.Features) { f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY })
}

// A long shot in nurture wants to order: it is an MQL at once, whatever its points
// and its persona are, with a shorter clock, and the explanation says by what.
func TestSignalPromotesAtOnce(t *testing.T) {
	t.Parallel()
	longShot := without(func(f *leadv1.Features) { f.Country, f.Employees, f.Role = "", 1, "student" })
	for _, reason := range []string{lead.ReasonProfile, lead.ReasonPersona, lead.ReasonContentOnly, lead.ReasonCall, lead.ReasonRejected} {
		s := touched(left(t, reason, longShot), "order-intent", noon, 1)
		got := said[*leadv1.LeadQualified](t, input(s))
		ex := got.GetExplanation()
		if got.GetStage() != leadv1.Stage_STAGE_MQL || got.GetSignal() != "order-intent" || got.GetTakeWithin().AsDuration() != 30*time.Minute ||
			got.GetProfileVersion() == "" || got.GetPersonaVersion() == "" || ex.GetSignal() != "order-intent" {
			t.Errorf("%s: %v", reason, got)
		}
		if first := ex.GetCriteria()[0]; first.GetId() != "order-intent" || !first.GetMet() || first.GetValues()[0].GetValue() != "1" || !strings.Contains(ex.GetSummary(), `the signal "Wants to order" was seen`) {
			t.Errorf("%s: the explanation does not name the signal: %v", reason, ex)
		}
		s.Evolve(got, noon, noon)
		if s.TakeWithin != 30*time.Minute || s.Signal != "order-intent" {
			t.Errorf("%s: the lead keeps the signal %q and %s", reason, s.Signal, s.TakeWithin)
		}
	}
	// On arrival as well.
	if got := said[*leadv1.LeadQualified](t, input(touched(in(leadv1.State_STATE_RECEIVED, longShot), "reply", noon, 1))); got.GetSignal() != "reply" {
		t.Errorf("on arrival: %v", got)
	}
}

func TestWhatIsNoSignal(t *testing.T) {
	t.Parallel()
	unreachable := without(func(f *leadv1.Features) { f.HasEmail, f.HasPhone, f.Employees = false, false, 1 })
	for name, s := range map[string]*lead.State{
		"a must-have is missing":         touched(left(t, lead.ReasonProfile, unreachable), "order-intent", noon, 1),
		"too few of them":                touched(left(t, lead.ReasonRejected, good()), "pricing-page", noon.Add(-3*time.Hour), 2),
		"too long ago":                   touched(left(t, lead.ReasonRejected, good()), "order-intent", noon.Add(-8*24*time.Hour), 1),
		"not yet, by the recorded clock": touched(left(t, lead.ReasonRejected, good()), "order-intent", noon.Add(time.Hour), 1),
		"another touch":                  touched(left(t, lead.ReasonRejected, good()), "webinar", noon, 5),
	} {
		if got, ok := Decide(input(s)).(*leadv1.LeadQualified); ok {
			t.Errorf("%s: promoted: %v", name, got)
		}
	}
	// What was known when sales sent the lead back is no news.
	s := touched(in(leadv1.State_STATE_RECEIVED, good()), "order-intent", noon, 1)
	s.Evolve(nurture(input(s), lead.ReasonRejected, &leadv1.Explanation{Summary: "sent back"}), noon, noon)
	if got := Decide(input(s)); got != nil {
		t.Errorf("an old signal lifts a rejected lead: %v", got)
	}
	if got := said[*leadv1.LeadQualified](t, input(touched(s, "reply", noon, 1))); got.GetSignal() != "reply" {
		t.Errorf("a new one does not: %v", got)
	}
}

// Content only never reaches SAL without a new signal.
func TestContentOnlyNeedsASignal(t *testing.T) {
	t.Parallel()
	for _, state := range []leadv1.State{leadv1.State_STATE_RECEIVED, leadv1.State_STATE_HELD} {
		if got := said[*leadv1.LeadNurtured](t, input(in(state, contentOnly()))); got.GetReason() != lead.ReasonContentOnly {
			t.Errorf("%v: %v", state, got)
		}
	}
	for _, horizon := range []int64{unstated, 1, 60} {
		s := left(t, lead.ReasonContentOnly, contentOnly())
		s.Evolve(call("c1", true, horizon), noon, noon)
		got := said[*leadv1.LeadNurtured](t, input(s))
		if got.GetReason() != lead.ReasonContentOnly || got.GetCallId() != "c1" || !strings.Contains(got.GetExplanation().GetSummary(), "no signal since") {
			t.Errorf("horizon %d: %v", horizon, got)
		}
		s.Evolve(got, noon, noon)
		if again := Decide(input(s)); again != nil {
			t.Errorf("the call was used and is used again: %v", again)
		}
		// A signal, and then a call.
		s.Evolve(said[*leadv1.LeadQualified](t, input(touched(s, "reply", noon, 1))), noon, noon)
		s.Evolve(call("c2", true, 3), noon, noon)
		if got := said[*leadv1.LeadQualified](t, input(s)); got.GetStage() != leadv1.Stage_STAGE_SQL {
			t.Errorf("after a signal the call decides %v", got)
		}
	}
	// The logic that came first let a call alone do it, and its past stays as it was.
	s := left(t, lead.ReasonContentOnly, contentOnly())
	s.Evolve(call("c1", true, unstated), noon, noon)
	old := input(s)
	old.Logic = first
	if got := said[*leadv1.LeadQualified](t, old); got.GetStage() != leadv1.Stage_STAGE_SAL {
		t.Errorf("qualification/1 decides %v", got)
	}
}

// Points of a touch halve with its age, in whole numbers.
func TestPointsFade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		age  time.Duration
		want int64
	}{
		{0, 2}, {30*24*time.Hour - time.Nanosecond, 2}, {30 * 24 * time.Hour, 1}, {60*24*time.Hour - time.Nanosecond, 1}, {60 * 24 * time.Hour, 0}, {89 * 24 * time.Hour, 0},
	} {
		s := touched(in(leadv1.State_STATE_RECEIVED, good()), "webinar", noon.Add(-tt.age), 1)
		fit := agreed.Profile(agreement.FactsOf(s, noon))
		if fit.Points != 5+tt.want {
			t.Errorf("%s later the touch gives %d points, want %d", tt.age, fit.Points-5, tt.want)
		}
	}
	// The newest counts.
	s := touched(in(leadv1.State_STATE_RECEIVED, good()), "webinar", noon.Add(-80*24*time.Hour), 1)
	if fit := agreed.Profile(agreement.FactsOf(touched(s, "pricing-page", noon, 1), noon)); fit.Points != 7 {
		t.Errorf("an old and a new touch give %d points", fit.Points-5)
	}
}

// A lead without a fact that must be known waits and says which; it goes on when
// the fact is stated, and another agreement may want less.
func TestRequiredFacts(t *testing.T) {
	t.Parallel()
	wants := changedStarter(t, "    leave_within: 3d\n", "    leave_within: 3d\n    requires: [lead.country, answers.budget]\n")
	s := in(leadv1.State_STATE_RECEIVED, good())
	asked := input(s)
	asked.Agreement = wants
	held := said[*leadv1.QualificationHeld](t, asked)
	if held.GetRule() != RuleRequired || !strings.Contains(held.GetText(), `wants 2 facts to be known, and 1 are. Missing: answer "budget" of the form.`) {
		t.Errorf("held: %v", held)
	}
	s.Evolve(held, noon, noon)
	if again := Decide(asked); again != nil {
		t.Errorf("it is said twice: %v", again)
	}
	s.Features = without(func(f *leadv1.Features) {
		f.Answers = map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Number{Number: 1}}}
	})
	if got := said[*leadv1.LeadQualified](t, asked); got.GetStage() != leadv1.Stage_STAGE_MQL {
		t.Errorf("with the fact: %v", got)
	}
	// Who does not match the profile is not asked for more facts.
	s.Features = without(func(f *leadv1.Features) { f.Role = "student" })
	_ = said[*leadv1.LeadNurtured](t, asked)

	later := NewLater()
	later.Apply(&ledger.Event{Subject: lead.SubjectOf("l1"), Body: held, Agreement: 7})
	if got := later.Lacking(7, 10); len(got) != 0 {
		t.Errorf("under the agreement that wants it: %v", got)
	}
	if got := later.Lacking(8, 10); !slices.Equal(got, []string{"l1"}) {
		t.Errorf("under another: %v", got)
	}
}

// The plan goes step by step, each ticked off by a touch of its kind; what was
// there before the lead came to nurture does not count.
func TestNurturePlan(t *testing.T) {
	t.Parallel()
	poor := without(func(f *leadv1.Features) { f.Role = "student" })
	s := touched(in(leadv1.State_STATE_RECEIVED, poor), "customer-story", noon, 1)
	s.Evolve(said[*leadv1.LeadNurtured](t, input(s)), noon, noon)
	if s.NextTouch != "customer-story" || !s.NextTouchDue.Equal(noon.Add(7*24*time.Hour)) || !s.RecheckAt.Equal(noon.Add(30*24*time.Hour)) {
		t.Fatalf("the plan begins with %s on %s", s.NextTouch, s.NextTouchDue)
	}
	if got := Decide(input(touched(s.Clone(), "invitation", noon, 1))); got != nil {
		t.Errorf("a later step comes first: %v", got)
	}
	at := noon.Add(8 * 24 * time.Hour)
	touched(s, "customer-story", at, 1)
	one := said[*leadv1.NurtureAdvanced](t, input(s))
	if one.GetMade() != 1 || one.GetNextTouch() != "invitation" || !one.GetNextTouchDue().AsTime().Equal(at.Add(21*24*time.Hour)) {
		t.Errorf("after the first: %v", one)
	}
	s.Evolve(one, noon, noon)
	if got := Decide(input(s)); got != nil {
		t.Errorf("it is ticked off twice: %v", got)
	}
	// Its date comes: it is looked at, stays, and the plan goes on where it was.
	dated := input(s)
	dated.Now = s.RecheckAt
	again := said[*leadv1.LeadNurtured](t, dated)
	if again.GetReason() != lead.ReasonPersona || again.GetNextTouch() != "invitation" || !again.GetRecheckAt().AsTime().Equal(dated.Now.Add(30*24*time.Hour)) {
		t.Errorf("on its date: %v", again)
	}
	s.Evolve(again, dated.Now, dated.Now)
	if got := Decide(dated); got != nil {
		t.Errorf("looked at twice: %v", got)
	}
	touched(s, "invitation", at.Add(time.Hour), 1)
	two := said[*leadv1.NurtureAdvanced](t, dated)
	if two.GetMade() != 2 || two.GetNextTouch() != "" || two.GetNextTouchDue() != nil {
		t.Errorf("at the end: %v", two)
	}
	// Facts that fit lift it at any time.
	s.Features = good()
	_ = said[*leadv1.LeadQualified](t, dated)
}

// What a rejection or a call decided is not undone by a date.
func TestADateDoesNotUndoARejection(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{lead.ReasonRejected, lead.ReasonCall} {
		s := left(t, reason, good())
		dated := input(s)
		dated.Now = s.RecheckAt.Add(time.Hour)
		if got := Decide(dated); got != nil {
			t.Errorf("%s: %v", reason, got)
		}
	}
}

// Leads wake on their dates, the oldest first, each until it is decided.
func TestLater(t *testing.T) {
	t.Parallel()
	l := NewLater()
	apply := func(id string, body proto.Message) { l.Apply(&ledger.Event{Subject: lead.SubjectOf(id), Body: body}) }
	nurtured := func(reason string, days int) *leadv1.LeadNurtured {
		return &leadv1.LeadNurtured{Reason: reason, RecheckAt: timestamppb.New(noon.AddDate(0, 0, days))}
	}
	apply("b", nurtured(lead.ReasonProfile, 3))
	apply("a", nurtured(lead.ReasonPersona, 2))
	apply("c", nurtured(lead.ReasonContentOnly, 1))
	apply("r", nurtured(lead.ReasonRejected, 1))
	apply("c", nurtured(lead.ReasonContentOnly, 4))
	apply("d", nurtured(lead.ReasonProfile, 2))
	apply("w", nurtured(lead.ReasonProfile, 1))
	apply("w", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON})
	apply("t", nurtured(lead.ReasonProfile, 5))
	apply("t", &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH})
	if next := l.Next(); !next.Equal(noon.AddDate(0, 0, 2)) {
		t.Errorf("the next is on %s", next)
	}
	if got := l.Due(noon.AddDate(0, 0, 3), 2); !slices.Equal(got, []string{"a", "d"}) {
		t.Errorf("the first two are %v", got)
	}
	if got := l.Due(noon.AddDate(0, 0, 9), 9); !slices.Equal(got, []string{"a", "d", "b", "c", "t"}) {
		t.Errorf("all are %v", got)
	}
	for _, id := range []string{"a", "b", "c", "d", "t"} {
		apply(id, &leadv1.LeadQualified{})
	}
	if got := l.Due(noon.AddDate(1, 0, 0), 9); len(got) > 0 || !l.Next().IsZero() {
		t.Errorf("left are %v until %s", got, l.Next())
	}
}

// An exception holds from its beginning until just before its end, for the leads
// that it names and no others.
func TestOverlayEndsByItself(t *testing.T) {
	t.Parallel()
	until := noon.AddDate(0, 1, 0)
	a := changedStarter(t, "reasons:\n", `overlays:
  - id: new-market
    text: Hospitals are new to us.
    when: lead.industry == "health"
    from: `+noon.Format(time.RFC3339)+`
    until: `+until.Format(time.RFC3339)+`
    points_needed: 1
    pool: large-companies
    take_within: 20m
reasons:
`)
	health := &leadv1.Features{HasEmail: true, Role: "head", Industry: "health"}
	other := &leadv1.Features{HasEmail: true, Role: "head", Industry: "retail"}
	for _, tt := range []struct {
		f       *leadv1.Features
		now     time.Time
		applies bool
	}{
		{health, noon.Add(-time.Nanosecond), false}, {health, noon, true}, {health, until.Add(-time.Nanosecond), true}, {health, until, false}, {other, noon, false},
	} {
		s := in(leadv1.State_STATE_RECEIVED, tt.f)
		in := Input{Lead: s, Agreement: a, Version: 7, Now: tt.now}
		got, qualified := Decide(in).(*leadv1.LeadQualified)
		if qualified != tt.applies || qualified && !slices.Equal(got.GetExplanation().GetOverlays(), []string{"new-market"}) {
			t.Errorf("%s at %s: %v", tt.f.GetIndustry(), tt.now, Decide(in))
		}
		rule, _, _ := a.Handoff(leadv1.Stage_STAGE_MQL, agreement.FactsOf(s, tt.now))
		if applied := rule.Overlay == "new-market" && rule.Pool == "large-companies" && rule.TakeWithin == 20*time.Minute; applied != tt.applies {
			t.Errorf("%s at %s is handed over by %+v", tt.f.GetIndustry(), tt.now, rule)
		}
	}
}

// Each decision says what the lead is for: by what forms and touches say, and by what
// a call found out, which holds for later decisions too. Without agreed purposes it
// says nothing.
//
// Goes red if: a rejection forgets the call, or an unreached person's call counts.
func TestPurpose(t *testing.T) {
	t.Parallel()
	a := changedStarter(t, "    when: answers.customer\n", "    when: answers.customer || call.answers.need == \"extend\"\n")
	extends := call("c1", true, 3)
	extends.Answers = map[string]*leadv1.Value{"need": {Kind: &leadv1.Value_Text{Text: "extend"}}}
	unreached := call("c2", true, 3)
	unreached.Reached = false
	sales := good()
	sales.Attribution = &leadv1.Attribution{Medium: "sales"}
	rejected := in(leadv1.State_STATE_QUALIFIED, good(), extends, unreached)
	rejected.DecidedCall, rejected.Consequence = "c1", leadv1.Consequence_CONSEQUENCE_NURTURE
	for name, tt := range map[string]struct {
		lead *lead.State
		want string
	}{
		"qualified":             {in(leadv1.State_STATE_RECEIVED, good()), "new-business"},
		"qualified otherwise":   {in(leadv1.State_STATE_RECEIVED, sales), "sales-support"},
		"nurtured":              {in(leadv1.State_STATE_RECEIVED, &leadv1.Features{HasEmail: true}), "new-business"},
		"by a call":             {in(leadv1.State_STATE_WORKING, good(), extends), "retention"},
		"by a signal":           {touched(in(leadv1.State_STATE_RECEIVED, sales), "order-intent", noon, 1), "sales-support"},
		"rejected after a call": {rejected, "retention"},
		"held before":           {in(leadv1.State_STATE_HELD, good()), "new-business"},
	} {
		said := Decide(Input{Lead: tt.lead, Agreement: a, Version: 7, Now: noon})
		body, ok := said.(interface{ GetPurpose() string })
		if !ok || body.GetPurpose() != tt.want {
			t.Errorf("%s: %v, want the purpose %q", name, said, tt.want)
		}
		tt.lead.Evolve(said, noon, noon)
		if tt.lead.Purpose != tt.want {
			t.Errorf("%s: the lead is for %q, want %q", name, tt.lead.Purpose, tt.want)
		}
	}
	source := string(starter())
	none, _, _ := strings.Cut(source, "\npurposes:\n")
	_, rest, _ := strings.Cut(source, "    title: New business\n")
	without, err := agreement.Compile([]byte(none + rest))
	if err != nil {
		t.Fatal(err)
	}
	if got := said[*leadv1.LeadQualified](t, Input{Lead: in(leadv1.State_STATE_RECEIVED, good()), Agreement: without, Version: 7, Now: noon}); got.GetPurpose() != "" {
		t.Errorf("without agreed purposes it is for %q", got.GetPurpose())
	}
	trial := NewTrial(without, 7, a, 0)
	trial.Take(&Past{ID: "l1", Known: Known{Features: sales, At: noon}})
	if got := trial.Result().GetPurposes(); len(got) != 1 || got[0].GetNow() != "" || got[0].GetThen() != "sales-support" || got[0].GetLeads() != 1 {
		t.Errorf("tried, it is for %v", got)
	}
	if got := NewTrial(without, 7, without, 0); got.Result().GetPurposes() != nil {
		t.Error("purposes are counted where none are agreed")
	}
	if got := previewed(Decide(input(in(leadv1.State_STATE_RECEIVED, sales)))); got.GetPurpose() != "sales-support" {
		t.Errorf("the preview says it is for %q", got.GetPurpose())
	}
}

// What a call must have found out beside fit and horizon is agreed, and the
// explanation names the question that decided.
func TestCallCriteria(t *testing.T) {
	t.Parallel()
	a := changedStarter(t,
		"    exit: The person wants to buy within the horizon, or goes back to nurture.\n", `    exit: The person wants to buy within the horizon, or goes back to nurture.
    criteria:
      - id: need
        text: One of our solutions fits.
        when: call.answers.need != "none"
        question: need
`,
		"    exit: The deal is won or lost.\n", `    exit: The deal is won or lost.
    criteria:
      - id: money
        text: There is a budget of at least 10000 EUR.
        when: call.answers.budget >= 10000
        question: budget
`)
	answered := func(need string, budget int64) *leadv1.CallRecorded {
		c := call("c1", true, 3)
		c.Stage, c.QuestionnaireVersion = leadv1.Stage_STAGE_MQL, "1"
		c.Answers = map[string]*leadv1.Value{"need": {Kind: &leadv1.Value_Text{Text: need}}}
		if budget >= 0 {
			c.Answers["budget"] = &leadv1.Value{Kind: &leadv1.Value_Number{Number: budget}}
		}
		return c
	}
	decide := func(c *leadv1.CallRecorded) proto.Message {
		return Decide(Input{Lead: in(leadv1.State_STATE_WORKING, good(), c), Agreement: a, Version: 7, Now: noon})
	}
	for _, tt := range []struct {
		call    *leadv1.CallRecorded
		stage   leadv1.Stage
		summary string
	}{
		{answered("none", 10000), 0, "One of our solutions fits"},
		{answered("new", 9999), leadv1.Stage_STAGE_SAL, "There is a budget of at least 10000 EUR"},
		{answered("new", unstated), leadv1.Stage_STAGE_SAL, "There is a budget of at least 10000 EUR"},
		{answered("new", 10000), leadv1.Stage_STAGE_SQL, "inside the agreed 6 months"},
	} {
		said := decide(tt.call)
		got, ok := said.(*leadv1.LeadQualified)
		ex := got.GetExplanation()
		if !ok {
			ex = said.(*leadv1.LeadNurtured).GetExplanation()
		}
		if got.GetStage() != tt.stage || !strings.Contains(ex.GetSummary(), tt.summary) || ex.GetQuestionnaireVersion() != "1" {
			t.Errorf("%v: %v", tt.call.GetAnswers(), said)
		}
		questions := map[string]string{}
		for _, c := range ex.GetCriteria() {
			questions[c.GetId()] = c.GetQuestion()
		}
		if questions["need"] != "need" || questions["money"] != "budget" || questions["fit"] != "fits" || questions["horizon"] != "months" {
			t.Errorf("the questions that decided are %v", questions)
		}
	}
}
