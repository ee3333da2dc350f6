package agreement

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// wordList is an agreed enumeration. Each word may have synonyms, by which free
// text of a form is understood.
type wordList struct {
	words   []string
	phrases []phrase
}

// phrase is one spelling of a word, folded, with a space on either side so that
// a search finds whole words only.
type phrase struct {
	folded string
	// written is the spelling as the document has it.
	written string
	word    string
}

func (l *wordList) has(word string) bool {
	for _, w := range l.words {
		if w == word {
			return true
		}
	}
	return false
}

// match finds the word that free text means: the text is a spelling of it, or
// holds one. The longest spelling wins, so that "assistant to the CEO" is an
// assistant and no CEO; among equals the earlier in the agreement wins.
func (l *wordList) match(text string) (string, bool) {
	folded := fold(text)
	if len(folded) <= 2 {
		return "", false
	}
	best, length := "", 0
	for _, p := range l.phrases {
		if len(p.folded) > length && strings.Contains(folded, p.folded) {
			best, length = p.word, len(p.folded)
		}
	}
	return best, best != ""
}

// exact finds the word that text is a spelling of, and nothing else.
func (l *wordList) exact(text string) (string, bool) {
	folded := fold(text)
	for _, p := range l.phrases {
		if p.folded == folded {
			return p.word, true
		}
	}
	return "", false
}

// fold brings spellings together: compatibility forms, lower case, no accents,
// and one space for whatever is neither letter nor digit.
func fold(text string) string {
	var b strings.Builder
	b.WriteByte(' ')
	gap := true
	for _, r := range norm.NFKD.String(strings.ToLower(text)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
			gap = false
		case !gap:
			b.WriteByte(' ')
			gap = true
		}
	}
	if !gap {
		b.WriteByte(' ')
	}
	return b.String()
}

// Names of the word lists, as Word takes them.
const (
	Industries = "industries"
	Roles      = "roles"
	Products   = "products"
)

// Word maps free text of a form to a word of an agreed list ("industries",
// "roles" or "products"). Text that means none of the words is unknown.
func (a *Agreement) Word(list, text string) (string, bool) {
	var words *wordList
	switch list {
	case Industries:
		words = &a.industries
	case Roles:
		words = &a.roles
	case Products:
		words = &a.products
	default:
		return "", false
	}
	return words.match(text)
}

// Kinds of an answer.
const (
	kindText   = "text"
	kindNumber = "number"
	kindFlag   = "flag"
)

// Question is a question that has a typed answer: one that forms send or one
// that is asked in a call.
type Question struct {
	// ID names the answer in conditions.
	ID string
	// Text is the question in words.
	Text string
	// Type is "text", "number" or "flag".
	Type string
	// Values are the agreed answers of a text question.
	Values []string
	// Unit is what a number counts, such as EUR.
	Unit string
	// Scale is how many decimal places a number has: with 2, 12.50 is kept as
	// the whole number 1250.
	Scale int64
	// Decides says what a question of a call settles: "fit", "horizon", or empty.
	Decides string

	values wordList
}

// Answers lists the answers of forms that are declared as features, in the order
// of the document.
func (a *Agreement) Answers() []Question { return slices.Clone(a.answers) }

// Answer turns an answer of a form into a declared feature. ok is false where
// the agreement declares no answer under that key, and where the value is none
// that it allows: such an answer stays among the sealed personal data.
func (a *Agreement) Answer(key, value string) (id string, v *leadv1.Value, ok bool) {
	i, ok := a.answerKeys[fold(key)]
	if !ok {
		return "", nil, false
	}
	q := &a.answers[i]
	v, ok = q.read(value)
	if !ok {
		return "", nil, false
	}
	return q.ID, v, true
}

// read turns text into the question's value.
func (q *Question) read(text string) (*leadv1.Value, bool) {
	switch q.Type {
	case kindText:
		word, ok := q.values.exact(text)
		return &leadv1.Value{Kind: &leadv1.Value_Text{Text: word}}, ok
	case kindNumber:
		n, ok := parseNumber(text, q.Unit, int(q.Scale))
		return &leadv1.Value{Kind: &leadv1.Value_Number{Number: n}}, ok
	case kindFlag:
		flag, ok := parseFlag(text)
		return &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: flag}}, ok
	}
	return nil, false
}

// Accepts says what is wrong with a typed answer to the question; nil = nothing.
func (q *Question) Accepts(v *leadv1.Value) error {
	switch kind := v.GetKind().(type) {
	case *leadv1.Value_Text:
		if q.Type == kindText && q.values.has(kind.Text) {
			return nil
		}
	case *leadv1.Value_Number:
		if q.Type == kindNumber {
			return nil
		}
	case *leadv1.Value_Flag:
		if q.Type == kindFlag {
			return nil
		}
	}
	switch q.Type {
	case kindText:
		return fmt.Errorf("one of %s is expected as text", strings.Join(q.Values, ", "))
	case kindFlag:
		return errors.New("a flag is expected: yes or no")
	}
	unit := q.Unit
	if unit == "" {
		unit = "its unit"
	}
	return fmt.Errorf("a whole number is expected, in %s with %d decimal places", unit, q.Scale)
}

// parseFlag reads what forms send for a yes or a no.
func parseFlag(text string) (flag, ok bool) {
	switch strings.TrimSpace(fold(text)) {
	case "1", "true", "yes", "y", "on", "checked", "x", "ja", "oui", "si":
		return true, true
	case "0", "false", "no", "n", "off", "unchecked", "nein", "non":
		return false, true
	}
	return false, false
}

// parseNumber reads a number as people write it (12500, 12,500.00, 12.500,00,
// "12 500 EUR") into a whole number with scale decimal places. What could mean
// two numbers is refused rather than guessed.
func parseNumber(text, unit string, scale int) (int64, bool) {
	text = strings.TrimSpace(text)
	if unit != "" {
		text = trimFold(text, unit)
	}
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	text = strings.Map(func(r rune) rune {
		if r == '\'' || r == '’' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	if text == "" || strings.Trim(text, "0123456789.,") != "" || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.,", r) }) {
		return 0, false
	}
	whole, fraction := text, ""
	if mark := strings.LastIndexAny(text, ".,"); mark >= 0 {
		before, after := text[:mark], text[mark+1:]
		sign := text[mark : mark+1]
		other := strings.Trim(".,", sign)
		switch {
		case strings.Contains(before, other) && !strings.Contains(before, sign):
			// Both signs: the last is the decimal mark.
			whole, fraction = before, after
		case strings.Contains(before, sign) && !strings.Contains(before, other):
			// One sign several times: thousands.
		case strings.Contains(before, sign):
			return 0, false
		case len(after) == 3 && scale < 3 && before != "" && before != "0":
			// One sign before three digits: thousands, as there can be no three
			// decimal places.
		case len(after) == 3 && scale >= 3:
			return 0, false
		default:
			whole, fraction = before, after
		}
	}
	if !grouped(whole) {
		return 0, false
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > scale || strings.ContainsAny(fraction, ".,") {
		return 0, false
	}
	digits := strings.NewReplacer(".", "", ",", "").Replace(whole) + fraction + strings.Repeat("0", scale-len(fraction))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n == math.MaxInt64 {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// grouped says whether thousands marks stand where they belong.
func grouped(whole string) bool {
	parts := strings.FieldsFunc(whole, func(r rune) bool { return r == '.' || r == ',' })
	if !strings.ContainsAny(whole, ".,") {
		return whole != ""
	}
	if len(parts) != strings.Count(whole, ".")+strings.Count(whole, ",")+1 || len(parts[0]) > 3 {
		return false
	}
	for _, part := range parts[1:] {
		if len(part) != 3 {
			return false
		}
	}
	return true
}

// trimFold takes a unit away from either end, whatever its case.
func trimFold(text, unit string) string {
	if len(text) >= len(unit) && strings.EqualFold(text[len(text)-len(unit):], unit) {
		return strings.TrimSpace(text[:len(text)-len(unit)])
	}
	if len(text) >= len(unit) && strings.EqualFold(text[:len(unit)], unit) {
		return strings.TrimSpace(text[len(unit):])
	}
	return text
}

// show writes a value in words, with its decimal places and unit.
func (q *Question) show(n int64) string {
	text := formatScaled(n, int(q.Scale))
	if q.Unit != "" {
		text += " " + q.Unit
	}
	return text
}

// unit says what conditions compare the number in.
func (q *Question) unit() string {
	if q.Type != kindNumber || q.Scale == 0 {
		return q.Unit
	}
	const example = 1250
	return strconv.Itoa(example) + " means " + q.show(example)
}

func formatScaled(n int64, scale int) string {
	text := strconv.FormatInt(n, 10)
	if scale == 0 {
		return text
	}
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale-len(text)+1) + text
	}
	return sign + text[:len(text)-scale] + "." + text[len(text)-scale:]
}
