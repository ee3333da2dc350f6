package intake

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/leadbaton/baton/services/internal/fault"
)

// node is one value of a body, whatever its encoding was.
type node struct {
	kind    kind
	text    string   // scalar, as spelled
	members []member // object, in the order of the body
	index   map[string]int
	list    []*node // array
}

type kind int8

const (
	kindNull kind = iota
	kindText
	kindNumber
	kindFlag
	kindFile // name, type and size of a file
	kindObject
	kindArray
)

type member struct {
	name  string
	value *node
}

// indexFrom is how many members make a map cheaper than looking at each.
const indexFrom = 16

func (n *node) get(name string) *node {
	if i := n.find(name); i >= 0 {
		return n.members[i].value
	}
	return nil
}

func (n *node) find(name string) int {
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range n.members {
		if n.members[i].name == name {
			return i
		}
	}
	return -1
}

// set puts a member; it answers false if one of that name was there already,
// which the new one replaces.
func (n *node) set(name string, value *node) bool {
	if i := n.find(name); i >= 0 {
		n.members[i].value = value
		return false
	}
	n.members = append(n.members, member{name: name, value: value})
	if n.index != nil {
		n.index[name] = len(n.members) - 1
	} else if len(n.members) > indexFrom {
		n.index = make(map[string]int, 2*indexFrom)
		for i := range n.members {
			n.index[n.members[i].name] = i
		}
	}
	return true
}

func (n *node) scalar() bool { return n.kind < kindObject }

// parseJSON reads one JSON value.
func parseJSON(body []byte) (tree, error) {
	s := scanner{embedded: true}
	root, err := s.scan(body)
	return tree{root: root, notes: s.notes, from: fromJSON}, err
}

// scanner reads one JSON value in one pass: it says no to what the standard
// library says no to, and holds the limits while it reads. Numbers stay text,
// so none is too large or loses digits. Texts share the memory of the body.
type scanner struct {
	body  string
	at    int
	nodes int
	slab  []node
	notes notes
	// embedded is true where a text that holds a whole object is read as one:
	// tools put JSON into fields, and people do not type it.
	embedded bool
}

// slabNodes is how many nodes are made room for at once.
const slabNodes = 32

func (s *scanner) scan(body []byte) (*node, error) {
	if !utf8.Valid(body) {
		return nil, fault.New(fault.Invalid, "body: JSON with bytes that are not UTF-8, the first at byte %d: send UTF-8", firstInvalid(body))
	}
	s.body, s.at = string(body), 0
	root, err := s.value(1)
	if err != nil {
		return nil, err
	}
	if s.space(); s.at < len(s.body) {
		return nil, fault.New(fault.Invalid, "body: something follows the JSON value, at byte %d: send one value", s.at)
	}
	return root, nil
}

func (s *scanner) broken() error {
	return fault.New(fault.Invalid, "body: broken JSON at byte %d: correct it and send it again", s.at)
}

// space skips white space and answers the next byte, 0 at the end.
func (s *scanner) space() byte {
	for ; s.at < len(s.body); s.at++ {
		switch c := s.body[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) node(k kind, text string) *node {
	if len(s.slab) == 0 {
		s.slab = make([]node, slabNodes)
	}
	n := &s.slab[0]
	s.slab = s.slab[1:]
	n.kind, n.text = k, text
	return n
}

func (s *scanner) value(depth int) (*node, error) {
	c := s.space()
	if s.nodes++; s.nodes > maxNodes {
		return nil, fault.New(fault.Invalid, "body: more than %d values: send less at once", maxNodes)
	}
	switch {
	case c == '{' || c == '[':
		if depth > MaxDepth {
			return nil, tooDeep()
		}
		s.at++
		if c == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case c == '"':
		text, err := s.text()
		if err != nil {
			return nil, err
		}
		return s.node(kindText, text), nil
	case c == '-' || isDigit(c):
		return s.number()
	}
	for _, w := range literals {
		if strings.HasPrefix(s.body[s.at:], w.text) {
			s.at += len(w.text)
			if w.kind == kindNull {
				return s.node(kindNull, ""), nil
			}
			return s.node(kindFlag, w.text), nil
		}
	}
	return nil, s.broken()
}

var literals = []struct {
	text string
	kind kind
}{{"null", kindNull}, {"true", kindFlag}, {"false", kindFlag}}

func (s *scanner) number() (*node, error) {
	from := s.at
	if s.body[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.body) && s.body[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return nil, s.broken()
	}
	if s.at < len(s.body) && s.body[s.at] == '.' {
		if s.at++; !s.digits() {
			return nil, s.broken()
		}
	}
	if s.at < len(s.body) && s.body[s.at]|0x20 == 'e' {
		if s.at++; s.at < len(s.body) && (s.body[s.at] == '+' || s.body[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return nil, s.broken()
		}
	}
	return s.node(kindNumber, s.body[from:s.at]), nil
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.body) && isDigit(s.body[s.at]) {
		s.at++
	}
	return s.at > from
}

// text reads a quoted text. One without escapes is a part of the body and costs
// nothing; the body is UTF-8 already, so only escapes can need cleaning.
func (s *scanner) text() (string, error) {
	s.at++
	for from := s.at; s.at < len(s.body); s.at++ {
		switch c := s.body[s.at]; {
		case c == '"':
			text := s.body[from:s.at]
			s.at++
			return text, nil
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			return "", s.broken()
		}
	}
	return "", s.broken()
}

// escaped reads on from the first escape of a text that began at from.
func (s *scanner) escaped(from int) (string, error) {
	out := append(make([]byte, 0, 2*(s.at-from)+32), s.body[from:s.at]...)
	for s.at < len(s.body) {
		c := s.body[s.at]
		switch {
		case c == '"':
			s.at++
			return string(out), nil
		case c < ' ':
			return "", s.broken()
		case c != '\\':
			out = append(out, c)
			s.at++
			continue
		}
		if s.at+1 >= len(s.body) {
			return "", s.broken()
		}
		switch e := s.body[s.at+1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := s.unicode()
			if err != nil {
				return "", err
			}
			if r == 0 {
				s.notes.add(noteNUL)
			} else {
				out = utf8.AppendRune(out, r)
			}
			continue
		default:
			return "", s.broken()
		}
		s.at += 2
	}
	return "", s.broken()
}

// unicode reads an escape by number, and the second half where it is one of a
// pair. Half of a pair alone is replaced and noted.
func (s *scanner) unicode() (rune, error) {
	r := hex4(s.body[s.at+2:])
	if r < 0 {
		return 0, s.broken()
	}
	s.at += 6
	if !utf16.IsSurrogate(rune(r)) {
		return rune(r), nil
	}
	if strings.HasPrefix(s.body[s.at:], `\u`) {
		if whole := utf16.DecodeRune(rune(r), rune(hex4(s.body[s.at+2:]))); whole != utf8.RuneError {
			s.at += 6
			return whole, nil
		}
	}
	s.notes.add(noteSurrogate)
	return utf8.RuneError, nil
}

func (s *scanner) object(depth int) (*node, error) {
	n := s.node(kindObject, "")
	if s.space() == '}' {
		s.at++
		return n, nil
	}
	for {
		if s.space() != '"' {
			return nil, s.broken()
		}
		name, err := s.text()
		if err != nil {
			return nil, err
		}
		if len(name) > MaxKey {
			return nil, keyTooLong()
		}
		if s.space() != ':' {
			return nil, s.broken()
		}
		s.at++
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if s.embedded && !controls[norm(name)] {
			value = s.inside(value)
		}
		if !n.set(name, value) {
			s.notes.add(noteDuplicate)
		}
		switch s.space() {
		case ',':
			s.at++
		case '}':
			s.at++
			return n, nil
		default:
			return nil, s.broken()
		}
	}
}

// inside reads a text that holds a whole JSON object as that object. What it
// holds counts towards the body's limits, and is not looked into again.
func (s *scanner) inside(n *node) *node {
	if n.kind != kindText || len(n.text) < 2 || n.text[0] != '{' || n.text[len(n.text)-1] != '}' {
		return n
	}
	return s.within(n)
}

func (s *scanner) within(n *node) *node {
	inner := scanner{nodes: s.nodes}
	root, err := inner.scan([]byte(n.text))
	s.nodes = inner.nodes
	if err != nil || root.scalar() {
		return n
	}
	for _, note := range inner.notes {
		s.notes.add(note)
	}
	return root
}

func (s *scanner) array(depth int) (*node, error) {
	n := s.node(kindArray, "")
	if s.space() == ']' {
		s.at++
		return n, nil
	}
	for {
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, value)
		switch s.space() {
		case ',':
			s.at++
		case ']':
			s.at++
			return n, nil
		default:
			return nil, s.broken()
		}
	}
}

func tooDeep() error {
	return fault.New(fault.Invalid, "body: nested deeper than %d levels: send it flatter", MaxDepth)
}

func keyTooLong() error {
	return fault.New(fault.Invalid, "body: a field name longer than %d bytes: shorten it", MaxKey)
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// hex4 is the number that four hex digits in front spell, -1 = they are none.
func hex4(s string) int {
	if len(s) < 4 {
		return -1
	}
	v := 0
	for i := range 4 {
		d := hexDigit(s[i])
		if d < 0 {
			return -1
		}
		v = v<<4 | d
	}
	return v
}
