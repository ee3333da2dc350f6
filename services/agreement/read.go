package agreement

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// reader turns nodes into values and says what is wrong with them. It goes on
// after each problem, so that one run finds all that can be found.
type reader struct {
	findings
}

// entry is one line of a mapping.
type entry struct {
	name string
	value
}

// field is one key that a mapping may hold, and what reads its value.
type field struct {
	name string
	// missing is the advice for a key that must be there; empty = optional.
	missing string
	// about says in plain words what it is, for who writes a document.
	about string
	read  func(value)
}

// must is a field that has to be there.
func must(name, missing, about string, read func(value)) field {
	return field{name: name, missing: missing, about: about, read: read}
}

// may is a field that can be left out.
func may(name, about string, read func(value)) field {
	return field{name: name, about: about, read: read}
}

// entries answers a mapping's lines in the order of the document. A key that
// comes twice is a problem; its first value counts.
func (r *reader) entries(v value) ([]entry, bool) {
	if v.shape != nil {
		return []entry{{name: anyName, value: v.shape.named()}}, true
	}
	if v.empty() {
		r.add(v.key, "nothing is written here; a mapping is expected: indented lines of `name: value`")
		return nil, false
	}
	mapping, ok := v.node.(*ast.MappingNode)
	if !ok {
		r.add(v.place, "%s is written here; a mapping is expected: indented lines of `name: value`", v.kind())
		return nil, false
	}
	seen := make(map[string]int, len(mapping.Values))
	out := make([]entry, 0, len(mapping.Values))
	for _, line := range mapping.Values {
		key := valueAt(line.Key, v.place)
		key.path = v.path
		name, ok := key.scalar()
		if !ok || name == "" {
			r.add(key.place, "this key is not a name; write `name: value`")
			continue
		}
		key.path = join(v.path, name)
		if first, twice := seen[name]; twice {
			r.add(key.place, "%q is written twice, first in line %d; keep one of them", name, first)
			continue
		}
		seen[name] = key.line
		item := valueAt(line.Value, key.place)
		item.path, item.key = key.path, key.place
		out = append(out, entry{name: name, value: item})
	}
	return out, true
}

// fields reads a mapping of known keys: unknown keys and missing ones are
// problems.
func (r *reader) fields(v value, what string, known ...field) bool {
	if v.shape != nil {
		v.shape.what = what
		for _, f := range known {
			f.read(v.shape.key(f))
		}
		return false
	}
	list, ok := r.entries(v)
	if !ok {
		return false
	}
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	given := make(map[string]bool, len(list))
	for _, e := range list {
		f, ok := find(known, func(f field) bool { return f.name == e.name })
		if !ok {
			r.add(e.key, "%s has no %q%s; it may hold %s", what, e.name, suggest(e.name, names), strings.Join(names, ", "))
			continue
		}
		given[e.name] = true
		f.read(e.value)
	}
	for _, f := range known {
		if f.missing != "" && !given[f.name] {
			r.add(v.key, "%s has no %s; add `%s:` %s", what, f.name, f.name, f.missing)
		}
	}
	return true
}

func find[T any](list []T, match func(T) bool) (T, bool) {
	for _, one := range list {
		if match(one) {
			return one, true
		}
	}
	var none T
	return none, false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// items answers the elements of a list.
func (r *reader) items(v value) ([]value, bool) {
	if v.shape != nil {
		return []value{v.shape.listed()}, true
	}
	sequence, ok := v.node.(*ast.SequenceNode)
	if !ok {
		r.add(v.atLeastKey(), "%s is written here; a list is expected: lines that begin with `- `", v.kind())
		return nil, false
	}
	out := make([]value, 0, len(sequence.Values))
	for i, n := range sequence.Values {
		item := valueAt(n, v.place)
		item.path = v.path + "[" + strconv.Itoa(i) + "]"
		item.key = item.place
		out = append(out, item)
	}
	return out, true
}

// some complains where a list or a mapping that was read has nothing in it.
func (r *reader) some(v value, read bool, n int, none string) {
	if v.shape != nil {
		v.shape.least = 1
	} else if read && n == 0 {
		r.add(v.key, "%s", none)
	}
}

// either reads what stands here in one of two ways.
func (r *reader) either(v value, isFirst bool, first, second func(value)) {
	switch {
	case v.shape != nil:
		first(v.shape.way())
		second(v.shape.way())
	case isFirst:
		first(v)
	default:
		second(v)
	}
}

// written says whether something stands here; nothing is no problem.
func (r *reader) written(v value) bool {
	if v.shape != nil {
		v.shape.nothing = true
		return true
	}
	return !v.empty()
}

// atLeastKey is the value's place, or its key's where nothing was written.
func (v value) atLeastKey() place {
	if v.empty() {
		return v.key
	}
	return v.place
}

// text reads text that people read.
func (r *reader) text(v value) string {
	if v.shape != nil {
		v.shape.is(kindOfText)
		v.shape.most = maxText
		return ""
	}
	text, ok := v.scalar()
	text = strings.TrimSpace(text)
	switch {
	case !ok:
		r.add(v.atLeastKey(), "%s is written here; text is expected", v.kind())
		return ""
	case text == "":
		r.add(v.place, "the text is empty; write it or remove the key")
	case utf8.RuneCountInString(text) > maxText:
		r.add(v.place, "the text is longer than %d characters", maxText)
	}
	return text
}

// textInto is a field reader that keeps the text.
func (r *reader) textInto(to *string) func(value) {
	return func(v value) { *to = r.text(v) }
}

// maxText is the longest text, in characters.
const maxText = 10_000

// maxToken is the longest id, handle or word, in characters.
const maxToken = 64

const (
	idChars     = "abcdefghijklmnopqrstuvwxyz0123456789-"
	handleChars = idChars + "._"
	nameChars   = "abcdefghijklmnopqrstuvwxyz0123456789_"
)

// token reads a word of limited characters.
func (r *reader) token(v value, what, chars, described string) string {
	if v.shape != nil {
		v.shape.token(chars, described)
		return ""
	}
	text, ok := v.scalar()
	if !ok || text == "" {
		r.add(v.atLeastKey(), "%s is written here; %s is expected: %s", v.kind(), what, described)
		return ""
	}
	if strings.Trim(text, chars) != "" || strings.ContainsFunc(text, func(c rune) bool { return !strings.ContainsRune(chars, c) }) || len(text) > maxToken {
		r.add(v.place, "%q is not %s: %s, at most %d", text, what, described, maxToken)
		return ""
	}
	return text
}

const idWords = "lower-case letters, digits and hyphens"

func (r *reader) id(v value) string { return r.token(v, "an id", idChars, idWords) }

func (r *reader) handle(v value) string {
	return r.token(v, "a handle", handleChars, "lower-case letters, digits, dot, hyphen and underscore")
}

func (r *reader) handleInto(to *string) func(value) {
	return func(v value) { *to = r.handle(v) }
}

// integer reads a whole number within bounds.
func (r *reader) integer(v value, least, most int64) (int64, bool) {
	if v.shape != nil {
		v.shape.is(kindOfInteger)
		v.shape.least, v.shape.most = least, most
		return 0, false
	}
	text, _ := v.scalar()
	_, quoted := v.node.(*ast.StringNode)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || quoted || (len(strings.TrimLeft(text, "+-")) > 1 && strings.HasPrefix(strings.TrimLeft(text, "+-"), "0")) {
		r.add(v.atLeastKey(), "%s is written here; a whole number is expected", v.kind())
		return 0, false
	}
	if n < least || n > most {
		r.add(v.place, "%d is out of bounds; write a number from %d to %d", n, least, most)
		return 0, false
	}
	return n, true
}

func (r *reader) integerInto(to *int64, least, most int64) func(value) {
	return func(v value) { *to, _ = r.integer(v, least, most) }
}

// flag reads true or false.
func (r *reader) flag(v value) bool {
	if v.shape != nil {
		v.shape.is(kindOfFlag)
		return false
	}
	n, ok := v.node.(*ast.BoolNode)
	if !ok {
		r.add(v.atLeastKey(), "%s is written here; true or false is expected", v.kind())
		return false
	}
	return n.Value
}

// choice reads one of a few words.
func (r *reader) choice(v value, words ...string) string {
	if v.shape != nil {
		v.shape.is(kindOfChoice)
		v.shape.words = words
		return ""
	}
	text, ok := v.scalar()
	if !ok {
		r.add(v.atLeastKey(), "%s is written here; write %s", v.kind(), oneOf(words))
		return ""
	}
	for _, word := range words {
		if text == word {
			return word
		}
	}
	r.add(v.place, "%q is not known here%s; write %s", text, suggest(text, words), oneOf(words))
	return ""
}

// maxDuration is the longest time that an agreement can state.
const maxDuration = 400 * 24 * time.Hour

// duration reads a time such as 30m, 2h, 3d or 1h30m.
func (r *reader) duration(v value) time.Duration {
	if v.shape != nil {
		v.shape.is(kindOfDuration)
		return 0
	}
	text, ok := v.scalar()
	if !ok {
		r.add(v.atLeastKey(), "%s is written here; a duration is expected, such as 30m, 2h or 3d", v.kind())
		return 0
	}
	d, ok := parseDuration(text)
	if !ok {
		r.add(v.place, "%q is not a duration; write a whole number with m, h or d, such as 30m, 2h or 3d", text)
		return 0
	}
	if d <= 0 || d > maxDuration {
		r.add(v.place, "%q is out of bounds; write a duration above zero and up to 400d", text)
		return 0
	}
	return d
}

func (r *reader) durationInto(to *time.Duration) func(value) {
	return func(v value) { *to = r.duration(v) }
}

// parseDuration reads numbers with units, largest unit first, each at most once.
// A day is 24 hours.
func parseDuration(text string) (time.Duration, bool) {
	units := []struct {
		letter byte
		length time.Duration
	}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}}
	var total time.Duration
	rest := text
	for _, unit := range units {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) || rest[digits] != unit.letter {
			continue
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64(math.MaxInt64/4)/int64(unit.length) {
			return 0, false
		}
		total += time.Duration(n) * unit.length
		rest = rest[digits+1:]
	}
	return total, text != "" && rest == ""
}

// unique says whether an id is new in its list, and reports it where not.
func (r *reader) unique(seen map[string]int, id string, at place, what string) bool {
	if id == "" {
		return false
	}
	if first, twice := seen[id]; twice {
		r.add(at, "the %s %q is there twice, first in line %d; keep one, or give one another name", what, id, first)
		return false
	}
	seen[id] = at.line
	return true
}
