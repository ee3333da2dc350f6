package agreement

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"golang.org/x/text/language"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// Facts are what a condition may read: the recorded features of a lead and, if
// there was one, the call.
type Facts struct {
	// Features are the recorded features; nil = nothing known.
	Features *leadv1.Features
	// Call is the recorded call; nil = none.
	Call *leadv1.CallRecorded
	// Touches are those that count, in any order.
	Touches []lead.Arrival
	// Now is the recorded time of the decision: touches are counted back from it,
	// and exceptions end by it.
	Now time.Time
}

// FactsOf are the facts of a lead at an instant, without its calls.
func FactsOf(s *lead.State, now time.Time) Facts {
	return Facts{Features: s.Features, Touches: s.Journey, Now: now}
}

// errNotStated is what reading an unknown fact gives. A comparison with it has
// no result, and a condition without a result is not met.
var errNotStated = errors.New("not stated")

// variable is one name that a condition may use.
type variable struct {
	// name as conditions write it, such as lead.employees.
	name string
	// words say what it is, for "what was missing".
	words string
	kind  string
	// read answers the fact; ok is false where it is unknown.
	read func(*Facts) (v any, ok bool)
	// show writes a known value in words.
	show func(any) string
	// literal judges a text that a condition compares it with; the answer is a
	// problem, or empty. nil = any text.
	literal func(string) string
	// touch is the kind of touch that it counts, in the last days; empty = it counts
	// none, and 0 days = ever.
	touch string
	days  int64
}

// value writes the variable's fact in words.
func (v *variable) value(f *Facts) string {
	fact, ok := v.read(f)
	if !ok {
		return "unknown"
	}
	if v.show != nil {
		return v.show(fact)
	}
	switch fact := fact.(type) {
	case string:
		return fact
	case int64:
		return strconv.FormatInt(fact, 10)
	case bool:
		if fact {
			return "yes"
		}
		return "no"
	}
	return "unknown"
}

// group is one object of the vocabulary: lead, answers, call, call.answers.
type group struct {
	name      string
	variables []*variable
	fields    map[string]*types.FieldType
	// inner is a group within this one.
	inner *group
}

func (g *group) typeName() string { return "baton." + strings.ReplaceAll(g.name, ".", "_") }

func (g *group) find(name string) *variable {
	for _, v := range g.variables {
		if v.name == g.name+"."+name {
			return v
		}
	}
	return nil
}

// names lists what the group holds, in order, with its prefix.
func (g *group) names() []string {
	var out []string
	for _, v := range g.variables {
		out = append(out, v.name)
	}
	if g.inner != nil {
		out = append(out, g.inner.names()...)
	}
	return out
}

// vocabulary is every name that the conditions of one agreement may use, with
// its type.
type vocabulary struct {
	env    *cel.Env
	groups []*group
	byType map[string]*group
	// touches are the counts that conditions asked for so far.
	touches *touchCounts
}

func (v *vocabulary) group(name string) *group {
	for _, g := range v.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// names lists the whole vocabulary.
func (v *vocabulary) names() []string {
	var out []string
	for _, g := range v.groups {
		if !strings.Contains(g.name, ".") {
			out = append(out, g.names()...)
		}
	}
	return out
}

const (
	// maxCondition is the longest condition, in characters.
	maxCondition = 4000
	// costLimit bounds the steps of one evaluation. Conditions are shown to stay
	// below it before they are signed; the limit at run time holds even so.
	costLimit = 10_000
	// longestText is the longest text that a feature holds, in characters.
	longestText = 64
)

// baseEnv holds what all agreements share; making it costs most of an
// environment's price.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.ParserRecursionLimit(50),
		// Keeps the name of a loop, to say which one is refused.
		cel.EnableMacroCallTracking(),
	)
})

func newVocabulary(a *Agreement) (*vocabulary, error) {
	v := &vocabulary{byType: make(map[string]*group)}
	callAnswers := &group{name: "call.answers"}
	for i := range a.questionnaires {
		for j := range a.questionnaires[i].Questions {
			q := &a.questionnaires[i].Questions[j]
			if callAnswers.find(q.ID) != nil {
				// The same question in the calls of another stage.
				continue
			}
			callAnswers.variables = append(callAnswers.variables, q.variable("call.answers.", "of the call", func(f *Facts) *leadv1.Value {
				return f.Call.GetAnswers()[q.ID]
			}))
		}
	}
	answers := &group{name: "answers"}
	for i := range a.answers {
		q := &a.answers[i]
		answers.variables = append(answers.variables, q.variable("answers.", "of the form", func(f *Facts) *leadv1.Value {
			return f.Features.GetAnswers()[q.ID]
		}))
	}
	v.touches = newTouchCounts(a.touches)
	v.groups = []*group{leadGroup(a), answers, {name: "call", variables: callVariables(), inner: callAnswers}, callAnswers, {name: touchesName}}
	for _, g := range v.groups {
		g.index()
		v.byType[g.typeName()] = g
	}
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	v.env, err = base.Extend(
		cel.CustomTypeProvider(&provider{Registry: registry, vocabulary: v}),
		cel.CustomTypeAdapter(registry),
		cel.Variable("lead", cel.ObjectType("baton.lead")),
		cel.Variable("answers", cel.ObjectType("baton.answers")),
		cel.Variable("call", cel.ObjectType("baton.call")),
		cel.Variable(touchesName, touchesType),
		countFunction,
	)
	return v, err
}

// index makes the field types by which the checker and the interpreter read.
func (g *group) index() {
	g.fields = make(map[string]*types.FieldType, len(g.variables)+1)
	for _, v := range g.variables {
		kind := types.StringType
		switch v.kind {
		case kindNumber:
			kind = types.IntType
		case kindFlag:
			kind = types.BoolType
		}
		g.fields[strings.TrimPrefix(v.name, g.name+".")] = &types.FieldType{
			Type: kind,
			IsSet: func(target any) bool {
				f, ok := target.(*Facts)
				if ok {
					_, ok = v.read(f)
				}
				return ok
			},
			GetFrom: func(target any) (any, error) {
				if f, ok := target.(*Facts); ok {
					if fact, ok := v.read(f); ok {
						return fact, nil
					}
				}
				return nil, errNotStated
			},
		}
	}
	if g.inner != nil {
		g.fields[strings.TrimPrefix(g.inner.name, g.name+".")] = &types.FieldType{
			Type:    types.NewObjectType(g.inner.typeName()),
			IsSet:   func(any) bool { return true },
			GetFrom: func(target any) (any, error) { return target, nil },
		}
	}
}

// provider tells CEL the fields of the vocabulary's groups. It holds nothing
// that a condition could build: there are no messages.
type provider struct {
	*types.Registry
	vocabulary *vocabulary
}

func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.vocabulary.byType[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return nil, false
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	g, ok := p.vocabulary.byType[name]
	if !ok {
		return nil, false
	}
	names := make([]string, 0, len(g.fields))
	// any order: sorted below
	for field := range g.fields {
		names = append(names, field)
	}
	sort.Strings(names)
	return names, true
}

func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	g, ok := p.vocabulary.byType[name]
	if !ok {
		return nil, false
	}
	f, ok := g.fields[field]
	return f, ok
}

func (p *provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("%s cannot be built", name)
}

// activation hands the facts to CEL: each group reads from the same facts.
type activation struct{ facts *Facts }

func (a activation) ResolveName(name string) (any, bool) {
	switch name {
	case "lead", "answers", "call":
		return a.facts, true
	case touchesName:
		return touchesValue(a), true
	}
	return nil, false
}

func (a activation) Parent() cel.Activation { return nil }

// leadGroup is what a condition may ask about the lead itself.
func leadGroup(a *Agreement) *group {
	text := func(name, words string, get func(*leadv1.Features) string, literal func(string) string) *variable {
		return &variable{name: "lead." + name, words: words, kind: kindText, literal: literal, read: func(f *Facts) (any, bool) {
			s := get(f.Features)
			return s, s != ""
		}}
	}
	flag := func(name, words string, get func(*leadv1.Features) bool) *variable {
		return &variable{name: "lead." + name, words: words, kind: kindFlag, read: func(f *Facts) (any, bool) { return get(f.Features), true }}
	}
	utm := func(name string, get func(*leadv1.Attribution) string) *variable {
		return text(name, "campaign "+name+" (utm_"+name+")", func(f *leadv1.Features) string { return get(f.GetAttribution()) }, nil)
	}
	return &group{name: "lead", variables: []*variable{
		text("country", "country", (*leadv1.Features).GetCountry, countryCode),
		{name: "lead.employees", words: "number of employees", kind: kindNumber, read: func(f *Facts) (any, bool) {
			n := f.Features.GetEmployees()
			return n, n > 0
		}},
		text("industry", "industry", (*leadv1.Features).GetIndustry, oneOfList("the agreed industries", "words.industries", a.industries.words)),
		text("role", "role of the person", (*leadv1.Features).GetRole, oneOfList("the agreed roles", "words.roles", a.roles.words)),
		text("product", "product asked about", (*leadv1.Features).GetProduct, oneOfList("the agreed products", "words.products", a.products.words)),
		text("language", "language", (*leadv1.Features).GetLanguage, languageCode),
		{
			name: "lead.contact_wish", words: "wish for contact", kind: kindText,
			literal: contactWish,
			read: func(f *Facts) (any, bool) {
				switch f.Features.GetContactWish() {
				case leadv1.ContactWish_CONTACT_WISH_CONTACT:
					return "contact", true
				case leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
					return "content-only", true
				default:
					return wishUnknown, true
				}
			},
		},
		flag("has_email", "e-mail address", (*leadv1.Features).GetHasEmail),
		flag("has_phone", "telephone number", (*leadv1.Features).GetHasPhone),
		flag("has_company", "company", (*leadv1.Features).GetHasCompany),
		flag("free_email", "kind of e-mail address", (*leadv1.Features).GetFreeEmail),
		utm("source", (*leadv1.Attribution).GetSource),
		utm("medium", (*leadv1.Attribution).GetMedium),
		utm("campaign", (*leadv1.Attribution).GetCampaign),
	}}
}

// callVariables are what a condition may ask about the recorded call.
func callVariables() []*variable {
	return []*variable{
		{name: "call.reached", words: "recorded call", kind: kindFlag, read: func(f *Facts) (any, bool) {
			return f.Call.GetReached(), f.Call != nil
		}},
		{name: "call.fit_confirmed", words: "fit confirmed in a call", kind: kindFlag, read: func(f *Facts) (any, bool) {
			return f.Call.GetFitConfirmed(), f.Call != nil
		}},
		{name: "call.horizon_months", words: "months until the person wants to buy", kind: kindNumber, read: func(f *Facts) (any, bool) {
			return f.Call.GetHorizonMonths(), f.Call != nil && f.Call.HorizonMonths != nil
		}},
	}
}

// variable is a declared answer as conditions see it. An answer of another type
// than declared is unknown.
func (q *Question) variable(prefix, from string, get func(*Facts) *leadv1.Value) *variable {
	v := &variable{name: prefix + q.ID, words: fmt.Sprintf("answer %q %s", q.ID, from), kind: q.Type}
	switch q.Type {
	case kindText:
		v.literal = oneOfList("the agreed answers", "its values", q.Values)
		v.read = func(f *Facts) (any, bool) {
			text, ok := get(f).GetKind().(*leadv1.Value_Text)
			if !ok || text.Text == "" {
				return "", false
			}
			return text.Text, true
		}
	case kindNumber:
		v.show = func(fact any) string {
			n, _ := fact.(int64)
			return q.show(n)
		}
		v.read = func(f *Facts) (any, bool) {
			number, ok := get(f).GetKind().(*leadv1.Value_Number)
			if !ok {
				return int64(0), false
			}
			return number.Number, true
		}
	default:
		v.read = func(f *Facts) (any, bool) {
			flag, ok := get(f).GetKind().(*leadv1.Value_Flag)
			if !ok {
				return false, false
			}
			return flag.Flag, true
		}
	}
	return v
}

// oneOfList judges a literal by an agreed list.
func oneOfList(list, place string, words []string) func(string) string {
	return func(text string) string {
		if (&wordList{words: words}).has(text) {
			return ""
		}
		if len(words) == 0 {
			return fmt.Sprintf("%q is not among %s: there are none; add it to %s", text, list, place)
		}
		return fmt.Sprintf("%q is not among %s%s; write one of %s, or add it there", text, list, suggest(text, words), place)
	}
}

// wishUnknown is the wish for contact of which nothing is known.
const wishUnknown = "unknown"

// contactWish judges a literal that is compared with the wish for contact.
func contactWish(text string) string {
	words := []string{"contact", "content-only", wishUnknown}
	if (&wordList{words: words}).has(text) {
		return ""
	}
	return fmt.Sprintf("%q is not a wish for contact%s; write %s", text, suggest(text, words), oneOf(words))
}

// countryCode judges a literal that is compared with a country.
func countryCode(text string) string {
	region, err := language.ParseRegion(text)
	switch {
	case err == nil && region.IsCountry() && region.Canonicalize().String() == text:
		return ""
	case err == nil && region.IsCountry() && region.Canonicalize().IsCountry():
		return fmt.Sprintf("%q is not a country code; write %q", text, region.Canonicalize().String())
	}
	return fmt.Sprintf("%q is not a country code; write two capital letters of ISO 3166-1, such as \"DE\"", text)
}

// languageCode judges a literal that is compared with a language.
func languageCode(text string) string {
	if base, err := language.ParseBase(text); err == nil && base.String() == text {
		return ""
	}
	return fmt.Sprintf("%q is not a language code; write the primary tag in lower case, such as \"de\"", text)
}
