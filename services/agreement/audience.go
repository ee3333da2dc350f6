package agreement

import (
	"slices"
	"strconv"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Audience is whom the agreement is about, as a filter that other programs can
// use: what the customer profile and the personas ask.
type Audience struct {
	ProfileVersion string         `json:"profile_version"`
	PointsNeeded   int64          `json:"points_needed"`
	Criteria       []AudienceRule `json:"criteria"`
	PersonaVersion string         `json:"persona_version"`
	// Personas in their order: the first that matches counts.
	Personas []AudienceRule `json:"personas"`
}

// AudienceRule is a criterion of the profile or a persona.
type AudienceRule struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	// Must says that it has to hold; Points are what it gives otherwise.
	Must   bool   `json:"must,omitempty"`
	Points int64  `json:"points,omitempty"`
	Filter Filter `json:"filter"`
}

// Filter holds where each of its parts holds.
type Filter []AnyOf

// AnyOf holds where one of its predicates holds.
type AnyOf []Predicate

// Predicate compares a fact with values, or is a condition in the agreement's own
// language where that is no plain comparison.
type Predicate struct {
	// Field is a fact such as lead.employees.
	Field string `json:"field,omitempty"`
	// Operator is one of is, is not, <, <=, >, >=, in, not in, starts with, ends with,
	// contains, known, unknown. Of an unknown fact only the last one holds.
	Operator string `json:"operator,omitempty"`
	// Values are texts, whole numbers or flags; several only for in and not in, none
	// for known and unknown.
	Values []any `json:"values,omitempty"`
	// Condition stands alone.
	Condition string `json:"condition,omitempty"`
}

// Operators of predicates that the language of conditions spells in another way. A
// sign of equality at the beginning of a cell would be a formula to a spreadsheet.
const (
	opIs, opIsNot    = "is", "is not"
	opIn, opNotIn    = "in", "not in"
	opKnown, opNot   = "known", "unknown"
	opStarts, opEnds = "starts with", "ends with"
	opContains       = "contains"
)

// comparing are the operators that compare with one value, with the one that holds
// where the fact is known and they do not, and the one with its sides exchanged.
var comparing = []struct{ sign, cel, negated, mirrored string }{
	{opIs, operators.Equals, opIsNot, opIs},
	{opIsNot, operators.NotEquals, opIs, opIsNot},
	{"<", operators.Less, ">=", ">"},
	{"<=", operators.LessEquals, ">", ">="},
	{">", operators.Greater, "<=", "<"},
	{">=", operators.GreaterEquals, "<", "<="},
}

// Audience makes the filter. A rule that asks about no fact is refused: nobody
// could be found by it.
func (a *Agreement) Audience() (*Audience, error) {
	out := &Audience{ProfileVersion: a.profile.version, PointsNeeded: a.profile.needed, PersonaVersion: a.personas.version}
	rule := func(kind, id, text string, c *condition) (AudienceRule, error) {
		if len(c.variables) == 0 {
			return AudienceRule{}, fault.New(fault.Invalid, "the %s %q asks about no fact, so that nobody can be found by it; compare a fact with something, such as lead.employees >= 20", kind, id)
		}
		filter, err := filterOf(c.source)
		return AudienceRule{ID: id, Text: text, Filter: filter}, err
	}
	for _, c := range a.profile.criteria {
		one, err := rule("criterion", c.id, c.text, c.when)
		if err != nil {
			return nil, err
		}
		one.Must, one.Points = c.must, c.points
		out.Criteria = append(out.Criteria, one)
	}
	for _, p := range a.personas.list {
		one, err := rule("persona", p.id, p.text, p.when)
		if err != nil {
			return nil, err
		}
		out.Personas = append(out.Personas, one)
	}
	return out, nil
}

// filterOf takes a condition apart that was checked before.
func filterOf(source string) (Filter, error) {
	env, err := baseEnv()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(unlabel(source))
	if issues.Err() != nil {
		return nil, fault.New(fault.Invalid, "the condition %q cannot be read", source)
	}
	tree := parsed.NativeRep()
	var out Filter
	for _, part := range operands(tree.Expr(), operators.LogicalAnd) {
		var one AnyOf
		for _, way := range operands(part, operators.LogicalOr) {
			p, ok := predicate(way)
			if !ok {
				text, err := parser.Unparse(way, tree.SourceInfo())
				if err != nil {
					return nil, fault.New(fault.Invalid, "the condition %q cannot be written out", source)
				}
				p = Predicate{Condition: text}
			}
			one = append(one, p)
		}
		out = append(out, one)
	}
	if len(out) == 1 && len(out[0]) == 1 && out[0][0].Condition != "" {
		// Nothing was taken apart: it stays as people wrote it.
		out[0][0].Condition = source
	}
	return out, nil
}

// operands are what a chain of one operator joins.
func operands(e celast.Expr, operator string) (out []celast.Expr) {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operator {
		for _, arg := range e.AsCall().Args() {
			out = append(out, operands(arg, operator)...)
		}
		return out
	}
	return []celast.Expr{e}
}

// predicate reads a plain comparison.
func predicate(e celast.Expr) (Predicate, bool) {
	if e.Kind() == celast.SelectKind {
		s := e.AsSelect()
		if s.IsTestOnly() {
			path, ok := pathOf(s.Operand())
			return Predicate{Field: path + "." + s.FieldName(), Operator: opKnown}, ok
		}
		path, ok := pathOf(e)
		return Predicate{Field: path, Operator: opIs, Values: []any{true}}, ok
	}
	if e.Kind() != celast.CallKind {
		return Predicate{}, false
	}
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalNot:
		return negated(args[0])
	case operators.In:
		field, ok := fieldOf(args[0])
		if !ok || args[1].Kind() != celast.ListKind {
			return Predicate{}, false
		}
		p := Predicate{Field: field, Operator: opIn}
		for _, item := range args[1].AsList().Elements() {
			value := literalOf(item)
			if value == nil {
				return Predicate{}, false
			}
			p.Values = append(p.Values, value)
		}
		return p, true
	case "startsWith", "endsWith", "contains":
		operator := map[string]string{"startsWith": opStarts, "endsWith": opEnds, "contains": opContains}[name]
		field, ok := fieldOf(call.Target())
		value, text := literalOf(args[0]).(string)
		return Predicate{Field: field, Operator: operator, Values: []any{value}}, ok && text
	default:
		for _, c := range comparing {
			if c.cel != name {
				continue
			}
			if field, ok := fieldOf(args[0]); ok && literalOf(args[1]) != nil {
				return Predicate{Field: field, Operator: c.sign, Values: []any{literalOf(args[1])}}, true
			}
			if field, ok := fieldOf(args[1]); ok && literalOf(args[0]) != nil {
				return Predicate{Field: field, Operator: c.mirrored, Values: []any{literalOf(args[0])}}, true
			}
		}
	}
	return Predicate{}, false
}

// negated is the plain comparison that holds where the fact is known and another
// comparison does not hold: of unknown facts neither holds, here as there.
func negated(e celast.Expr) (Predicate, bool) {
	p, ok := predicate(e)
	if !ok {
		return p, false
	}
	switch p.Operator {
	case opKnown:
		p.Operator = opNot
		return p, true
	case opNot:
		p.Operator = opKnown
		return p, true
	case opIn:
		p.Operator = opNotIn
		return p, true
	case opNotIn:
		p.Operator = opIn
		return p, true
	}
	if flag, ok := p.Values[0].(bool); ok && p.Operator == opIs {
		p.Values = []any{!flag}
		return p, true
	}
	for _, c := range comparing {
		if c.sign == p.Operator {
			p.Operator = c.negated
			return p, true
		}
	}
	return p, false
}

// fieldOf answers the fact that an expression is: a name, or a count of touches.
func fieldOf(e celast.Expr) (string, bool) {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "count" {
		args := e.AsCall().Args()
		kind, ok := literalOf(args[0]).(string)
		if !ok {
			return "", false
		}
		days := int64(0)
		if len(args) == 2 {
			if days, ok = literalOf(args[1]).(int64); !ok {
				return "", false
			}
		}
		return touchCount(kind, days), true
	}
	if e.Kind() != celast.SelectKind || e.AsSelect().IsTestOnly() {
		return "", false
	}
	return pathOf(e)
}

// String is the filter as a condition: read again, it is the same filter.
func (f Filter) String() string {
	parts := make([]string, len(f))
	for i, part := range f {
		ways := make([]string, len(part))
		for j, p := range part {
			// A condition of its own may be any expression.
			if ways[j] = p.String(); p.Condition != "" && len(f)+len(part) > 2 {
				ways[j] = "(" + ways[j] + ")"
			}
		}
		if parts[i] = strings.Join(ways, " || "); len(ways) > 1 && len(f) > 1 {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, " && ")
}

// String is the predicate as a condition.
func (p Predicate) String() string {
	if p.Condition != "" {
		return p.Condition
	}
	values := make([]string, len(p.Values))
	for i, v := range p.Values {
		switch v := v.(type) {
		case string:
			values[i] = strconv.Quote(v)
		case int64:
			values[i] = strconv.FormatInt(v, 10)
		case bool:
			values[i] = strconv.FormatBool(v)
		}
	}
	switch p.Operator {
	case opKnown:
		return "has(" + p.Field + ")"
	case opNot:
		return "!has(" + p.Field + ")"
	case opIn:
		return p.Field + " in [" + strings.Join(values, ", ") + "]"
	case opNotIn:
		return "!(" + p.Field + " in [" + strings.Join(values, ", ") + "])"
	case opStarts:
		return p.Field + ".startsWith(" + values[0] + ")"
	case opEnds:
		return p.Field + ".endsWith(" + values[0] + ")"
	case opContains:
		return p.Field + ".contains(" + values[0] + ")"
	}
	if slices.Equal(values, []string{"true"}) && p.Operator == opIs {
		return p.Field
	}
	if slices.Equal(values, []string{"false"}) && p.Operator == opIs {
		return "!" + p.Field
	}
	sign := p.Operator
	switch sign {
	case opIs:
		sign = "=="
	case opIsNot:
		sign = "!="
	}
	return p.Field + " " + sign + " " + values[0]
}
