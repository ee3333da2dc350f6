package agreement

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Notices are what is worth knowing about a document and no reason to refuse it,
// in the order of the document. Only Compile finds them.
func (a *Agreement) Notices() []Problem { return slices.Clone(a.notices) }

const (
	// workPerQuestion and workInAll bound the search for leads that fit a formula.
	workPerQuestion = 50_000
	workInAll       = 400_000
)

// rule is a condition of the document with its name and place.
type rule struct {
	id   string
	at   place
	when *condition
	// test is its place among the solver's tests.
	test int
}

// named is the rule in a sentence.
func (r rule) named() string { return fmt.Sprintf("%q (line %d)", r.id, r.at.line) }

func namedAll(rules []rule) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.named()
	}
	return allOf(names)
}

// allOf joins words for a sentence: a, b and c.
func allOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// completeness holds the rules of a document against each other: it looks for
// leads that show what the rules mean together.
type completeness struct {
	*draft
	notices findings
	// early knows the rules that decide before anybody has called, late those that
	// may have heard of a call.
	early, late *solver
	work        int
	undecided   bool

	criteria, personas []rule
	// handoffs are the rules of a stage, for early and for late.
	handoffs [len(stageNames)][]rule
	handed   [len(stageNames)][]rule
}

func (d *draft) complete() {
	c := &completeness{draft: d, work: workInAll}
	c.notices.lines = d.lines
	c.gather()
	if c.profile() {
		c.persona()
		c.stage()
	}
	c.handoff()
	c.routing()
	c.afterwards()
	if c.undecided {
		c.notices.add(d.profileAt, "the conditions read so many facts at once that not every contradiction among them was looked for; shorter conditions can be checked")
	}
	var found *Problems
	if errors.As(c.notices.err(), &found) {
		d.agreement.notices = found.List
	}
}

// gather makes a list of all rules.
func (c *completeness) gather() {
	a := c.agreement
	places := make(map[**condition]place, len(c.conditions))
	for _, p := range c.conditions {
		places[p.into] = p.value.place
	}
	var early, late []test
	for i := range a.profile.criteria {
		one := &a.profile.criteria[i]
		c.criteria = append(c.criteria, rule{one.id, places[&one.when], one.when, len(early)})
		early = append(early, one.when.test())
	}
	for i := range a.personas.list {
		one := &a.personas.list[i]
		c.personas = append(c.personas, rule{one.id, places[&one.when], one.when, len(early)})
		early = append(early, one.when.test())
	}
	for i := range a.handoffs {
		one := &a.handoffs[i]
		at, stated := places[&one.when]
		if !stated {
			at = c.rulesAt[i]
		}
		stage := int(one.Stage - leadv1.Stage_STAGE_LEAD)
		c.handed[stage] = append(c.handed[stage], rule{one.ID, at, one.when, len(early)})
		early = append(early, one.when.test())
		c.handoffs[stage] = append(c.handoffs[stage], rule{one.ID, at, one.when, len(late)})
		late = append(late, one.when.test())
	}
	c.early, c.late = a.newSolver(early, noCall, 0), a.newSolver(late, maybeCall, 0)
}

// ask solves within what is left of the work.
func (c *completeness) ask(s *solver, q query) answer {
	c.work -= len(s.tables)
	share := min(workPerQuestion, c.work)
	if share <= 0 {
		c.undecided = true
		return answer{}
	}
	s.budget = share
	out := s.solve(q)
	c.work -= share - max(s.budget, 0)
	c.undecided = c.undecided || s.budget < 0
	return out
}

// fewest leaves out of a list that rules everything out what is not needed for
// that.
func fewest(list []rule, never func([]rule) bool) []rule {
	for i := 0; i < len(list); {
		if rest := slices.Delete(slices.Clone(list), i, i+1); never(rest) {
			list = rest
		} else {
			i++
		}
	}
	return list
}

func testsOf(rules []rule) []int {
	out := make([]int, len(rules))
	for i, r := range rules {
		out[i] = r.test
	}
	return out
}

func (c *completeness) musts() []rule {
	var out []rule
	for i, r := range c.criteria {
		if c.agreement.profile.criteria[i].must {
			out = append(out, r)
		}
	}
	return out
}

// matching is the formula of the profile.
func (c *completeness) matching() query {
	q := query{hold: testsOf(c.musts()), points: make(map[int]int64), needed: c.agreement.profile.needed}
	for i, r := range c.criteria {
		if one := c.agreement.profile.criteria[i]; !one.must {
			q.points[r.test] = one.points
		}
	}
	return q
}

// tooEarly explains a condition that never holds because it reads the call.
func tooEarly(r rule) string {
	if slices.ContainsFunc(r.when.variables, func(v *variable) bool { return strings.HasPrefix(v.name, "call.") }) {
		return ", because it is decided before anybody has called"
	}
	return ""
}

// profile looks for a lead that meets the profile; false = there is none.
func (c *completeness) profile() bool {
	musts := c.musts()
	never := func(list []rule) bool { return c.ask(c.early, query{hold: testsOf(list)}).never }
	if never(musts) {
		core := fewest(musts, never)
		last := core[len(core)-1]
		if len(core) == 1 {
			c.add(last.at, "no lead can ever meet the must-have %q%s; change its condition or remove it", last.id, tooEarly(last))
		} else {
			c.add(last.at, "no lead can meet the must-haves %s together, so that none would ever be qualified; change one of them", namedAll(core))
		}
		return false
	}
	q := c.matching()
	if c.ask(c.early, q).never {
		q.needed = -1 << 62
		c.add(c.profileAt, "no lead can reach the %d points needed: one that meets the must-haves gets at most %d; lower points_needed or change a criterion", c.agreement.profile.needed, c.ask(c.early, q).points)
		return false
	}
	for i, r := range c.criteria {
		switch {
		case r.when.program == nil:
		case c.agreement.profile.criteria[i].must:
			if c.ask(c.early, query{fail: []int{r.test}}).never {
				c.notices.add(r.at, "every lead meets the must-have %q, so that it keeps nobody out", r.id)
			}
		case c.ask(c.early, query{hold: append(testsOf(musts), r.test)}).never:
			c.notices.add(r.at, "no lead that meets the must-haves ever meets the criterion %q%s, so that it gives no points", r.id, tooEarly(r))
		case c.ask(c.early, query{hold: testsOf(musts), fail: []int{r.test}}).never:
			c.notices.add(r.at, "every lead that meets the must-haves meets the criterion %q, so that its points distinguish nobody", r.id)
		}
	}
	return true
}

// persona looks for a lead of each persona.
func (c *completeness) persona() {
	c.order(c.early, c.personas, "persona")
	q := c.matching()
	for k, r := range c.personas {
		one := q
		one.hold, one.fail = append(slices.Clone(q.hold), r.test), testsOf(c.personas[:k])
		if c.ask(c.early, one).never && !c.has(r.at) {
			c.notices.add(r.at, "no lead that meets the customer profile is ever the persona %q, so that it decides nothing", r.id)
		}
	}
	c.overlaps(c.early, c.personas, query{hold: q.hold})
}

// has says whether something was refused at a place already.
func (c *completeness) has(at place) bool {
	return slices.ContainsFunc(c.list, func(p Problem) bool { return p.Line == at.line && p.Column == at.col })
}

// order refuses rules that never hold and rules that come too late, where the
// first that holds counts.
func (c *completeness) order(s *solver, rules []rule, what string) {
	for k, r := range rules {
		if c.ask(s, query{hold: []int{r.test}}).never {
			late := ""
			if s == c.early {
				late = tooEarly(r)
			}
			c.add(r.at, "the condition of the %s %q never holds%s; change it or remove the %[1]s", what, r.id, late)
			continue
		}
		never := func(list []rule) bool {
			return c.ask(s, query{hold: []int{r.test}, fail: testsOf(list)}).never
		}
		if k > 0 && never(rules[:k]) {
			takers := fewest(rules[:k], never)
			take := "takes"
			if len(takers) > 1 {
				take = "take"
			}
			c.add(r.at, "no lead ever gets as far as the %s %q: %s %s every one first, because the first that holds counts; put it earlier, change a condition or remove it", what, r.id, namedAll(takers), take)
		}
	}
}

// overlaps notes rules that a lead can fit both, unless the earlier is a special
// case of the later or the later takes what is left: that is what their order is
// for.
func (c *completeness) overlaps(s *solver, rules []rule, among query) {
	for k, later := range rules {
		if later.when.program == nil || c.has(later.at) {
			continue
		}
		var both []rule
		example := ""
		for _, earlier := range rules[:k] {
			if earlier.when.program == nil || c.has(earlier.at) {
				continue
			}
			q := among
			q.hold = append(slices.Clone(among.hold), earlier.test, later.test)
			found := c.ask(s, q)
			if !found.found {
				continue
			}
			q.hold, q.fail = append(slices.Clone(among.hold), earlier.test), []int{later.test}
			if !c.ask(s, q).found {
				continue
			}
			if both = append(both, earlier); example == "" {
				example = s.example(found.chosen, earlier.test, later.test)
			}
		}
		switch len(both) {
		case 0:
		case 1:
			c.notices.add(later.at, "%s fits %s as well as %q; the first in the list counts", example, both[0].named(), later.id)
		default:
			c.notices.add(later.at, "a lead can fit %s as well as %q, such as %s; the first in the list counts", namedAll(both), later.id, example)
		}
	}
}

// stage looks for a lead that becomes an MQL.
func (c *completeness) stage() {
	q := c.matching()
	q.some = testsOf(c.personas)
	if c.ask(c.early, q).never {
		c.add(c.stageAt[leadv1.Stage_STAGE_MQL-leadv1.Stage_STAGE_LEAD], "no lead can reach the stage MQL: none that meets the customer profile matches a persona; change a must-have, points_needed or a persona")
		return
	}
	rules := c.handed[leadv1.Stage_STAGE_MQL-leadv1.Stage_STAGE_LEAD]
	left := q
	left.fail = testsOf(rules)
	if found := c.ask(c.early, left); found.found {
		c.notices.add(c.handoffsAt, "%s would be qualified and no handoff would take it, so that it waits; add a last handoff for stage MQL without `when`", c.early.example(found.chosen, left.fail...))
	}
	for k, r := range rules {
		one := q
		one.hold, one.fail = append(slices.Clone(q.hold), r.test), testsOf(rules[:k])
		if tooEarly(r) == "" && !c.ask(c.early, query{hold: []int{r.test}, fail: one.fail}).never && c.ask(c.early, one).never {
			c.notices.add(r.at, "no lead that meets the customer profile and a persona ever gets to the handoff %q", r.id)
		}
	}
}

// handoff looks for a lead of each handoff.
func (c *completeness) handoff() {
	for stage, rules := range c.handoffs {
		if stage == 0 {
			for _, r := range rules {
				c.add(r.at, "leads of the stage LEAD are never handed over, because nothing says yet that they are worth it; write `stage: MQL` in the handoff %q, or remove it", r.id)
			}
			continue
		}
		c.order(c.late, rules, "handoff")
		c.overlaps(c.late, rules, query{})
	}
}

// example says in words what distinguishes a lead for these tests.
func (s *solver) example(chosen []int, tests ...int) string {
	chosen = slices.Clone(chosen)
	var facts []int
	for _, i := range tests {
		for _, at := range s.tables[i].at {
			if !slices.Contains(facts, at) {
				facts = append(facts, at)
			}
		}
	}
	var words []string
	for i := len(facts) - 1; i >= 0; i-- {
		at := facts[i]
		if chosen[at] == unchosen {
			continue
		}
		// What makes no difference is not said.
		kept := chosen[at]
		before := make([]truth, len(tests))
		for j, t := range tests {
			before[j] = s.can(&s.tables[t], chosen)
		}
		chosen[at] = unchosen
		for j, t := range tests {
			if s.can(&s.tables[t], chosen) != before[j] {
				chosen[at] = kept
				break
			}
		}
		if chosen[at] != unchosen {
			words = append(words, s.domains[at].variable.phrase(s.domains[at].classes[kept].fact))
		}
	}
	if len(words) == 0 {
		return "any lead"
	}
	slices.Reverse(words)
	return "a lead with " + allOf(words)
}

// inWords writes a fact in words; nil = unknown.
func (v *variable) inWords(fact any) string {
	var f Facts
	if fact == nil || !v.write(&f, fact) {
		return "unknown"
	}
	return v.value(&f)
}

// possessions are flags as something that a lead has.
var possessions = map[string][2]string{
	"lead.has_email":     {"no e-mail address", "an e-mail address"},
	"lead.has_phone":     {"no telephone number", "a telephone number"},
	"lead.has_company":   {"no company", "a company"},
	"lead.free_email":    {"no free-mail address", "a free-mail address"},
	"call.reached":       {"a call that did not reach the person", "a call that reached the person"},
	"call.fit_confirmed": {"no fit confirmed in a call", "a fit confirmed in a call"},
}

// phrase says a fact as something that a lead has: "600 employees".
func (v *variable) phrase(fact any) string {
	if has, ok := possessions[v.name]; ok && fact != nil {
		if fact == true {
			return has[1]
		}
		return has[0]
	}
	text := v.inWords(fact)
	switch {
	case fact == nil && v.name == "call.reached":
		return "no call"
	case fact == nil:
		return "unknown " + v.words
	case v.name == "lead.employees" && fact == int64(1):
		return "1 employee"
	case v.name == "lead.employees":
		return text + " employees"
	case v.kind == kindText && v.name != "lead.country" && v.name != "lead.language":
		return fmt.Sprintf("%s %q", v.words, text)
	}
	return v.words + " " + text
}
