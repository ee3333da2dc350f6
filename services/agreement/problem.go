package agreement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leadbaton/baton/services/internal/fault"
)

// maxProblems bounds what one refusal lists: beyond it a reader starts over
// anyway, and a hostile document must not make a huge answer.
const maxProblems = 100

// Problem is one thing that keeps a document from being proposed: where it is,
// what is wrong, and what to do about it.
type Problem struct {
	// Line and Column count from 1; a column counts characters, not bytes.
	Line, Column int
	// Path names the place in the document, such as pools[0].members.
	Path string
	// Text says what is wrong and what to do.
	Text string
	// Excerpt is the line with a caret under the column.
	Excerpt string
}

// String is the problem as it is printed: place, text, excerpt.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d, column %d", p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(", " + p.Path)
	}
	b.WriteString(": " + p.Text)
	if p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	return b.String()
}

// Problems is everything that was found wrong in one document, in the order of
// the document. It is the error that Compile answers.
type Problems struct {
	// List is never empty.
	List []Problem
	// More counts the problems beyond those listed.
	More int
}

// Error lists the problems with their excerpts.
func (p *Problems) Error() string {
	var b strings.Builder
	n := len(p.List) + p.More
	if n == 1 {
		b.WriteString("the agreement has 1 problem")
	} else {
		fmt.Fprintf(&b, "the agreement has %d problems", n)
	}
	for _, one := range p.List {
		b.WriteString("\n\n" + one.String())
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "\n\nand %d more; correct these first", p.More)
	}
	return b.String()
}

// Unwrap makes a refused document an invalid input to whoever asks for the kind
// of fault.
func (p *Problems) Unwrap() error {
	return &fault.Error{Kind: fault.Invalid, Text: p.Error()}
}

// place is a position in the document and the path that names it.
type place struct {
	path      string
	line, col int
}

// lines is the source cut into lines, for excerpts and for finding the place of
// a character inside a scalar.
type lines [][]rune

func newLines(source string) lines {
	var out lines
	for line := range strings.SplitSeq(source, "\n") {
		out = append(out, []rune(line))
	}
	return out
}

// width is how much of a long line an excerpt shows on either side of the caret.
const width = 70

func (l lines) excerpt(line, col int) string {
	if line < 1 || line > len(l) {
		return ""
	}
	text := l[line-1]
	at := min(max(col-1, 0), len(text))
	from, to := max(at-width, 0), min(at+width, len(text))
	shown, before := string(text[from:to]), text[from:at]
	if from > 0 {
		shown, before = "…"+shown, append([]rune("…"), before...)
	}
	if to < len(text) {
		shown += "…"
	}
	// A tab stays a tab in front of the caret, so that both lines move alike.
	pad := make([]rune, len(before))
	for i, r := range before {
		pad[i] = ' '
		if r == '\t' {
			pad[i] = '\t'
		}
	}
	number := strconv.Itoa(line)
	margin := strings.Repeat(" ", len(number))
	return fmt.Sprintf("  %s | %s\n  %s | %s^", number, shown, margin, string(pad))
}

// findings collects problems while a document is read and checked.
type findings struct {
	lines lines
	list  []Problem
}

func (f *findings) add(at place, format string, args ...any) {
	f.list = append(f.list, Problem{
		Line: at.line, Column: at.col, Path: at.path,
		Text: fmt.Sprintf(format, args...),
	})
}

// err answers everything found, in the order of the document, or nil.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text))
	})
	list := slices.Compact(f.list)
	out := &Problems{List: list}
	if len(list) > maxProblems {
		out.List, out.More = list[:maxProblems:maxProblems], len(list)-maxProblems
	}
	for i := range out.List {
		out.List[i].Excerpt = f.lines.excerpt(out.List[i].Line, out.List[i].Column)
	}
	return out
}
