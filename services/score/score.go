// Package score is the score that is learned from outcomes, beside the points
// of the agreement and never instead of them.
//
// It promises: a score reads what was known of a lead when it came, and nothing
// that was found out later; it is a table of whole numbers, so that any machine
// comes to the same score and the parts add up to it exactly; a training says
// how good it is on leads that are newer than all it learned from, with the
// interval of that figure; what is no better than chance, or too good to be
// true, says so and cannot be switched on; and nothing uses a score that
// marketing and sales have not both signed. A training may calculate with
// fractions, a score never does.
package score

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

const (
	// Point is one point as models count: in thousandths.
	Point = 1000
	// Double is how many thousandths of a point double the odds.
	Double = 10 * Point
)

// Signed names what the parties sign here, as agreement.SignedAs takes it.
const Signed = "score"

// Model is a table that scores leads. It never changes and may be used by many
// at once. The nil model scores nothing.
type Model struct {
	number int64
	base   int64
	fields []*scorev1.Field
}

// NewModel makes a table usable; nil where the training was refused and there
// is none.
func NewModel(m *scorev1.Model) *Model {
	if m.GetVerdict() == scorev1.Verdict_VERDICT_LEAKAGE || len(m.GetFields()) == 0 {
		return nil
	}
	return &Model{number: m.GetNumber(), base: m.GetBase(), fields: m.GetFields()}
}

// Explain scores a lead: what each field adds, and all together. It depends on
// the model and the features alone. nil where there is no model.
func (m *Model) Explain(f *leadv1.Features) *leadv1.Score {
	if m == nil {
		return nil
	}
	out := &leadv1.Score{Model: m.number, Base: m.base, Total: m.base, Parts: make([]*leadv1.ScorePart, 0, len(m.fields))}
	for _, field := range m.fields {
		v := valueOf(f, field.GetName())
		part := &leadv1.ScorePart{Field: field.GetName(), Text: field.GetText(), Value: v.words()}
		if level := levelOf(field, v); level != nil {
			part.Points = level.GetPoints()
		}
		out.Total += part.Points
		out.Parts = append(out.Parts, part)
	}
	out.PerMille = Likelihood(out.Total)
	return out
}

// total is the sum that Explain comes to.
func (m *Model) total(f *leadv1.Features) int64 {
	sum := m.base
	for _, field := range m.fields {
		sum += levelOf(field, valueOf(f, field.GetName())).GetPoints()
	}
	return sum
}

// levelOf finds the level that a value has in a field; nil where the model has
// never met the like of it, which then adds nothing.
func levelOf(field *scorev1.Field, v value) *scorev1.Level {
	var other *scorev1.Level
	for _, l := range field.GetLevels() {
		switch {
		case l.GetUnknown():
			if !v.known {
				return l
			}
		case l.GetOther():
			other = l
		case l.GetValue() != "":
			if v.known && !v.isNumber && l.GetValue() == v.text {
				return l
			}
		case v.known && v.isNumber && inside(l, v.number):
			return l
		}
	}
	if v.known && !v.isNumber {
		return other
	}
	return nil
}

// inside says whether a number lies in a range.
func inside(l *scorev1.Level, n int64) bool {
	return (l.From == nil || n >= l.GetFrom()) && (l.Below == nil || n < l.GetBelow())
}

// Text is a model as the parties sign it: every figure that it is made of and
// that was said of it, one a line, as whole numbers and quoted words.
func Text(m *scorev1.Model) []byte {
	var b []byte
	line := func(what string, words []string, numbers ...int64) {
		b = append(b, what...)
		for _, w := range words {
			b = strconv.AppendQuoteToASCII(append(b, ' '), w)
		}
		for _, n := range numbers {
			b = strconv.AppendInt(append(b, ' '), n, 10)
		}
		b = append(b, '\n')
	}
	yes := func(is bool) int64 {
		if is {
			return 1
		}
		return 0
	}
	line("baton score model 1", nil)
	line("number", nil, m.GetNumber())
	line("label", nil, int64(m.GetLabel()))
	line("verdict", []string{m.GetSummary()}, int64(m.GetVerdict()))
	line("basis", []string{strconv.FormatUint(m.GetBasis(), 10)})
	for _, s := range m.GetSlices() {
		line("slice", []string{s.GetName()}, s.GetFrom().AsTime().UnixNano(), s.GetUntil().AsTime().UnixNano(), s.GetLeads(), s.GetPositives())
	}
	line("auc", nil, yes(m.GetAuc() != nil), m.GetAuc().GetValue(), m.GetAuc().GetLow(), m.GetAuc().GetHigh())
	line("brier", nil, m.GetBrier(), m.GetBrierBlind())
	for _, r := range m.GetReliability() {
		line("bin", nil, int64(r.GetFrom()), int64(r.GetTo()), r.GetLeads(), int64(r.GetForeseen()), int64(r.GetObserved()))
	}
	for _, l := range m.GetLeftOut() {
		line("left out", []string{l.GetField(), l.GetText(), l.GetWhy()}, yes(l.GetAsked()))
	}
	for _, s := range m.GetSuspects() {
		line("suspect", []string{s.GetField(), s.GetText()}, s.GetAuc())
	}
	line("base", nil, m.GetBase())
	for _, f := range m.GetFields() {
		line("field", []string{f.GetName(), f.GetText()})
		for _, l := range f.GetLevels() {
			line("level", []string{l.GetValue()}, yes(l.From != nil), l.GetFrom(), yes(l.Below != nil), l.GetBelow(), yes(l.GetUnknown()), yes(l.GetOther()), l.GetPoints(), l.GetLow(), l.GetHigh(), l.GetLeads())
		}
	}
	for _, d := range m.GetBands() {
		line("band", nil, d.GetBelow(), d.GetLeads())
	}
	return b
}

// Digest is the SHA-256 of a model's text.
func Digest(m *scorev1.Model) [sha256.Size]byte { return sha256.Sum256(Text(m)) }

// LevelWords says what a level stands for.
func LevelWords(l *scorev1.Level) string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch {
	case l.GetUnknown():
		return "unknown"
	case l.GetOther():
		return "anything else"
	case l.GetValue() != "":
		return l.GetValue()
	case l.From == nil && l.Below == nil:
		return "any number"
	case l.From == nil:
		return "below " + number(l.GetBelow())
	case l.Below == nil:
		return "from " + number(l.GetFrom())
	case l.GetFrom() == l.GetBelow()-1:
		return number(l.GetFrom())
	}
	return number(l.GetFrom()) + " to " + number(l.GetBelow()-1)
}

// Weightiest are the parts of a score, those that move it most first.
func Weightiest(s *leadv1.Score) []*leadv1.ScorePart {
	parts := slices.Clone(s.GetParts())
	weight := func(p *leadv1.ScorePart) int64 { return max(p.GetPoints(), -p.GetPoints()) }
	slices.SortStableFunc(parts, func(a, b *leadv1.ScorePart) int { return cmp.Compare(weight(b), weight(a)) })
	return parts
}
