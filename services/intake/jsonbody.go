package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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

// parseJSON reads one JSON value and splits it into submissions.
func parseJSON(body []byte) ([]Item, error) {
	var s scanner
	root, err := s.scan(body)
	if err != nil {
		return nil, err
	}
	return shape(root, s.notes, fromJSON)
}

// scan reads one JSON value token by token, in one pass. Nesting is bounded
// before it recurses; numbers stay text, so none is too large or loses digits.
func (s *scanner) scan(body []byte) (*node, error) {
	if !utf8.Valid(body) {
		return nil, fault.New(fault.Invalid, "body: JSON with bytes that are not UTF-8, the first at byte %d: send UTF-8", firstInvalid(body))
	}
	s.dec = json.NewDecoder(bytes.NewReader(body))
	s.dec.UseNumber()
	root, err := s.value(1)
	if err != nil {
		return nil, err
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "body: something follows the JSON value, at byte %d: send one value", s.dec.InputOffset())
	}
	if loneSurrogate(body) {
		s.notes.add(noteSurrogate)
	}
	return root, nil
}

type scanner struct {
	dec   *json.Decoder
	nodes int
	notes notes
}

func (s *scanner) token() (json.Token, error) {
	tok, err := s.dec.Token()
	if err != nil {
		// The decoder's own text quotes the body, which is not ours to repeat.
		at := s.dec.InputOffset()
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = syntax.Offset
		}
		return nil, fault.New(fault.Invalid, "body: broken JSON at byte %d: correct it and send it again", at)
	}
	return tok, nil
}

func (s *scanner) value(depth int) (*node, error) {
	tok, err := s.token()
	if err != nil {
		return nil, err
	}
	if s.nodes++; s.nodes > maxNodes {
		return nil, fault.New(fault.Invalid, "body: more than %d values: send less at once", maxNodes)
	}
	switch t := tok.(type) {
	case json.Delim:
		if depth > MaxDepth {
			return nil, tooDeep()
		}
		if t == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case string:
		return &node{kind: kindText, text: s.notes.clean(t)}, nil
	case json.Number:
		return &node{kind: kindNumber, text: t.String()}, nil
	case bool:
		if t {
			return &node{kind: kindFlag, text: "true"}, nil
		}
		return &node{kind: kindFlag, text: "false"}, nil
	default:
		return &node{kind: kindNull}, nil
	}
}

func (s *scanner) object(depth int) (*node, error) {
	n := &node{kind: kindObject}
	for s.dec.More() {
		tok, err := s.token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, fault.New(fault.Invalid, "body: broken JSON at byte %d: correct it and send it again", s.dec.InputOffset())
		}
		if len(name) > MaxKey {
			return nil, keyTooLong()
		}
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if !n.set(s.notes.clean(name), value) {
			s.notes.add(noteDuplicate)
		}
	}
	_, err := s.token() // the closing brace
	return n, err
}

func (s *scanner) array(depth int) (*node, error) {
	n := &node{kind: kindArray}
	for s.dec.More() {
		value, err := s.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, value)
	}
	_, err := s.token() // the closing bracket
	return n, err
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

// loneSurrogate says whether valid JSON holds an escape for half a character.
// The decoder replaces it silently.
func loneSurrogate(b []byte) bool {
	for i := bytes.IndexByte(b, '\\'); i >= 0 && i+1 < len(b); {
		step := 2
		if b[i+1] == 'u' {
			step = 6
			switch half := hex4(b[i+2:]); {
			case half >= 0xDC00 && half < 0xE000:
				return true
			case half >= 0xD800 && half < 0xDC00:
				if len(b) < i+12 || b[i+6] != '\\' || b[i+7] != 'u' {
					return true
				}
				if low := hex4(b[i+8:]); low < 0xDC00 || low >= 0xE000 {
					return true
				}
				step = 12
			}
		}
		if i+step > len(b) {
			return false
		}
		next := bytes.IndexByte(b[i+step:], '\\')
		if next < 0 {
			return false
		}
		i += step + next
	}
	return false
}

func hex4(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	v := 0
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return v
}
