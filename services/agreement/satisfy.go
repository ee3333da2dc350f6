package agreement

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/operators"
)

// test is a question about some facts that is answered yes or no: a condition, or
// a law that all leads keep.
type test struct {
	reading
	variables []*variable
	holds     func(*Facts) bool
}

func (c *condition) test() test {
	return test{reading: c.reading, variables: c.variables, holds: func(f *Facts) bool {
		met, _ := c.decide(f)
		return met
	}}
}

// laws are what every lead keeps among these facts, whatever an agreement says.
func laws(variables []*variable) []test {
	named := func(name string) *variable {
		v, _ := find(variables, func(v *variable) bool { return v.name == name })
		return v
	}
	var out []test
	if free, email := named("lead.free_email"), named("lead.has_email"); free != nil && email != nil {
		out = append(out, test{variables: []*variable{free, email}, holds: func(f *Facts) bool {
			return !f.Features.GetFreeEmail() || f.Features.GetHasEmail()
		}})
	}
	// Who knows one thing of a call knows that there was one. That two facts
	// cannot both stand shows when they are written.
	for i, v := range variables {
		for _, w := range variables[:i] {
			// Nor can any two counts of the same touches.
			if strings.HasPrefix(v.name, "call.") && strings.HasPrefix(w.name, "call.") || v.touch != "" && v.touch == w.touch {
				out = append(out, test{variables: []*variable{w, v}, holds: func(*Facts) bool { return true }})
			}
		}
	}
	return out
}

// truth is what an answer can be: a set of yes and no.
type truth uint8

const (
	canHold truth = 1 << iota
	canFail
	looked
)

// table is a test with its answers so far, by the classes of its facts.
type table struct {
	test
	// at are the domains of its facts, and step what one class counts in the
	// number of a row.
	at   []int
	step []uint64
	rows uint64
	// few rows are an array.
	few  []truth
	many map[uint64]truth
}

const (
	fewRows = 4096
	// mostRows is where a table is given up.
	mostRows = 1 << 60
)

// solver finds out for which leads a formula over tests holds. Its work is
// bounded, and it says so when it has not come to an end.
type solver struct {
	// base are the facts of which no test speaks.
	base    Facts
	domains []domain
	tables  []table
	// laws is where the laws begin among the tables.
	laws int
	// budget is the work that is left.
	budget int
}

// newSolver prepares tests; they are known by their place in the list. The facts
// come in the order in which the tests first read them.
func (a *Agreement) newSolver(tests []test, on calls, budget int) *solver {
	s := &solver{laws: len(tests), budget: budget}
	var variables []*variable
	readings := make([]reading, len(tests))
	for i, t := range tests {
		readings[i] = t.reading
		for _, v := range t.variables {
			if !slices.Contains(variables, v) {
				variables = append(variables, v)
			}
		}
	}
	s.domains = make([]domain, len(variables))
	for i, v := range variables {
		s.domains[i] = a.domain(v, readings, on)
		if v.touch != "" && slices.ContainsFunc(variables, func(w *variable) bool { return w != v && w.touch == v.touch }) {
			// Of two spans of the same touches not every pair of counts can be written:
			// one more touch is one more in both. Where more is never less, that misses
			// nothing.
			s.domains[i].partial = s.domains[i].partial || slices.ContainsFunc(s.domains[i].tells, func(c comparison) bool {
				return c.op != operators.Greater && c.op != operators.GreaterEquals
			})
		}
	}
	for _, t := range append(slices.Clip(tests), laws(variables)...) {
		row := table{test: t}
		for _, v := range t.variables {
			row.at = append(row.at, slices.Index(variables, v))
		}
		s.tables = append(s.tables, row)
	}
	s.number()
	return s
}

// number numbers the rows of the tables, once the classes are known.
func (s *solver) number() {
	for i := range s.tables {
		t := &s.tables[i]
		t.rows, t.step, t.few, t.many = 1, nil, nil, nil
		for _, at := range t.at {
			t.step = append(t.step, t.rows)
			if classes := uint64(len(s.domains[at].classes) + 1); t.rows <= mostRows/classes {
				t.rows *= classes
			} else {
				t.rows = mostRows
			}
		}
		if t.rows <= fewRows {
			t.few = make([]truth, t.rows)
		} else {
			t.many = make(map[uint64]truth)
		}
	}
}

// unchosen marks a fact whose class is not chosen.
const unchosen = -1

// can answers what a test can be, given the classes chosen so far; nothing at all
// where they exclude each other. Once the budget is spent it rules nothing out.
func (s *solver) can(t *table, chosen []int) truth {
	row, free := uint64(0), -1
	for i, at := range t.at {
		row += uint64(chosen[at]+1) * t.step[i]
		if chosen[at] == unchosen && free < 0 {
			free = at
		}
	}
	var known truth
	switch {
	case t.rows >= mostRows:
		// Too many facts to keep account of: only whole rows are looked at.
		if free >= 0 {
			return canHold | canFail
		}
	case t.few != nil:
		known = t.few[row]
	default:
		known = t.many[row]
	}
	if known != 0 {
		return known &^ looked
	}
	if s.budget--; s.budget < 0 {
		return canHold | canFail
	}
	var out truth
	if free < 0 {
		out = s.look(t, chosen)
	} else {
		for c := range s.domains[free].classes {
			chosen[free] = c
			if out |= s.can(t, chosen); out == canHold|canFail {
				break
			}
		}
		chosen[free] = unchosen
	}
	switch {
	case s.budget < 0 || t.rows >= mostRows:
	case t.few != nil:
		t.few[row] = out | looked
	default:
		t.many[row] = out | looked
	}
	return out
}

// look answers a test for the classes of all its facts.
func (s *solver) look(t *table, chosen []int) truth {
	var f Facts
	if slices.ContainsFunc(t.at, func(at int) bool { return s.domains[at].fixed }) {
		f = s.base.clone()
	}
	for _, at := range t.at {
		if d := &s.domains[at]; !d.fixed {
			d.variable.write(&f, d.classes[chosen[at]].fact)
		}
	}
	for _, at := range t.at {
		if d := &s.domains[at]; !d.fixed && !d.variable.stands(&f, d.classes[chosen[at]].fact) {
			return 0
		}
	}
	if t.holds(&f) {
		return canHold
	}
	return canFail
}

// query is a formula over tests, by their places: all of hold, none of fail, at
// least one of some (where there are any), and enough points of those that hold.
type query struct {
	hold, fail, some []int
	points           map[int]int64
	needed           int64
}

// answer says whether a formula holds for any lead.
type answer struct {
	// found is true with an example; chosen are its classes, by domain.
	found  bool
	chosen []int
	// points are the most that can be reached.
	points int64
	// never is true where it was shown that there is no such lead. Neither found
	// nor never: not decided.
	never bool
}

// solve looks for a lead. Tests that share no fact are looked at apart.
func (s *solver) solve(q query) answer {
	used := make([]bool, len(s.tables))
	for _, list := range [][]int{q.hold, q.fail, q.some} {
		for _, i := range list {
			used[i] = true
		}
	}
	for i := range s.laws {
		if _, counts := q.points[i]; counts {
			used[i] = true
		}
	}
	group := make([]int, len(s.domains))
	for i := range group {
		group[i] = unchosen
	}
	partial := false
	for i := range s.laws {
		if used[i] {
			for _, at := range s.tables[i].at {
				group[at] = at
				partial = partial || s.domains[at].partial
			}
		}
	}
	for i := s.laws; i < len(s.tables); i++ {
		used[i] = !slices.ContainsFunc(s.tables[i].at, func(at int) bool { return group[at] == unchosen })
	}
	tie(group, s.tables, used)
	out := answer{chosen: make([]int, len(s.domains))}
	for i := range out.chosen {
		out.chosen[i] = unchosen
	}
	// with is the group whose lead is one of `some` at the least loss of points.
	var with []int
	loss, met := int64(0), len(q.some) == 0
	for g := unchosen; g < len(s.domains); g++ {
		p := part{solver: s, query: q}
		for at := range group {
			if g != unchosen && group[at] == g {
				p.facts = append(p.facts, at)
			}
		}
		for i := range s.tables {
			// Tests without any fact are a part of their own.
			if used[i] && ((g == unchosen && len(s.tables[i].at) == 0) || (g != unchosen && len(s.tables[i].at) > 0 && group[s.tables[i].at[0]] == g)) {
				p.tests = append(p.tests, i)
			}
		}
		if len(p.tests) == 0 {
			continue
		}
		p.run()
		if !p.best[0].ok {
			sampled := slices.ContainsFunc(p.facts, func(at int) bool { return s.domains[at].partial })
			out.never = !sampled && s.budget >= 0
			return out
		}
		out.points += p.best[0].points
		for i, at := range p.facts {
			out.chosen[at] = p.best[0].chosen[i]
		}
		if p.best[1].ok && len(q.some) > 0 {
			if lost := p.best[0].points - p.best[1].points; !met || lost < loss {
				met, loss = true, lost
				with = make([]int, 0, 2*len(p.facts))
				for i, at := range p.facts {
					with = append(with, at, p.best[1].chosen[i])
				}
			}
		}
	}
	for i := 0; i+1 < len(with); i += 2 {
		out.chosen[with[i]] = with[i+1]
	}
	out.points -= loss
	enough := len(q.points) == 0 || out.points >= q.needed
	out.found = met && enough && s.budget >= 0
	out.never = !out.found && !partial && s.budget >= 0
	return out
}

// tie makes one group of all facts that tests tie together.
func tie(group []int, tables []table, used []bool) {
	for i := range tables {
		if !used[i] {
			continue
		}
		for _, at := range tables[i].at {
			from, to := group[at], group[tables[i].at[0]]
			for j := range group {
				if group[j] == from {
					group[j] = to
				}
			}
		}
	}
}

// part is the search among facts that are tied together.
type part struct {
	*solver
	query
	facts, tests []int
	chosen       []int
	// best are the leads with the most points: any, and one of `some`.
	best [2]struct {
		ok     bool
		points int64
		chosen []int
	}
}

func (p *part) run() {
	p.chosen = make([]int, len(p.domains))
	for i := range p.chosen {
		p.chosen[i] = unchosen
	}
	// Facts that more tests read come first: they rule out most.
	reads := make([]int, len(p.domains))
	for _, i := range p.tests {
		for _, at := range p.tables[i].at {
			reads[at]++
		}
	}
	slices.SortStableFunc(p.facts, func(a, b int) int { return reads[b] - reads[a] })
	p.choose(0)
}

func (p *part) choose(next int) {
	if p.budget--; p.budget < 0 {
		return
	}
	most, one := int64(0), false
	for _, i := range p.tests {
		can := p.can(&p.tables[i], p.chosen)
		law := i >= p.laws
		if can == 0 || ((law || slices.Contains(p.hold, i)) && can&canHold == 0) || (slices.Contains(p.fail, i) && can&canFail == 0) {
			return
		}
		one = one || (can&canHold != 0 && slices.Contains(p.some, i))
		if points := p.points[i]; (points > 0 && can&canHold != 0) || (points < 0 && can&canFail == 0) {
			most += points
		}
	}
	better := func(i int) bool { return !p.best[i].ok || most > p.best[i].points }
	if !better(0) && (!one || !better(1)) {
		return
	}
	if next == len(p.facts) {
		for i := range p.best {
			if (i == 0 || one) && better(i) {
				best := &p.best[i]
				best.ok, best.points, best.chosen = true, most, make([]int, len(p.facts))
				for j, at := range p.facts {
					best.chosen[j] = p.chosen[at]
				}
			}
		}
		return
	}
	at := p.facts[next]
	for c := range p.domains[at].classes {
		p.chosen[at] = c
		p.choose(next + 1)
	}
	p.chosen[at] = unchosen
}
