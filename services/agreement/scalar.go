package agreement

import (
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// at answers where in the document the character stands that is number offset
// of a scalar's text. Quotes, indentation and folded lines move characters, but
// never reorder them: so both texts are walked side by side, blanks aside.
func (v value) at(l lines, text string, offset int) place {
	out := v.place
	line, col := v.line, v.col
	quote := rune(0)
	switch n := v.node.(type) {
	case *ast.LiteralNode:
		// The text begins in the line after the sign | or >.
		line, col = line+1, 1
	case *ast.StringNode:
		switch n.Token.Type {
		case token.SingleQuoteType:
			quote, col = '\'', col+1
		case token.DoubleQuoteType:
			quote, col = '"', col+1
		}
	}
	c := cursor{lines: l, line: line, col: col}
	runes := []rune(text)
	for i := range min(offset, len(runes)) {
		if unicode.IsSpace(runes[i]) {
			continue
		}
		c.skipSpace(quote)
		c.char(quote)
	}
	// Stand on the character itself, not on the blanks before it.
	if offset < len(runes) && !unicode.IsSpace(runes[offset]) {
		c.skipSpace(quote)
	}
	if c.line > len(l) {
		return out
	}
	out.line, out.col = c.line, c.col
	return out
}

// cursor is a position in the source that moves forward.
type cursor struct {
	lines     lines
	line, col int
}

func (c *cursor) peek(ahead int) (rune, bool) {
	if c.line < 1 || c.line > len(c.lines) {
		return 0, false
	}
	text := c.lines[c.line-1]
	if i := c.col - 1 + ahead; i >= 0 && i < len(text) {
		return text[i], true
	}
	return '\n', true
}

func (c *cursor) move(n int) {
	for range n {
		if c.line < 1 || c.line > len(c.lines) {
			return
		}
		if c.col > len(c.lines[c.line-1]) {
			c.line, c.col = c.line+1, 1
			continue
		}
		c.col++
	}
}

func (c *cursor) skipSpace(quote rune) {
	for {
		r, ok := c.peek(0)
		if !ok {
			return
		}
		if next, _ := c.peek(1); quote == '"' && r == '\\' && strings.ContainsRune("nrtNLP_ \n", next) {
			c.move(2)
			continue
		}
		if !unicode.IsSpace(r) {
			return
		}
		c.move(1)
	}
}

// escapes says how many characters follow the letter of a numeric escape.
var escapes = map[rune]int{'x': 2, 'u': 4, 'U': 8}

// char moves over one character of the text, which takes more than one of the
// source where it is escaped.
func (c *cursor) char(quote rune) {
	r, ok := c.peek(0)
	if !ok {
		return
	}
	next, _ := c.peek(1)
	switch {
	case quote == '\'' && r == '\'' && next == '\'':
		c.move(2)
	case quote == '"' && r == '\\':
		c.move(2 + escapes[next])
	default:
		c.move(1)
	}
}
