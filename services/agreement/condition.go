package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// condition is one compiled condition. It is immutable.
type condition struct {
	source string
	// variables are what it reads, in the order of first appearance.
	variables []*variable
	// tested are those among them that it asks for with has().
	tested []bool
	// program is nil for the condition that always holds.
	program cel.Program
	reading reading
}

// always is the condition of a rule that states none.
var always = &condition{source: "true"}

// decide evaluates the condition. missing names, in words, the unknown facts
// without which it could not hold. Whatever goes wrong makes it not met.
func (c *condition) decide(f *Facts) (met bool, missing []string) {
	if c.program == nil {
		return true, nil
	}
	out, _, err := c.program.Eval(activation{facts: f})
	if err == nil && out == types.True {
		return true, nil
	}
	for i, v := range c.variables {
		// A definite "no" lacks only what it asked for with has(); no answer at
		// all lacks every unknown fact that it mentions.
		if err == nil && !c.tested[i] {
			continue
		}
		if _, known := v.read(f); !known {
			missing = append(missing, v.words)
		}
	}
	return false, missing
}

// values lists what the condition mentions, as it stood.
func (c *condition) values(f *Facts) []*leadv1.NamedValue {
	out := make([]*leadv1.NamedValue, len(c.variables))
	for i, v := range c.variables {
		out[i] = &leadv1.NamedValue{Name: v.name, Value: v.value(f)}
	}
	return out
}

// complaint is a problem inside a condition; offset counts characters from the
// beginning of its text.
type complaint struct {
	offset int
	text   string
}

// compile checks a condition and makes it ready to evaluate. The complaints are
// in the order of the text.
func (v *vocabulary) compile(source string) (*condition, []complaint) {
	if strings.TrimSpace(source) == "" {
		return nil, []complaint{{text: "the condition is empty; write one, such as lead.employees >= 20"}}
	}
	parsed, issues := v.env.Parse(unlabel(source))
	if issues.Err() != nil {
		// After the first syntax error the parser guesses; its guesses mislead.
		first := issues.Errors()[0]
		return nil, []complaint{{
			offset: offsetOf(source, first.Location.Line(), first.Location.Column()),
			text:   syntaxAdvice(source, first.Message),
		}}
	}
	tree := parsed.NativeRep()
	w := &walker{vocabulary: v, source: []rune(source), info: tree.SourceInfo()}
	w.walk(tree.Expr())
	checked, issues := v.env.Check(parsed)
	if issues.Err() != nil {
		refused := w.refused
		for _, issue := range issues.Errors() {
			if text, ok := typeAdvice(issue.Message, refused); ok {
				w.complain(offsetOf(source, issue.Location.Line(), issue.Location.Column()), text)
			}
		}
		if len(w.complaints) == 0 {
			w.complain(0, "the condition cannot be understood: "+issues.Errors()[0].Message)
		}
	}
	if len(w.complaints) > 0 {
		return nil, w.sorted()
	}
	if !checked.OutputType().IsExactType(types.BoolType) {
		w.complain(0, fmt.Sprintf("the condition gives %s, not yes or no; compare it with something, such as lead.employees >= 20", typeName(checked.OutputType())))
		return nil, w.sorted()
	}
	w.literals(checked.NativeRep().Expr(), checked.NativeRep())
	estimate, err := v.env.EstimateCost(checked, sizes{})
	if err != nil || estimate.Max > costLimit {
		w.complain(0, fmt.Sprintf("the condition can take more than %d steps; make it shorter or split it into several criteria", costLimit))
	}
	if len(w.complaints) > 0 {
		return nil, w.sorted()
	}
	program, err := v.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, []complaint{{text: "the condition cannot be evaluated: " + err.Error()}}
	}
	c := &condition{source: strings.TrimSpace(source), program: program}
	slices.SortStableFunc(w.mentions, func(a, b mention) int { return a.offset - b.offset })
	for _, m := range w.mentions {
		i := slices.Index(c.variables, m.variable)
		if i < 0 {
			i = len(c.variables)
			c.variables = append(c.variables, m.variable)
			c.tested = append(c.tested, false)
		}
		c.tested[i] = c.tested[i] || m.tested
	}
	c.reading = v.reading(checked.NativeRep().Expr(), c.variables)
	return c, nil
}

// offsetOf turns a line and column of CEL (lines from 1, columns from 0) into a
// count of characters.
func offsetOf(source string, line, col int) int {
	offset := 0
	for i, text := range strings.Split(source, "\n") {
		if i+1 >= line {
			return offset + min(max(col, 0), len([]rune(text)))
		}
		offset += len([]rune(text)) + 1
	}
	return max(offset-1, 0)
}

// allowed are the functions and operators of a condition. They are few on
// purpose: each has a bounded cost and gives the same answer everywhere.
var allowed = map[string]bool{
	operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true, operators.Conditional: true,
	operators.Equals: true, operators.NotEquals: true, operators.In: true,
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
	operators.Add: true, operators.Subtract: true, operators.Multiply: true, operators.Divide: true, operators.Modulo: true, operators.Negate: true,
	"startsWith": true, "endsWith": true, "contains": true,
}

type mention struct {
	variable *variable
	offset   int
	tested   bool
}

// walker looks at every part of a condition for what may not be there, and notes
// what it reads.
type walker struct {
	vocabulary *vocabulary
	source     []rune
	info       *celast.SourceInfo
	complaints []complaint
	mentions   []mention
	// refused is true once something was found that may not be there at all: a
	// type error beside it is most likely its consequence.
	refused bool
}

func (w *walker) complain(offset int, text string) {
	w.complaints = append(w.complaints, complaint{offset: offset, text: text})
}

// refuse complains about something that no condition may hold.
func (w *walker) refuse(offset int, text string) {
	w.refused = true
	w.complain(offset, text)
}

func (w *walker) sorted() []complaint {
	slices.SortStableFunc(w.complaints, func(a, b complaint) int { return a.offset - b.offset })
	return slices.Compact(w.complaints)
}

func (w *walker) offset(e celast.Expr) int {
	if at, ok := w.info.GetOffsetRange(e.ID()); ok {
		return int(at.Start)
	}
	return 0
}

// first is the offset of the expression's leftmost part: an operator's own
// offset is that of its sign.
func (w *walker) first(e celast.Expr) int {
	switch e.Kind() {
	case celast.SelectKind:
		return w.first(e.AsSelect().Operand())
	case celast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			return w.first(call.Target())
		}
	}
	return w.offset(e)
}

// word moves an offset from the bracket of a function back to its name.
func (w *walker) word(offset int, name string) int {
	start := offset - len([]rune(name))
	if start >= 0 && offset <= len(w.source) && string(w.source[start:offset]) == name {
		return start
	}
	return offset
}

const decimals = "decimal numbers are not allowed, because they do not add up the same everywhere; write whole numbers, in a smaller unit where needed (cents, basis points)"

func (w *walker) walk(e celast.Expr) {
	switch e.Kind() {
	case celast.LiteralKind:
		switch e.AsLiteral().Type() {
		case types.DoubleType:
			w.refuse(w.offset(e), decimals)
		case types.UintType:
			w.refuse(w.offset(e), "unsigned numbers are not allowed; write the number without the letter u")
		case types.BytesType:
			w.refuse(w.offset(e), "bytes are not allowed; write text in quotes")
		case types.NullType:
			w.refuse(w.offset(e), "null is not allowed; ask whether something is known with has(), such as !has(lead.country)")
		}
	case celast.IdentKind:
		w.name(e)
	case celast.SelectKind:
		w.selection(e)
	case celast.CallKind:
		w.call(e.AsCall(), w.offset(e))
	case celast.ListKind:
		for _, item := range e.AsList().Elements() {
			w.walk(item)
		}
	case celast.MapKind:
		w.refuse(w.offset(e), "maps are not allowed in a condition; use a list such as [\"DE\", \"AT\"]")
	case celast.StructKind:
		w.refuse(w.offset(e), "nothing can be built in a condition; compare facts with words and numbers")
	case celast.ComprehensionKind:
		name, at := "a loop", w.offset(e)
		if call, ok := w.info.GetMacroCall(e.ID()); ok && call.Kind() == celast.CallKind {
			name = "the loop " + call.AsCall().FunctionName()
			at = w.word(at, call.AsCall().FunctionName())
		}
		w.refuse(at, name+" is not allowed: a condition must end after a known number of steps; use `in` with a list, or several criteria")
	}
}

// name looks at a name without a dot.
func (w *walker) name(e celast.Expr) {
	name, all := e.AsIdent(), w.vocabulary.names()
	if g := w.vocabulary.group(name); g != nil {
		example := "lead.employees"
		if name == touchesName {
			example = "touches.count(\"pricing-page\", days:14)"
		} else if names := g.names(); len(names) > 0 {
			example = names[0]
		}
		w.refuse(w.offset(e), fmt.Sprintf("%s alone says nothing; name what you ask about, such as %s", name, example))
		return
	}
	hint := suggest(name, append(slices.Clone(all), "lead", "answers", "call", touchesName))
	if hint == "" {
		hint = fmt.Sprintf(" (text needs quotes: %q)", name)
	}
	for _, known := range all {
		if strings.HasSuffix(known, "."+name) {
			hint = fmt.Sprintf(" (did you mean %q?)", known)
			break
		}
	}
	w.complain(w.offset(e), fmt.Sprintf("there is no %q%s; a condition may ask about %s", name, hint, strings.Join(all, ", ")))
}

// selection notes which fact is read.
func (w *walker) selection(e celast.Expr) {
	s := e.AsSelect()
	path, ok := pathOf(s.Operand())
	if !ok {
		w.walk(s.Operand())
		return
	}
	g := w.vocabulary.group(path)
	if g == nil {
		w.walk(s.Operand())
		return
	}
	at := w.first(s.Operand())
	if v := g.find(s.FieldName()); v != nil {
		w.mentions = append(w.mentions, mention{variable: v, offset: at, tested: s.IsTestOnly()})
		return
	}
	name := g.name + "." + s.FieldName()
	if g.inner != nil && g.inner.name == name {
		w.refuse(at, fmt.Sprintf("%s alone says nothing; name the answer, such as %s.<id>", name, name))
		return
	}
	switch g.name {
	case "answers":
		w.complain(at, fmt.Sprintf("no answer %q is declared%s; declare it under `answers`", s.FieldName(), suggest(name, g.names())))
	case touchesName:
		w.refuse(at, fmt.Sprintf("there is no %s; touches can be counted: touches.count(\"pricing-page\", days:14)", name))
	case "call.answers":
		w.complain(at, fmt.Sprintf("no question %q is asked in calls%s; add it to `questionnaire`", s.FieldName(), suggest(name, g.names())))
	default:
		w.complain(at, fmt.Sprintf("there is no %s%s; a condition may ask about %s", name, suggest(name, g.names()), strings.Join(g.names(), ", ")))
	}
}

// pathOf answers the dotted name that an expression is, if it is one.
func pathOf(e celast.Expr) (string, bool) {
	switch e.Kind() {
	case celast.IdentKind:
		return e.AsIdent(), true
	case celast.SelectKind:
		if s := e.AsSelect(); !s.IsTestOnly() {
			if path, ok := pathOf(s.Operand()); ok {
				return path + "." + s.FieldName(), true
			}
		}
	}
	return "", false
}

func (w *walker) call(call celast.CallExpr, at int) {
	name := call.FunctionName()
	at = w.word(at, name)
	switch {
	case allowed[name]:
	case name == "count":
		w.count(call, at)
		return
	case name == "matches":
		w.refuse(at, "patterns (matches) are not allowed: their cost has no bound; use ==, in, startsWith, endsWith or contains")
	case name == "double":
		w.refuse(at, decimals)
	case name == operators.Index:
		w.refuse(at, "brackets after a name are not allowed; write the name with a dot, such as answers.budget")
		return
	default:
		w.refuse(at, fmt.Sprintf("the function %s is not allowed%s; a condition may use has, touches.count, startsWith, endsWith, contains, in and the signs && || ! == != < <= > >= + - * / %%",
			name, suggest(name, []string{"has", "startsWith", "endsWith", "contains"})))
	}
	if call.IsMemberFunction() {
		w.walk(call.Target())
	}
	for _, arg := range call.Args() {
		w.walk(arg)
	}
}

// literals judges the texts that facts are compared with: a misspelt word would
// otherwise just never hold.
func (w *walker) literals(e celast.Expr, tree *celast.AST) {
	if e.Kind() == celast.ListKind {
		w.mixed(e.AsList().Elements(), tree)
	}
	if e.Kind() == celast.CallKind {
		call := e.AsCall()
		args := call.Args()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals:
			w.literal(args[0], args[1])
			w.literal(args[1], args[0])
		case operators.In:
			if args[1].Kind() == celast.ListKind {
				for _, item := range args[1].AsList().Elements() {
					w.literal(args[0], item)
				}
			}
		}
		if call.IsMemberFunction() {
			w.literals(call.Target(), tree)
		}
		for _, arg := range args {
			w.literals(arg, tree)
		}
	}
	if e.Kind() == celast.ListKind {
		for _, item := range e.AsList().Elements() {
			w.literals(item, tree)
		}
	}
}

func (w *walker) literal(fact, literal celast.Expr) {
	if literal.Kind() != celast.LiteralKind || fact.Kind() != celast.SelectKind || fact.AsSelect().IsTestOnly() {
		return
	}
	text, ok := literal.AsLiteral().Value().(string)
	if !ok {
		return
	}
	path, ok := pathOf(fact.AsSelect().Operand())
	if !ok {
		return
	}
	g := w.vocabulary.group(path)
	if g == nil {
		return
	}
	v := g.find(fact.AsSelect().FieldName())
	switch {
	case v == nil:
	case text == "":
		w.complain(w.offset(literal), fmt.Sprintf("%s is never empty text: what nobody stated is unknown; write !has(%s)", v.name, v.name))
	case v.literal != nil:
		if problem := v.literal(text); problem != "" {
			w.complain(w.offset(literal), problem)
		}
	}
}

// mixed refuses a list of more than one type: half of it could never match.
func (w *walker) mixed(items []celast.Expr, tree *celast.AST) {
	for _, item := range items {
		if t, first := tree.GetType(item.ID()), tree.GetType(items[0].ID()); !t.IsExactType(first) {
			w.complain(w.offset(item), fmt.Sprintf("this list mixes %s with %s; write one kind only", typeName(first), typeName(t)))
			return
		}
	}
}

// sizes tells the cost estimate how long texts can be.
type sizes struct{}

func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if len(node.Path()) > 0 {
		return &cost.SizeEstimate{Min: 0, Max: longestText}
	}
	return nil
}

func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if function == "count" {
		// One look at each touch that a lead keeps, a hundredth of a step each.
		return &cost.CallEstimate{CostEstimate: cost.Estimate{Min: 2, Max: 2}}
	}
	return nil
}

// typeName names a type as the agreement speaks of it.
func typeName(t *types.Type) string { return plainType(t.String()) }

func plainType(name string) string {
	switch name {
	case "string":
		return "text"
	case "int":
		return "a number"
	case "bool":
		return "yes or no"
	case "double":
		return "a decimal number"
	case "baton.lead", "baton.answers", "baton.call", "baton.touches":
		return strings.TrimPrefix(name, "baton.") + " alone"
	case "baton.call_answers":
		return "call.answers alone"
	}
	if inner, ok := strings.CutPrefix(name, "list("); ok {
		return "a list of " + strings.TrimPrefix(plainType(strings.TrimSuffix(inner, ")")), "a ")
	}
	return name
}

var (
	// What the walk has said already, and better.
	repeated   = regexp.MustCompile(`^(?:undeclared reference to|undefined field) '`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	unexpected = regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '((?s:.*?))' expecting`)
	noViable   = regexp.MustCompile(`^Syntax error: no viable alternative at input '((?s:.*?))'`)
	unreadable = regexp.MustCompile(`^Syntax error: token recognition error at: '((?s:.*?))'`)
)

// typeAdvice says a type error in the agreement's words. ok is false where it
// adds nothing to what was refused already.
func typeAdvice(message string, refused bool) (text string, ok bool) {
	if repeated.MatchString(message) || refused {
		return "", false
	}
	m := noOverload.FindStringSubmatch(message)
	if m == nil {
		return message + "; compare facts with words and numbers", true
	}
	// Operands are written (a, b), or a.(b) for a function behind a dot.
	target, list, member := strings.Cut(m[2], ".(")
	var operands []string
	if member {
		operands = append(operands, target)
	} else {
		list = strings.TrimPrefix(m[2], "(")
	}
	operands = append(operands, splitTypes(strings.TrimSuffix(list, ")"))...)
	for i, o := range operands {
		operands[i] = plainType(o)
	}
	if m[1] == operators.In && len(operands) == 2 && !strings.HasPrefix(operands[1], "a list") {
		return "`in` needs a list on its right, such as lead.country in [\"DE\", \"AT\"]", true
	}
	what := strings.Join(operands, " and ")
	if len(operands) == 2 {
		what = operands[0] + " with " + operands[1]
	}
	sign := strings.Trim(strings.TrimPrefix(m[1], "@"), "_")
	if m[1] == operators.Conditional {
		sign = "? :"
	}
	return fmt.Sprintf("%q cannot take %s; compare like with like: text in quotes, numbers without quotes", sign, what), true
}

// splitTypes cuts a list of types at its outer commas.
func splitTypes(text string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(text[start:i]))
				start = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(text[start:]))
}

// syntaxAdvice says a syntax error so that somebody who writes no programs can
// act on it.
func syntaxAdvice(source, message string) string {
	got := ""
	for _, re := range []*regexp.Regexp{unexpected, noViable, unreadable} {
		if m := re.FindStringSubmatch(message); m != nil {
			got = m[1]
			break
		}
	}
	switch {
	case strings.Contains(message, "expression code point size exceeds limit"):
		return fmt.Sprintf("the condition is longer than %d characters; split it into several criteria", maxCondition)
	case strings.Contains(message, "recursion limit"):
		return "the condition is nested too deep; split it into several criteria"
	case strings.HasPrefix(message, "invalid argument to has()"):
		return "has() takes one name with a dot, such as has(lead.employees)"
	case got == "<EOF>":
		return "the condition ends too early; a value or a closing bracket is missing"
	case strings.EqualFold(got, "and"), strings.EqualFold(got, "or"), strings.EqualFold(got, "not"), strings.EqualFold(got, "is"):
		sign := map[string]string{"and": "&&", "or": "||", "not": "!", "is": "=="}[strings.ToLower(got)]
		return fmt.Sprintf("%q is not a sign of the language; write %s", got, sign)
	case strings.HasPrefix(strings.ToLower(source), "not "), strings.Contains(strings.ToLower(source), " not "):
		return "\"not\" is not a sign of the language; write !"
	case strings.HasPrefix(got, "="), got == "&", got == "|":
		return fmt.Sprintf("%q is not a sign of the language; write == to compare, && for and, || for or", strings.TrimSpace(got))
	case got != "":
		return fmt.Sprintf("%q was not expected here; a condition looks like lead.country in [\"DE\", \"AT\"] && lead.employees >= 20", got)
	}
	return strings.TrimPrefix(message, "Syntax error: ") + "; a condition looks like lead.country in [\"DE\", \"AT\"] && lead.employees >= 20"
}
