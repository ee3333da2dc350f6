package agreement

import (
	"cmp"
	"math"
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// comparison is one fact held against literals, as a condition does it.
type comparison struct {
	variable *variable
	// op is an operator or function of the language, asked for the question
	// whether the fact is known, or empty for a flag that stands by itself.
	op string
	// literals are text, whole numbers or flags; several only for a list.
	literals []any
}

const asked = "has"

// holds answers the comparison for a known fact.
func (c *comparison) holds(fact any) bool {
	switch c.op {
	case asked:
		return true
	case "":
		return fact == true
	case operators.In:
		return slices.Contains(c.literals, fact)
	}
	order := 0
	switch fact := fact.(type) {
	case string:
		literal, _ := c.literals[0].(string)
		switch c.op {
		case "startsWith":
			return strings.HasPrefix(fact, literal)
		case "endsWith":
			return strings.HasSuffix(fact, literal)
		case "contains":
			return strings.Contains(fact, literal)
		}
		order = cmp.Compare(fact, literal)
	case int64:
		literal, _ := c.literals[0].(int64)
		order = cmp.Compare(fact, literal)
	}
	switch c.op {
	case operators.Equals:
		return order == 0
	case operators.NotEquals:
		return order != 0
	case operators.Less:
		return order < 0
	case operators.LessEquals:
		return order <= 0
	case operators.Greater:
		return order > 0
	}
	return order >= 0
}

// mirrored are the comparisons with their sides exchanged.
var mirrored = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

// reading is what a condition does with its facts: all that it can tell about
// them are the answers of its comparisons, unless they are open.
type reading struct {
	comparisons []comparison
	// open are the facts that are used in another way than by comparing them with
	// literals: by arithmetic, or held against each other.
	open []*variable
	// numbers are those written anywhere beside: near them an open fact may matter.
	numbers []int64
}

// reading finds what a checked condition does with the facts that it mentions.
func (v *vocabulary) reading(e celast.Expr, mentioned []*variable) reading {
	var r reading
	v.read(e, &r)
	// What was not recognised may matter in any way.
	for _, one := range mentioned {
		if !slices.ContainsFunc(r.comparisons, func(c comparison) bool { return c.variable == one }) {
			r.opened(one)
		}
	}
	return r
}

func (r *reading) opened(v *variable) {
	if !slices.Contains(r.open, v) {
		r.open = append(r.open, v)
	}
}

// fact answers the fact that an expression stands for, and whether it only asks
// whether that is known.
func (v *vocabulary) fact(e celast.Expr) (fact *variable, tested bool) {
	if count := v.counted(e); count != nil {
		return count, false
	}
	if e.Kind() != celast.SelectKind {
		return nil, false
	}
	s := e.AsSelect()
	path, ok := pathOf(s.Operand())
	if !ok {
		return nil, false
	}
	g := v.group(path)
	if g == nil {
		return nil, false
	}
	return g.find(s.FieldName()), s.IsTestOnly()
}

func (v *vocabulary) read(e celast.Expr, r *reading) {
	if fact, tested := v.fact(e); fact != nil {
		switch {
		case tested:
			r.comparisons = append(r.comparisons, comparison{variable: fact, op: asked})
		case fact.kind == kindFlag:
			r.comparisons = append(r.comparisons, comparison{variable: fact})
		default:
			r.opened(fact)
		}
		return
	}
	switch e.Kind() {
	case celast.LiteralKind:
		if n, ok := literalOf(e).(int64); ok {
			r.numbers = append(r.numbers, n)
		}
	case celast.ListKind:
		for _, item := range e.AsList().Elements() {
			v.read(item, r)
		}
	case celast.CallKind:
		call := e.AsCall()
		if c, ok := v.comparison(call); ok {
			r.comparisons = append(r.comparisons, c)
			return
		}
		if call.IsMemberFunction() {
			v.read(call.Target(), r)
		}
		for _, arg := range call.Args() {
			v.read(arg, r)
		}
	}
}

// comparison recognises a text or number that is held against literals. Flags
// need none: they are yes or no wherever they stand.
func (v *vocabulary) comparison(call celast.CallExpr) (comparison, bool) {
	op, args := call.FunctionName(), call.Args()
	plain := func(e celast.Expr) *variable {
		if fact, tested := v.fact(e); fact != nil && !tested && fact.kind != kindFlag {
			return fact
		}
		return nil
	}
	switch {
	case call.IsMemberFunction():
		if fact := plain(call.Target()); fact != nil && len(args) == 1 {
			if literal := literalOf(args[0]); literal != nil {
				return comparison{fact, op, []any{literal}}, true
			}
		}
	case op == operators.In && len(args) == 2 && args[1].Kind() == celast.ListKind:
		fact := plain(args[0])
		if fact == nil {
			return comparison{}, false
		}
		c := comparison{variable: fact, op: op}
		for _, item := range args[1].AsList().Elements() {
			literal := literalOf(item)
			if literal == nil {
				return comparison{}, false
			}
			c.literals = append(c.literals, literal)
		}
		return c, true
	case mirrored[op] != "" && len(args) == 2:
		if fact, literal := plain(args[0]), literalOf(args[1]); fact != nil && literal != nil {
			return comparison{fact, op, []any{literal}}, true
		}
		if fact, literal := plain(args[1]), literalOf(args[0]); fact != nil && literal != nil {
			return comparison{fact, mirrored[op], []any{literal}}, true
		}
	}
	return comparison{}, false
}

// literalOf answers a literal's value; nil = it is none.
func literalOf(e celast.Expr) any {
	if e.Kind() == celast.LiteralKind {
		switch value := e.AsLiteral().Value().(type) {
		case string, int64, bool:
			return value
		}
		return nil
	}
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operators.Negate {
		if n, ok := literalOf(e.AsCall().Args()[0]).(int64); ok && n != math.MinInt64 {
			return -n
		}
	}
	return nil
}
