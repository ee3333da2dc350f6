package agreement

import (
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/common/operators"
)

// Conditions compare facts with literals, so that each fact falls into a few
// classes, within which no condition can tell two values apart. Whatever is said
// about all leads is found by trying one value of each class.

// class is the values of a fact between which nothing distinguishes.
type class struct {
	// fact stands for the class; nil = unknown.
	fact any
	// alike are others of the class, in order: those of a list, and the bounds of
	// a range of numbers.
	alike []any
	// other says that the fact stands for all that no condition names.
	other bool
}

// domain is every class of one fact.
type domain struct {
	variable *variable
	classes  []class
	// partial says that the classes are samples: a fact may hold a value that some
	// condition tells apart from all of them.
	partial bool
	// fixed says that the fact stays what it is, because nobody can write it.
	fixed bool
	tells []comparison
}

// sign answers what the comparisons say of a value; equal signs are one class.
func (d *domain) sign(fact any) string {
	if fact == nil {
		return "?"
	}
	sign := make([]byte, len(d.tells))
	for i := range d.tells {
		sign[i] = 'n'
		if d.tells[i].holds(fact) {
			sign[i] = 'y'
		}
	}
	return string(sign)
}

// class answers the class of a value; -1 = it is in none of them.
func (d *domain) class(fact any) int {
	for i := range d.classes {
		if d.classes[i].fact == fact || slices.Contains(d.classes[i].alike, fact) {
			return i
		}
	}
	if d.partial || fact == nil {
		return -1
	}
	sign := d.sign(fact)
	return slices.IndexFunc(d.classes, func(c class) bool { return c.fact != nil && d.sign(c.fact) == sign })
}

// calls says whether a decision has heard of a call.
type calls int

const (
	// noCall: it is made before anybody calls.
	noCall calls = iota
	// maybeCall: with or without one.
	maybeCall
	// oneCall: it rests on a call.
	oneCall
)

// domain finds the classes of a fact from everything that reads it.
func (a *Agreement) domain(v *variable, readings []reading, on calls) domain {
	d := domain{variable: v}
	var numbers []int64
	open := false
	for _, r := range readings {
		for _, c := range r.comparisons {
			if c.variable == v {
				d.tells = append(d.tells, c)
			}
		}
		if slices.Contains(r.open, v) {
			open = true
			numbers = append(numbers, r.numbers...)
		}
	}
	ofCall := strings.HasPrefix(v.name, "call.")
	var facts []any
	other, apart := -1, open
	switch {
	case ofCall && on == noCall:
	case v.kind == kindFlag:
		facts, apart = []any{true, false}, true
	case v.kind == kindNumber:
		facts, d.partial = d.numbers(numbers), open
	default:
		words, agreed := a.wordsOf(v)
		for _, word := range words {
			facts = append(facts, word)
		}
		if !agreed {
			facts, other, d.partial = d.texts()
			d.partial = d.partial || open
			apart = d.partial
		}
	}
	if !ofCall || on != oneCall || (v.name != "call.reached" && v.name != "call.fit_confirmed") {
		facts = append(facts, nil)
	}
	var signs []string
	for i, fact := range facts {
		var f Facts
		if !v.write(&f, fact) {
			d.classes, d.partial, d.fixed = []class{{}}, true, true
			return d
		}
		if !v.stands(&f, fact) {
			continue
		}
		sign := d.sign(fact)
		if at := slices.Index(signs, sign); at >= 0 && !apart {
			d.classes[at].alike = append(d.classes[at].alike, fact)
			continue
		}
		signs = append(signs, sign)
		d.classes = append(d.classes, class{fact: fact, other: i == other})
	}
	// A number that the document writes stands for its class.
	for i := range d.classes {
		c := &d.classes[i]
		if n := slices.IndexFunc(c.alike, d.written); n >= 0 && v.kind == kindNumber && !d.written(c.fact) {
			c.fact, c.alike[n] = c.alike[n], c.fact
		}
	}
	return d
}

// written says whether a condition names this value.
func (d *domain) written(fact any) bool {
	return slices.ContainsFunc(d.tells, func(c comparison) bool { return slices.Contains(c.literals, fact) })
}

// numbers are the bounds of every range that the literals make: each literal and
// its neighbours.
func (d *domain) numbers(hints []int64) []any {
	for _, c := range d.tells {
		for _, literal := range c.literals {
			if n, ok := literal.(int64); ok {
				hints = append(hints, n)
			}
		}
	}
	if len(hints) == 0 {
		hints = []int64{1}
	}
	var list []int64
	for _, n := range hints {
		list = append(list, n)
		if n > math.MinInt64 {
			list = append(list, n-1)
		}
		if n < math.MaxInt64 {
			list = append(list, n+1)
		}
	}
	slices.Sort(list)
	least := int64(math.MinInt64)
	if !strings.Contains(d.variable.name, "answers.") {
		least = 0
	}
	var out []any
	for _, n := range slices.Compact(list) {
		if n >= least {
			out = append(out, n)
		}
	}
	return out
}

// elsewhere are values of open texts that an agreement hardly names.
var elsewhere = map[string][]string{
	"lead.country":  {"US", "NZ", "JP", "BR", "ZA", "IS", "UY", "KE"},
	"lead.language": {"en", "fr", "ja", "pt", "is", "sw"},
}

// texts are the values of a text for which no list is agreed: those that
// conditions name, and one that none does; -1 = none comes to mind.
func (d *domain) texts() (facts []any, other int, partial bool) {
	v := d.variable
	for _, c := range d.tells {
		if c.op != asked && c.op != operators.Equals && c.op != operators.NotEquals && c.op != operators.In {
			partial = true
		}
		for _, literal := range c.literals {
			text, _ := literal.(string)
			if (v.literal == nil || v.literal(text) == "") && !slices.Contains(facts, literal) {
				facts = append(facts, literal)
			}
		}
	}
	candidates := elsewhere[v.name]
	if candidates == nil {
		candidates = []string{"something-else", "something-quite-else"}
	}
	for _, text := range candidates {
		if !slices.Contains(facts, any(text)) {
			return append(facts, text), len(facts), partial
		}
	}
	return facts, -1, true
}

// wordsOf answers the agreed values of a text; false where none are agreed.
func (a *Agreement) wordsOf(v *variable) ([]string, bool) {
	values := func(list []Question, prefix string) ([]string, bool) {
		for i := range list {
			if prefix+list[i].ID == v.name {
				return list[i].Values, true
			}
		}
		return nil, false
	}
	switch {
	case v.name == "lead.industry":
		return a.industries.words, true
	case v.name == "lead.role":
		return a.roles.words, true
	case v.name == "lead.product":
		return a.products.words, true
	case v.name == "lead.contact_wish":
		return []string{"contact", "content-only", "unknown"}, true
	case strings.HasPrefix(v.name, "answers."):
		return values(a.answers, "answers.")
	}
	for _, sheet := range a.questionnaires {
		if list, ok := values(sheet.Questions, "call.answers."); ok {
			return list, true
		}
	}
	return nil, false
}
