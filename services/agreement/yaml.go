package agreement

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxSource is the largest document, in bytes.
	maxSource = 1 << 20
	// maxNesting bounds brackets in brackets: the YAML parser calls itself once
	// for each, and the stack must not be the document's to choose.
	maxNesting = 16
	// maxIndent bounds nesting by indentation for the same reason.
	maxIndent = 120
)

// value is one node of the document with its place. key is where it is named:
// what it lacks is reported there.
type value struct {
	place
	key  place
	node ast.Node
	// shape asks whoever reads the value to say what it takes, instead of reading.
	shape *shape
}

// parse reads the YAML syntax and answers the document's one mapping. Whatever
// is not plain YAML is a problem: this document is read by people who sign it,
// so nothing in it may point elsewhere or change its meaning from a distance.
func parse(source []byte, found *findings) (value, bool) {
	start := place{line: 1, col: 1}
	if len(source) > maxSource {
		found.add(start, "the document has %d bytes; an agreement has at most %d", len(source), maxSource)
		return value{}, false
	}
	text, ok := readable(source, found)
	if !ok {
		return value{}, false
	}
	found.lines = newLines(text)
	root, ok := tree(text, found)
	if !ok {
		return value{}, false
	}
	if root == nil {
		found.add(start, "the document is empty; `baton agreement init` writes one to start from")
		return value{}, false
	}
	v := valueAt(root, start)
	if _, ok := v.node.(*ast.MappingNode); !ok {
		found.add(v.place, "an agreement is a mapping of names to values; begin with `baton: 1`")
		return value{}, false
	}
	return v, true
}

// readable answers the source as text with plain line ends, or says what in it
// is no text.
func readable(source []byte, found *findings) (string, bool) {
	text := strings.TrimPrefix(string(source), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	found.lines = newLines(text)
	line, col := 1, 1
	for i, r := range text {
		at := place{line: line, col: col}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			found.add(at, "this is not UTF-8 text; save the document as UTF-8")
			return "", false
		case r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'):
			found.add(at, "the control character %U is not allowed; remove it", r)
			return "", false
		case isBidi(r):
			found.add(at, "the character %U changes the order in which text is shown, so that what is signed is not what is read; remove it", r)
			return "", false
		}
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return text, true
}

// remedy says what is most likely to do about a line at which YAML breaks off.
func remedy(message, line string) string {
	text := strings.TrimLeft(line, " \t")
	switch {
	case strings.Contains(message, "quoted text"):
		return "end it with the quotation mark with which it begins"
	case strings.Contains(line[:len(line)-len(text)], "\t"):
		return "begin the line with blanks, not with a tab"
	case strings.Contains(text, "days: "):
		return "a colon with a blank behind it ends the text: write days:14 without the blank, or put the condition into quotes"
	case strings.Count(text, ": ") > 1:
		return "put a text that holds a colon with a blank behind it into double quotes"
	}
	return "let the line begin as far to the right as its neighbours of the same kind"
}

// isBidi says whether a character reorders the text around it.
func isBidi(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// tree parses text into its one document's body; nil where it is empty.
func tree(text string, found *findings) (root ast.Node, ok bool) {
	// The parser is not ours: a panic in it is a document that cannot be read.
	defer func() {
		if recover() != nil {
			found.add(place{line: 1, col: 1}, "the document cannot be read as YAML; compare it with what `baton agreement init` writes")
			root, ok = nil, false
		}
	}()
	tokens := lexer.Tokenize(text)
	if !plain(tokens, found) {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax yaml.Error
		at, message := place{line: 1, col: 1}, err.Error()
		if errors.As(err, &syntax) {
			message = syntax.GetMessage()
			if tk := syntax.GetToken(); tk != nil && tk.Position != nil {
				at.line, at.col = tk.Position.Line, max(tk.Position.Column, 1)
			}
		}
		line := ""
		if at.line <= len(found.lines) {
			line = string(found.lines[at.line-1])
		}
		found.add(at, "this is not valid YAML: %s; %s", message, remedy(message, line))
		return nil, false
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			v := valueAt(doc.Body, place{line: 1, col: 1})
			found.add(v.place, "a second YAML document begins here; an agreement is one document, so remove the line `---`")
			return nil, false
		}
		root = doc.Body
	}
	return root, true
}

// plain refuses, before anything is parsed, what an agreement has no use for and
// what would nest too deep.
func plain(tokens token.Tokens, found *findings) bool {
	nesting, entries, line := 0, 0, 0
	for _, tk := range tokens {
		at := place{line: tk.Position.Line, col: max(tk.Position.Column, 1)}
		if tk.Position.Line != line {
			line, entries = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			found.add(at, "references (&, *, <<) are not allowed: both parties sign what they read here; write the value out")
		case token.TagType:
			found.add(at, "tags (!) are not allowed; write the value without one, in quotes if it begins with an exclamation mark")
		case token.DirectiveType:
			found.add(at, "directives (%%) are not allowed; remove this line")
		case token.MappingKeyType:
			found.add(at, "keys marked with a question mark are not allowed; write `key: value`")
		case token.SequenceStartType, token.MappingStartType:
			nesting++
			if nesting > maxNesting {
				found.add(at, "brackets are nested more than %d deep", maxNesting)
				return false
			}
		case token.SequenceEndType, token.MappingEndType:
			nesting = max(nesting-1, 0)
		case token.SequenceEntryType:
			entries++
			if entries > maxNesting {
				found.add(at, "lists are nested more than %d deep", maxNesting)
				return false
			}
			if at.col > maxIndent {
				found.add(at, "this line is indented more than %d characters", maxIndent)
				return false
			}
		case token.MappingValueType:
			if nesting == 0 && indent(found.lines, at.line) > maxIndent {
				found.add(at, "this line is indented more than %d characters", maxIndent)
				return false
			}
		}
		if len(found.list) > maxProblems {
			break
		}
	}
	return len(found.list) == 0
}

func indent(l lines, line int) int {
	if line < 1 || line > len(l) {
		return 0
	}
	for i, r := range l[line-1] {
		if r != ' ' {
			return i
		}
	}
	return len(l[line-1])
}

// valueAt wraps a node. Where the parser gives no position of its own, the
// fallback is used.
func valueAt(n ast.Node, fallback place) value {
	v := value{place: fallback, key: fallback, node: n}
	var tk *token.Token
	switch n := n.(type) {
	case *ast.MappingValueNode:
		// A mapping of one entry may come bare.
		v.node = &ast.MappingNode{Start: n.Start, Values: []*ast.MappingValueNode{n}}
		tk = n.Key.GetToken()
	case *ast.MappingNode:
		// The parser names a block mapping by its first colon.
		tk = n.Start
		if !n.IsFlowStyle && len(n.Values) > 0 {
			tk = n.Values[0].Key.GetToken()
		}
	case *ast.LiteralNode:
		tk = n.Start
	case nil:
	default:
		tk = n.GetToken()
	}
	if tk != nil && tk.Position != nil && tk.Position.Line > 0 {
		v.line, v.col = tk.Position.Line, max(tk.Position.Column, 1)
	}
	return v
}

// scalar answers a scalar's text as written. ok is false for lists, mappings and
// nothing.
func (v value) scalar() (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// empty says whether nothing was written.
func (v value) empty() bool {
	if v.node == nil {
		return true
	}
	_, null := v.node.(*ast.NullNode)
	return null
}

// kind names what was written, for a sentence.
func (v value) kind() string {
	switch n := v.node.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode:
		return "the number " + n.GetToken().Value
	case *ast.FloatNode:
		return "the decimal number " + n.GetToken().Value
	case *ast.BoolNode:
		return n.GetToken().Value
	}
	text, _ := v.scalar()
	if r := []rune(text); len(r) > 40 {
		text = string(r[:40]) + "…"
	}
	return fmt.Sprintf("the text %q", text)
}
