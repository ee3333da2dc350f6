package agreement

import (
	"cmp"
	"fmt"
	"slices"

	"cel.dev/cel-go/common/operators"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Reads says which part of an agreement a decision rests on, and so which facts
// could have been different for it.
type Reads int

const (
	// ReadsProfile is customer profile, personas, facts that must be known, the wish
	// for contact and the signals, as they are read when a lead becomes an MQL. Calls
	// are not among the facts.
	ReadsProfile Reads = iota
	// ReadsCall is whether the call confirmed the fit, and the horizon, as they are
	// read for SAL and SQL. Only what was heard in the call could be different.
	ReadsCall
	// ReadsHandoffs are the handoffs, with what was heard in the call, if any.
	ReadsHandoffs
)

// Change is one fact that would have to be different.
type Change struct {
	// Name is the fact as conditions write it, Label in words.
	Name, Label string
	// From is what the fact is, To what it would have to be, both in words;
	// "unknown" where nobody stated it.
	From, To string
	// Reach is "or more" or "or fewer" where every number beyond would do, too.
	Reach string
	// Alike are further values that would do just as well.
	Alike []string
	// Other says that To stands for any value that the agreement does not name.
	Other bool

	variable *variable
	to       any
}

// Smallest is the answer to "what would have had to be different".
type Smallest struct {
	// Changes are the facts to change, in the order of the document; none where no
	// change was found.
	Changes []Change
	// Outcome is what the decision would have been.
	Outcome string
	// Tried is the number of facts up to which every change was tried.
	Tried int
	// Sure is true where no smaller change can do: with fewer facts, or with nearer
	// numbers for the same facts. False where a condition calculates with facts or
	// compares them with each other, so that only samples could be tried.
	Sure bool
}

const (
	// mostChanges is the number of facts that are changed at once.
	mostChanges = 3
	// mostTries bounds the changes that are looked at, mostDecisions the times that
	// the decision is made.
	mostTries     = 60_000
	mostDecisions = 1_500
)

// Smallest finds the smallest change of facts that makes decide answer something
// else: the fewest facts; among those the facts that the document mentions first;
// and of their numbers the nearest. decide is made again for what is found, and
// may read facts by way of the agreement's conditions and as Reads says.
func (a *Agreement) Smallest(reads Reads, f Facts, decide func(Facts) string) Smallest {
	search := a.newSearch(reads, f, decide)
	out := Smallest{}
	for n := 1; n <= min(mostChanges, len(search.facts)); n++ {
		if search.subsets(nil, 0, n) {
			return search.told(out)
		}
		if search.spent() {
			return out
		}
		out.Tried = n
	}
	out.Tried, out.Sure = mostChanges, !search.partial
	return out
}

// search tries changes of one lead's facts.
type search struct {
	*solver
	lead    Facts
	decide  func(Facts) string
	outcome string
	partial bool
	// facts are the domains that can change, and tries their classes other than
	// the lead's own, nearest first.
	facts []int
	tries [][]try
	// chosen are the classes of the changed lead.
	chosen, own      []int
	tried, decisions int
	// answers are what the tables say of the lead, and readers the tables of each
	// domain.
	answers []byte
	readers [][]int
	// seen are answers that are known to make no difference: decide sees no more
	// than those.
	seen map[string]bool
	// found is the change, and other the outcome that it makes.
	found []picked
	other string
}

// try is one value to try for a fact.
type try struct {
	class int
	fact  any
}

type picked struct {
	at int
	try
}

// tests are what a decision reads.
func (a *Agreement) tests(reads Reads) []test {
	var out []test
	direct := func(c comparison) {
		out = append(out, test{
			reading: reading{comparisons: []comparison{c}}, variables: []*variable{c.variable},
			holds: func(f *Facts) bool {
				fact, known := c.variable.read(f)
				return known && c.holds(fact)
			},
		})
	}
	known := func(group, name string) *variable { return a.vocabulary.group(group).find(name) }
	switch reads {
	case ReadsProfile:
		for i := range a.profile.criteria {
			out = append(out, a.profile.criteria[i].when.test())
		}
		for i := range a.personas.list {
			out = append(out, a.personas.list[i].when.test())
		}
		for _, v := range a.stages[leadv1.Stage_STAGE_MQL-leadv1.Stage_STAGE_LEAD].requires {
			switch {
			case v.kind == kindFlag:
				direct(comparison{variable: v})
			case v.name == "lead.contact_wish":
				direct(comparison{v, operators.Equals, []any{wishUnknown}})
			default:
				direct(comparison{variable: v, op: asked})
			}
		}
		direct(comparison{known("lead", "contact_wish"), operators.Equals, []any{"content-only"}})
		// What the person did comes last: what they are tells more.
		for i := range a.signals {
			out = append(out, a.signals[i].when.test())
		}
	case ReadsCall:
		direct(comparison{variable: known("call", "fit_confirmed")})
		direct(comparison{known("call", "horizon_months"), operators.LessEquals, []any{a.horizon}})
		direct(comparison{variable: known("call", "horizon_months"), op: asked})
		for _, stage := range a.stages {
			for i := range stage.criteria {
				out = append(out, stage.criteria[i].when.test())
			}
		}
	default:
		for i := range a.handoffs {
			out = append(out, a.handoffs[i].when.test())
		}
	}
	if reads != ReadsCall {
		for i := range a.overlays {
			out = append(out, a.overlays[i].when.test())
		}
	}
	return out
}

func (a *Agreement) newSearch(reads Reads, f Facts, decide func(Facts) string) *search {
	on := noCall
	if reads != ReadsProfile && f.Call != nil {
		on = oneCall
	}
	tests := a.tests(reads)
	// A law may speak of a fact that no condition mentions: it still binds.
	for _, t := range tests {
		if slices.ContainsFunc(t.variables, func(v *variable) bool { return v.name == "lead.free_email" }) {
			tests = append(tests, test{variables: []*variable{a.vocabulary.group("lead").find("has_email")}, holds: func(*Facts) bool { return true }})
			break
		}
	}
	s := &search{solver: a.newSolver(tests, on, mostTries), lead: f, decide: decide, outcome: decide(f), seen: make(map[string]bool)}
	s.base = f
	s.own = make([]int, len(s.domains))
	for at := range s.domains {
		d := &s.domains[at]
		s.partial = s.partial || d.partial
		var fact any
		if read, ok := d.variable.read(&f); ok {
			fact = read
		}
		s.own[at] = d.class(fact)
		if d.fixed {
			s.own[at] = 0
			continue
		}
		if s.own[at] < 0 {
			s.own[at] = len(d.classes)
			d.classes = append(d.classes, class{fact: fact})
		}
		tries := make([]try, 0, len(d.classes))
		for c := range d.classes {
			if c != s.own[at] {
				tries = append(tries, try{c, nearest(d.classes[c], fact)})
			}
		}
		if n, ok := fact.(int64); ok {
			slices.SortStableFunc(tries, func(x, y try) int { return cmp.Compare(far(n, x.fact), far(n, y.fact)) })
		}
		if len(tries) > 0 {
			s.facts, s.tries = append(s.facts, at), append(s.tries, tries)
		}
	}
	for i := range a.profile.criteria {
		// Another touch would also make the points fresh again, which no class tells.
		c := &a.profile.criteria[i]
		s.partial = s.partial || c.halves > 0 && c.gives(&f) != c.points
	}
	s.chosen = slices.Clone(s.own)
	s.number()
	s.readers = make([][]int, len(s.domains))
	s.answers = make([]byte, len(s.tables))
	for i := range s.tables {
		s.answers[i] = byte(s.can(&s.tables[i], s.own))
		for _, at := range s.tables[i].at {
			s.readers[at] = append(s.readers[at], i)
		}
	}
	s.seen[string(s.answers)] = true
	return s
}

// far is how far a number lies from another; what is unknown lies farthest.
func far(from int64, fact any) uint64 {
	n, ok := fact.(int64)
	switch {
	case !ok:
		return 1<<64 - 1
	case n < from:
		return uint64(from) - uint64(n)
	}
	return uint64(n) - uint64(from)
}

// nearest is the value of a class that is nearest to a fact; of texts the first.
func nearest(c class, fact any) any {
	from, ok := fact.(int64)
	if !ok {
		return c.fact
	}
	best := c.fact
	for _, other := range c.alike {
		if far(from, other) < far(from, best) {
			best = other
		}
	}
	return best
}

func (s *search) spent() bool {
	return s.tried >= mostTries || s.decisions >= mostDecisions || s.budget < 0
}

// subsets tries every change of n more facts, from the one at `from` on.
func (s *search) subsets(facts []int, from, n int) bool {
	if n == 0 {
		// Numbers change slowest, so that the first change found is the nearest.
		order := slices.Clone(facts)
		slices.SortStableFunc(order, func(a, b int) int { return s.words(a) - s.words(b) })
		return s.values(order, nil)
	}
	for i := from; i <= len(s.facts)-n && !s.spent(); i++ {
		if s.subsets(append(facts, i), i+1, n-1) {
			return true
		}
	}
	return false
}

// words is 0 for a number and 1 for what has no distance.
func (s *search) words(i int) int {
	if s.domains[s.facts[i]].variable.kind == kindNumber {
		return 0
	}
	return 1
}

// values tries every combination of values of these facts.
func (s *search) values(facts []int, changed []picked) bool {
	if len(facts) == 0 {
		return s.flips(changed)
	}
	at := s.facts[facts[0]]
	flips := false
	for _, one := range s.tries[facts[0]] {
		if flips || s.spent() {
			break
		}
		s.chosen[at] = one.class
		flips = s.values(facts[1:], append(changed, picked{at, one}))
	}
	s.chosen[at] = s.own[at]
	return flips
}

// flips says whether the change that is chosen makes another decision.
func (s *search) flips(changed []picked) bool {
	s.tried++
	possible := true
	for _, one := range changed {
		for _, i := range s.readers[one.at] {
			can := s.can(&s.tables[i], s.chosen)
			s.answers[i] = byte(can)
			possible = possible && can != 0 && (i < s.laws || can&canHold != 0)
		}
	}
	flips := false
	if possible && !s.seen[string(s.answers)] {
		s.seen[string(s.answers)] = true
		if outcome, ok := s.decided(changed); ok && outcome != s.outcome {
			flips, s.other, s.found = true, outcome, slices.Clone(changed)
			slices.SortFunc(s.found, func(a, b picked) int { return a.at - b.at })
		}
	}
	for _, one := range changed {
		for _, i := range s.readers[one.at] {
			s.answers[i] = byte(s.can(&s.tables[i], s.own))
		}
	}
	return flips
}

// decided makes the decision for the changed lead; false where there can be no
// such lead.
func (s *search) decided(changed []picked) (string, bool) {
	f := s.lead.clone()
	for _, one := range changed {
		s.domains[one.at].variable.write(&f, one.fact)
	}
	for _, one := range changed {
		if !s.domains[one.at].variable.stands(&f, one.fact) {
			return "", false
		}
	}
	s.decisions++
	return s.decide(f), true
}

// told is the change that was found, as the answer.
func (s *search) told(out Smallest) Smallest {
	out.Outcome, out.Sure = s.other, !s.partial
	for i, one := range s.found {
		d := &s.domains[one.at]
		c := &d.classes[one.class]
		change := Change{
			Name: d.variable.name, Label: d.variable.words, From: d.variable.value(&s.lead), To: d.variable.inWords(one.fact),
			Other: c.other, variable: d.variable, to: one.fact,
		}
		if d.variable.kind == kindNumber {
			change.Reach = s.reach(i)
		} else {
			for _, fact := range c.alike {
				change.Alike = append(change.Alike, d.variable.inWords(fact))
			}
		}
		out.Changes = append(out.Changes, change)
	}
	return out
}

// reach says whether all numbers beyond the one that was found do the same.
func (s *search) reach(i int) string {
	to, ok := s.found[i].fact.(int64)
	from, known := s.domains[s.found[i].at].variable.read(&s.lead)
	if !ok {
		return ""
	}
	all := func(beyond func(int64) bool) bool {
		for _, c := range s.domains[s.found[i].at].classes {
			for _, fact := range append(slices.Clone(c.alike), c.fact) {
				n, number := fact.(int64)
				if !number || !beyond(n) {
					continue
				}
				changed := slices.Clone(s.found)
				changed[i].fact = n
				if outcome, ok := s.decided(changed); !ok || outcome != s.other {
					return false
				}
			}
		}
		return true
	}
	start, _ := from.(int64)
	switch {
	case (!known || to > start) && all(func(n int64) bool { return n > to }):
		return "or more"
	case (!known || to < start) && all(func(n int64) bool { return n < to }):
		return "or fewer"
	}
	return ""
}

// clauses are flags in the conditional.
var clauses = map[string][2]string{
	"lead.has_email":     {"no e-mail address were given", "an e-mail address were given"},
	"lead.has_phone":     {"no telephone number were given", "a telephone number were given"},
	"lead.has_company":   {"no company were named", "a company were named"},
	"lead.free_email":    {"the e-mail address were not of a free-mail provider", "the e-mail address were of a free-mail provider"},
	"call.fit_confirmed": {"the call had not confirmed the fit", "the call had confirmed the fit"},
}

// Words says the change as a clause: "the number of employees were 20 or more
// instead of 12".
func (c Change) Words() string {
	if clause, ok := clauses[c.Name]; ok && c.to != nil {
		if c.to == true {
			return clause[1]
		}
		return clause[0]
	}
	quoted := func(text string) string {
		if text == "unknown" || c.variable.kind != kindText || c.Name == "lead.country" || c.Name == "lead.language" {
			return text
		}
		return fmt.Sprintf("%q", text)
	}
	to := quoted(c.To)
	switch {
	case c.Other:
		to = "another one, such as " + to + ","
	case c.Reach != "":
		to += " " + c.Reach
	case len(c.Alike) > 0:
		shown := c.Alike
		if len(shown) > 3 {
			shown = shown[:2]
		}
		list := make([]string, len(shown))
		for i, text := range shown {
			list[i] = quoted(text)
		}
		if more := len(c.Alike) - len(shown); more > 0 {
			list = append(list, fmt.Sprintf("%d others", more))
		}
		to += " (or " + allOf(list) + ")"
	}
	return fmt.Sprintf("the %s were %s instead of %s", c.Label, to, quoted(c.From))
}

// Words says what would have had to be different: "if the number of employees
// were 20 or more instead of 12".
func (s Smallest) Words() string {
	if len(s.Changes) > 0 {
		var list []string
		for _, c := range s.Changes {
			// Without an address there is none of a free-mail provider.
			if c.Name != "lead.free_email" || !slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Name == "lead.has_email" && c.to == false }) {
				list = append(list, c.Words())
			}
		}
		return "if " + allOf(list)
	}
	upTo := [...]string{"", "of one fact", "of up to two facts", "of up to three facts"}[s.Tried]
	switch {
	case s.Tried == 0:
		return "the changes are too many to try"
	case s.Tried < mostChanges:
		return "no change " + upTo + " would do; larger ones are too many to try"
	case !s.Sure:
		return "no change " + upTo + " was found that would do"
	}
	return "no change " + upTo + " would do"
}
