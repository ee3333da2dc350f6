package agreement

import (
	"fmt"
	"strconv"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Plain is a condition of the agreement in plain words: "at least 20 employees".
// ok is false where no rule of the agreement has that condition.
func (a *Agreement) Plain(source string) (text string, ok bool) {
	for _, c := range a.conditions() {
		if c.source == source {
			return c.said.String(), true
		}
	}
	return "", false
}

// conditions are those of all rules, in the order of the document.
func (a *Agreement) conditions() []*condition {
	var out []*condition
	add := func(list []criterion) {
		for i := range list {
			out = append(out, list[i].when)
		}
	}
	for i := range a.signals {
		out = append(out, a.signals[i].when)
	}
	add(a.profile.criteria)
	for i := range a.personas.list {
		out = append(out, a.personas.list[i].when)
	}
	for i := range a.stages {
		add(a.stages[i].criteria)
	}
	for i := range a.handoffs {
		out = append(out, a.handoffs[i].when)
	}
	for i := range a.purposes {
		out = append(out, a.purposes[i].when)
	}
	for i := range a.overlays {
		out = append(out, a.overlays[i].when)
	}
	for i := range a.clocks {
		out = append(out, a.clocks[i].when)
	}
	return out
}

// saying is a condition in plain words. What is a list is kept as one, so that a
// comparison can say what joined it and what left.
type saying struct {
	// text comes before the list, or is all there is.
	text string
	list []string
}

// String is the whole sentence.
func (s saying) String() string {
	if len(s.list) == 0 {
		return s.text
	}
	return strings.TrimSpace(s.text + " " + either(s.list))
}

// say puts a checked condition into plain words. It says what the condition
// means and nothing else: brackets stand where words alone could be read in two
// ways.
func (v *vocabulary) say(e celast.Expr) saying {
	s := speaker{v}
	if head, list, ok := s.membership(e); ok {
		return saying{head, list}
	}
	return saying{text: s.sentence(e)}
}

// speaker says expressions in words.
type speaker struct{ vocabulary *vocabulary }

// sentence says an expression that holds or does not.
func (s speaker) sentence(e celast.Expr) string {
	switch e.Kind() {
	case celast.LiteralKind:
		if e.AsLiteral().Value() == true {
			return "always"
		}
		return "never"
	case celast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return s.known(e, true)
		}
		return s.flag(e, true)
	case celast.CallKind:
		return s.rule(e)
	}
	return s.thing(e)
}

func (s speaker) rule(e celast.Expr) string {
	call := e.AsCall()
	args := call.Args()
	name := call.FunctionName()
	switch name {
	case operators.LogicalAnd, operators.LogicalOr:
		word := " and "
		if name == operators.LogicalOr {
			word = " or "
		}
		parts := flat(e, name)
		said := make([]string, len(parts))
		for i, part := range parts {
			said[i] = s.within(part)
		}
		return strings.Join(said, word)
	case operators.LogicalNot:
		return s.not(args[0])
	case operators.Conditional:
		return fmt.Sprintf("if %s, then %s, otherwise %s", s.within(args[0]), s.within(args[1]), s.within(args[2]))
	case operators.In:
		if head, list, ok := s.membership(e); ok {
			return head + " " + either(list)
		}
		return s.thing(args[0]) + " is in " + s.thing(args[1])
	}
	if word, ok := map[string]string{"startsWith": "begins with", "endsWith": "ends with", "contains": "contains"}[name]; ok && call.IsMemberFunction() {
		return s.thing(call.Target()) + " " + word + " " + s.thing(args[0])
	}
	if c, ok := comparisonOf(e); ok {
		return s.comparison(c)
	}
	return s.thing(e)
}

// flat lists the parts of nested calls of one operator.
func flat(e celast.Expr, name string) []celast.Expr {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == name {
		var out []celast.Expr
		for _, arg := range e.AsCall().Args() {
			out = append(out, flat(arg, name)...)
		}
		return out
	}
	return []celast.Expr{e}
}

// within says a part of a longer sentence, in brackets where it has parts itself.
func (s speaker) within(e celast.Expr) string {
	text := s.sentence(e)
	if e.Kind() == celast.CallKind {
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr, operators.Conditional:
			return "(" + text + ")"
		case operators.LogicalNot:
			if strings.HasPrefix(text, "not (") {
				return text
			}
		}
	}
	return text
}

// not says that something does not hold.
func (s speaker) not(e celast.Expr) string {
	switch {
	case e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly():
		return s.known(e, false)
	case e.Kind() == celast.SelectKind:
		return s.flag(e, false)
	case e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operators.LogicalNot:
		return s.sentence(e.AsCall().Args()[0])
	case e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operators.In:
		// What nobody stated is none of them either way: no comparison with it holds.
		if v, list, ok := s.listed(e); ok {
			return s.noun(v) + " is none of " + enumerate(list, "and")
		}
	}
	if c, ok := comparisonOf(e); ok {
		return s.comparison(c.opposite())
	}
	return "not (" + s.sentence(e) + ")"
}

// known says that a fact is known, or is not.
func (s speaker) known(e celast.Expr, is bool) string {
	word := " is known"
	if !is {
		word = " is not known"
	}
	if v := s.variable(e); v != nil {
		return s.noun(v) + word
	}
	return "something" + word
}

// flags are the facts that are a yes or a no.
var flags = map[string][2]string{
	"lead.has_email":     {"an e-mail address is given", "no e-mail address is given"},
	"lead.has_phone":     {"a telephone number is given", "no telephone number is given"},
	"lead.has_company":   {"a company is named", "no company is named"},
	"lead.free_email":    {"the e-mail address is of a free-mail provider", "the e-mail address is not of a free-mail provider"},
	"call.reached":       {"the call reached the person", "the call did not reach the person"},
	"call.fit_confirmed": {"the call confirmed the fit", "the call did not confirm the fit"},
}

func (s speaker) flag(e celast.Expr, is bool) string {
	v := s.variable(e)
	if v == nil {
		return s.thing(e)
	}
	i, word := 0, "yes"
	if !is {
		i, word = 1, "no"
	}
	if said, ok := flags[v.name]; ok {
		return said[i]
	}
	return s.noun(v) + " is " + word
}

// sides are two things held against each other.
type sides struct {
	sign        string
	left, right celast.Expr
}

var opposites = map[string]string{
	operators.Less: operators.GreaterEquals, operators.LessEquals: operators.Greater, operators.Greater: operators.LessEquals,
	operators.GreaterEquals: operators.Less, operators.Equals: operators.NotEquals, operators.NotEquals: operators.Equals,
}

// comparisonOf reads a comparison; a literal is brought to its right.
func comparisonOf(e celast.Expr) (sides, bool) {
	if e.Kind() != celast.CallKind {
		return sides{}, false
	}
	call := e.AsCall()
	sign, ok := mirrored[call.FunctionName()]
	if !ok {
		return sides{}, false
	}
	left, right := call.Args()[0], call.Args()[1]
	if left.Kind() == celast.LiteralKind && right.Kind() != celast.LiteralKind {
		return sides{sign, right, left}, true
	}
	return sides{call.FunctionName(), left, right}, true
}

func (c sides) opposite() sides {
	c.sign = opposites[c.sign]
	return c
}

func (s speaker) comparison(c sides) string {
	literal := literalOf(c.right)
	v := s.variable(c.left)
	switch value := literal.(type) {
	case bool:
		holds := value == (c.sign == operators.Equals)
		if holds {
			return s.within(c.left)
		}
		return s.not(c.left)
	case string:
		if v != nil {
			return s.is(v, value, c.sign == operators.Equals)
		}
	case int64:
		if counts, ok := s.counts(c.left); ok {
			return amount(c.sign, value) + " " + counted(c.sign, value, "touch", "touches") + " " + counts
		}
		if v != nil {
			return s.measure(v, c.sign, value)
		}
	}
	left, right := s.thing(c.left), s.thing(c.right)
	switch c.sign {
	case operators.Equals:
		return left + " is " + right
	case operators.NotEquals:
		return left + " is not " + right
	case operators.Less:
		return left + " is less than " + right
	case operators.LessEquals:
		return left + " is at most " + right
	case operators.Greater:
		return left + " is more than " + right
	}
	return left + " is at least " + right
}

// is says that a fact is a word, or is not.
func (s speaker) is(v *variable, word string, is bool) string {
	if v.name == "lead.contact_wish" {
		said, ok := map[string][2]string{
			"contact":      {"the person asked to be contacted", "the person did not ask to be contacted"},
			"content-only": {"the person asked for content only", "the person did not ask for content only"},
			wishUnknown:    {"it is not known whether the person wants to be contacted", "it is known whether the person wants to be contacted"},
		}[word]
		if ok && is {
			return said[0]
		} else if ok {
			return said[1]
		}
	}
	verb := " is "
	if !is {
		verb = " is not "
	}
	return s.noun(v) + verb + s.word(v, word)
}

// measure says how much of something there is.
func (s speaker) measure(v *variable, sign string, n int64) string {
	switch v.name {
	case "lead.employees":
		return amount(sign, n) + " " + counted(sign, n, "employee", "employees")
	case "call.horizon_months":
		return amount(sign, n) + " " + counted(sign, n, "month", "months") + " until the person wants to buy"
	}
	shown := strconv.FormatInt(n, 10)
	if v.show != nil {
		shown = v.show(n)
	}
	return s.noun(v) + " is " + map[string]string{
		operators.Less: "less than ", operators.LessEquals: "at most ", operators.Greater: "more than ",
		operators.GreaterEquals: "at least ", operators.Equals: "exactly ", operators.NotEquals: "not ",
	}[sign] + shown
}

// amount says a comparison with a count of things.
func amount(sign string, n int64) string {
	number := strconv.FormatInt(n, 10)
	if n == 1 {
		number = "one"
	}
	switch sign {
	case operators.Less:
		if n == 1 {
			return "no"
		}
		return "fewer than " + number
	case operators.LessEquals:
		if n == 0 {
			return "no"
		}
		return "at most " + number
	case operators.Greater:
		if n == 0 {
			return "at least one"
		}
		return "more than " + number
	case operators.Equals:
		if n == 0 {
			return "no"
		}
		return "exactly " + number
	case operators.NotEquals:
		if n == 0 {
			return "some"
		}
		return "any number but " + number + " of"
	}
	return "at least " + number
}

// counted is the word for so many things.
func counted(sign string, n int64, one, many string) string {
	switch {
	case sign == operators.NotEquals, amount(sign, n) == "no":
		return many
	case n == 1, sign == operators.Greater && n == 0:
		return one
	}
	return many
}

// counts reads a count of touches, or a sum of such counts, as what is counted.
func (s speaker) counts(e celast.Expr) (string, bool) {
	var kinds []string
	days := int64(-1)
	for _, part := range flat(e, operators.Add) {
		if part.Kind() != celast.CallKind || part.AsCall().FunctionName() != "count" {
			return "", false
		}
		args := part.AsCall().Args()
		kind, _ := literalOf(args[0]).(string)
		within := int64(0)
		if len(args) == 2 {
			within, _ = literalOf(args[1]).(int64)
		}
		if days >= 0 && within != days {
			return "", false
		}
		days = within
		kinds = append(kinds, "“"+kind+"”")
	}
	said := enumerate(kinds, "or")
	switch days {
	case 0:
	case 1:
		said += " within a day"
	default:
		said += fmt.Sprintf(" within %d days", days)
	}
	return said, true
}

// membership reads "a fact is one of these".
func (s speaker) membership(e celast.Expr) (head string, list []string, ok bool) {
	v, list, ok := s.listed(e)
	if !ok {
		return "", nil, false
	}
	return s.noun(v) + " is", list, true
}

// listed reads a fact and the words among which it has to be.
func (s speaker) listed(e celast.Expr) (*variable, []string, bool) {
	if e.Kind() != celast.CallKind || e.AsCall().FunctionName() != operators.In {
		return nil, nil, false
	}
	args := e.AsCall().Args()
	v := s.variable(args[0])
	if v == nil || args[1].Kind() != celast.ListKind || args[1].AsList().Size() == 0 {
		return nil, nil, false
	}
	var list []string
	for _, item := range args[1].AsList().Elements() {
		switch value := literalOf(item).(type) {
		case string:
			list = append(list, s.word(v, value))
		case int64:
			shown := strconv.FormatInt(value, 10)
			if v.show != nil {
				shown = v.show(value)
			}
			list = append(list, shown)
		default:
			return nil, nil, false
		}
	}
	return v, list, true
}

// thing says an expression that is a value.
func (s speaker) thing(e celast.Expr) string {
	switch e.Kind() {
	case celast.LiteralKind:
		switch value := literalOf(e).(type) {
		case string:
			return "“" + value + "”"
		case bool:
			if value {
				return "yes"
			}
			return "no"
		default:
			return fmt.Sprint(value)
		}
	case celast.ListKind:
		var items []string
		for _, item := range e.AsList().Elements() {
			items = append(items, s.thing(item))
		}
		if len(items) == 0 {
			return "nothing"
		}
		return enumerate(items, "and")
	case celast.SelectKind:
		if v := s.variable(e); v != nil {
			return s.noun(v)
		}
	case celast.CallKind:
		call := e.AsCall()
		args := call.Args()
		if counts, ok := s.counts(e); ok {
			return "the number of touches " + counts
		}
		switch call.FunctionName() {
		case operators.Add:
			return s.operand(args[0]) + " plus " + s.operand(args[1])
		case operators.Subtract:
			return s.operand(args[0]) + " minus " + s.operand(args[1])
		case operators.Multiply:
			return s.operand(args[0]) + " times " + s.operand(args[1])
		case operators.Divide:
			return s.operand(args[0]) + " divided by " + s.operand(args[1])
		case operators.Modulo:
			return "the remainder of " + s.operand(args[0]) + " divided by " + s.operand(args[1])
		case operators.Negate:
			return "minus " + s.operand(args[0])
		case operators.Conditional:
			return fmt.Sprintf("(%s if %s, otherwise %s)", s.thing(args[1]), s.sentence(args[0]), s.thing(args[2]))
		}
		return "(" + s.sentence(e) + ")"
	}
	return "something"
}

// operand says a part of a calculation, in brackets where it is one itself.
func (s speaker) operand(e celast.Expr) string {
	text := s.thing(e)
	if e.Kind() == celast.CallKind && strings.HasPrefix(e.AsCall().FunctionName(), "_") && e.AsCall().FunctionName() != operators.Conditional {
		return "(" + text + ")"
	}
	return text
}

// variable is the fact that an expression reads; nil = none.
func (s speaker) variable(e celast.Expr) *variable {
	if e.Kind() != celast.SelectKind {
		return nil
	}
	path, ok := pathOf(e.AsSelect().Operand())
	if !ok {
		return nil
	}
	g := s.vocabulary.group(path)
	if g == nil {
		return nil
	}
	return g.find(e.AsSelect().FieldName())
}

// noun names a fact.
func (s speaker) noun(v *variable) string {
	switch {
	case strings.HasPrefix(v.name, "call.answers."):
		return "the answer in the call to " + questionOf(v)
	case strings.HasPrefix(v.name, "answers."):
		return "the answer to " + questionOf(v)
	case v.name == "lead.contact_wish":
		return "the wish for contact"
	}
	return "the " + v.words
}

// questionOf is the question of an answer, or its id where it has no words.
func questionOf(v *variable) string {
	if v.question != "" {
		return "“" + v.question + "”"
	}
	return "“" + v.name[strings.LastIndexByte(v.name, '.')+1:] + "”"
}

// word says a text that a fact is compared with.
func (s speaker) word(v *variable, text string) string {
	switch v.name {
	case "lead.country":
		if region, err := language.ParseRegion(text); err == nil {
			return display.English.Regions().Name(region)
		}
	case "lead.language":
		if tag, err := language.Parse(text); err == nil {
			return display.English.Languages().Name(tag)
		}
	case "lead.industry", "lead.role", "lead.product":
		return text
	}
	return "“" + text + "”"
}

func either(list []string) string { return enumerate(list, "or") }

// enumerate joins a list as people say it: a, b or c.
func enumerate(list []string, word string) string {
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " " + word + " " + list[n-1]
	}
}
