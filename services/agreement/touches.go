package agreement

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/leadbaton/baton/services/lead"
)

// touchesName is what conditions call the touches of a lead. They can be counted
// and nothing else:
//
//	touches.count("pricing-page", days:14) >= 2
//	touches.count("webinar") > 0
const touchesName = "touches"

var touchesType = cel.ObjectType("baton.touches")

// countFunction is the function behind touches. The kind is one of the agreed
// touches; without days, all that is known counts.
var countFunction = cel.Function("count",
	cel.MemberOverload("touches_count_kind", []*cel.Type{touchesType, cel.StringType}, cel.IntType, cel.FunctionBinding(countTouches)),
	cel.MemberOverload("touches_count_kind_days", []*cel.Type{touchesType, cel.StringType, cel.IntType}, cel.IntType, cel.FunctionBinding(countTouches)),
)

func countTouches(args ...ref.Val) ref.Val {
	t, ok := args[0].(touchesValue)
	kind, text := args[1].(types.String)
	if !ok || !text {
		return types.NewErr("touches.count takes a kind of touch")
	}
	days := int64(0)
	if len(args) == 3 {
		n, ok := args[2].(types.Int)
		if !ok {
			return types.NewErr("touches.count takes a number of days")
		}
		days = int64(n)
	}
	return types.Int(t.facts.count(string(kind), days))
}

// touchesValue is the touches of a lead as a condition holds them.
type touchesValue struct{ facts *Facts }

func (touchesValue) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("touches cannot become %s", to)
}

func (touchesValue) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("touches can only be counted")
}

func (touchesValue) Equal(ref.Val) ref.Val { return types.NewErr("touches can only be counted") }

func (touchesValue) Type() ref.Type { return touchesType }

func (t touchesValue) Value() any { return t.facts }

// count counts the touches of a kind in the last days before Now; 0 days = ever.
// A day is 24 hours. A touch that lies after Now does not count.
func (f *Facts) count(kind string, days int64) (n int64) {
	for _, t := range f.Touches {
		if t.Kind == kind && f.within(t, days) {
			n++
		}
	}
	return n
}

func (f *Facts) within(t lead.Arrival, days int64) bool {
	return !t.At.After(f.Now) && (days == 0 || t.At.After(f.Now.Add(-time.Duration(days)*24*time.Hour)))
}

// latest is the newest touch of a kind; zero = there is none.
func (f *Facts) latest(kind string) (at time.Time) {
	for _, t := range f.Touches {
		if t.Kind == kind && f.within(t, 0) && t.At.After(at) {
			at = t.At
		}
	}
	return at
}

// maxDays is the longest span that a condition can count back.
const maxDays = 400

// touchCounts are the counts that the conditions of one agreement ask for, each
// once.
type touchCounts struct {
	kinds []string
	made  []*variable
}

func newTouchCounts(terms []Term) *touchCounts {
	t := &touchCounts{}
	for _, term := range terms {
		t.kinds = append(t.kinds, term.Name)
	}
	return t
}

// variable is one count as explanations show it; the same for the same question.
func (t *touchCounts) variable(kind string, days int64) *variable {
	v := &variable{name: fmt.Sprintf("touches.count(%q)", kind), words: fmt.Sprintf("number of touches %q", kind), kind: kindNumber, touch: kind, days: days}
	if days > 0 {
		v.name = fmt.Sprintf("touches.count(%q, days:%d)", kind, days)
		v.words += fmt.Sprintf(" within %d days", days)
	}
	for _, made := range t.made {
		if made.name == v.name {
			return made
		}
	}
	v.read = func(f *Facts) (any, bool) { return f.count(kind, days), true }
	t.made = append(t.made, v)
	return v
}

// unlabel blanks the word "days:" before the last argument of a count. The
// language of conditions knows no names of arguments, but people read them;
// every character stays where it was.
func unlabel(source string) string {
	const label = "days:"
	text := []rune(source)
	quote, before := rune(0), rune(0)
	for i := 0; i < len(text); i++ {
		r := text[i]
		switch {
		case quote != 0:
			if r == '\\' {
				i++
			} else if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case before == ',' && strings.HasPrefix(string(text[i:min(i+len(label), len(text))]), label):
			for j := range label {
				text[i+j] = ' '
			}
		}
		if !strings.ContainsRune(" \t\n", r) {
			before = r
		}
	}
	return string(text)
}

// counted answers the count that a call of touches.count stands for; nil = it is
// none.
func (v *vocabulary) counted(e celast.Expr) *variable {
	if e.Kind() != celast.CallKind {
		return nil
	}
	call := e.AsCall()
	if call.FunctionName() != "count" || !call.IsMemberFunction() || len(call.Args()) == 0 {
		return nil
	}
	kind, ok := literalOf(call.Args()[0]).(string)
	if !ok {
		return nil
	}
	days := int64(0)
	if len(call.Args()) == 2 {
		days, _ = literalOf(call.Args()[1]).(int64)
	}
	return v.touches.variable(kind, days)
}

// touchesMost is how many touches of one kind are supposed at most.
const touchesMost = 200

// recount lets the facts hold so many touches of the kind within the span: they
// were made just now, and others of the kind and span not at all.
func (f *Facts) recount(kind string, days, n int64) bool {
	if n < 0 || n > touchesMost {
		return false
	}
	kept := make([]lead.Arrival, 0, len(f.Touches))
	for _, t := range f.Touches {
		if t.Kind != kind || !f.within(t, days) {
			kept = append(kept, t)
		}
	}
	for range n {
		kept = append(kept, lead.Arrival{Kind: kind, At: f.Now})
	}
	f.Touches = kept
	return true
}

// count looks at a call of touches.count and notes what it reads.
func (w *walker) count(call celast.CallExpr, at int) {
	args := call.Args()
	if !call.IsMemberFunction() || call.Target().Kind() != celast.IdentKind || call.Target().AsIdent() != touchesName || len(args) == 0 || len(args) > 2 {
		w.refuse(at, "count counts touches of a kind: write touches.count(\"pricing-page\", days:14)")
		return
	}
	at = w.offset(call.Target())
	kind, ok := literalOf(args[0]).(string)
	if !ok {
		w.refuse(w.offset(args[0]), "write the kind of touch in quotes, such as touches.count(\"pricing-page\", days:14)")
		return
	}
	if !(&wordList{words: w.vocabulary.touches.kinds}).has(kind) {
		if len(w.vocabulary.touches.kinds) == 0 {
			w.complain(w.offset(args[0]), fmt.Sprintf("%q is no agreed touch: there are none; declare it under `touches`", kind))
			return
		}
		w.complain(w.offset(args[0]), fmt.Sprintf("%q is no agreed touch%s; write one of %s, or declare it under `touches`", kind, suggest(kind, w.vocabulary.touches.kinds), strings.Join(w.vocabulary.touches.kinds, ", ")))
		return
	}
	days := int64(0)
	if len(args) == 2 {
		if days, ok = literalOf(args[1]).(int64); !ok || days < 1 || days > maxDays {
			w.complain(w.offset(args[1]), fmt.Sprintf("days is a whole number from 1 to %d, such as touches.count(%q, days:14)", maxDays, kind))
			return
		}
	}
	w.mentions = append(w.mentions, mention{variable: w.vocabulary.touches.variable(kind, days), offset: at})
}
