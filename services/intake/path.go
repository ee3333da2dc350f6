package intake

import (
	"slices"
	"strconv"
	"strings"
)

// headerPrefix marks the path of a request's header.
const headerPrefix = "header:"

// aroundPrefix marks the path of what stands in a body outside of its
// submissions, such as the name of the form that all of them share.
const aroundPrefix = "^."

// spot says where something stands in a body, as the leaves list it: members
// joined by dots, quoted where a name holds one, places of lists in brackets.
// A path without a place matches every element of a list.
type spot struct {
	text  string // spelled as the leaves spell theirs
	steps []step
}

// step is one part of a path: a member, or a place of a list.
type step struct {
	name  string
	place int // of a list; -1 = a member
}

// parsePath reads a path. What is quoted wrongly stands for itself.
func parsePath(text string) spot {
	text = strings.TrimSpace(text)
	if name, ok := strings.CutPrefix(text, headerPrefix); ok {
		return spot{text: headerPrefix + strings.ToLower(name)}
	}
	p := spot{}
	rest, around := strings.CutPrefix(text, aroundPrefix)
	for rest != "" {
		if rest[0] == '[' {
			if end := strings.IndexByte(rest, ']'); end > 0 {
				if place, err := strconv.Atoi(rest[1:end]); err == nil && place >= 0 {
					p.steps = append(p.steps, step{place: place})
				}
				// Empty brackets match every element, as no brackets do.
				rest = strings.TrimPrefix(rest[end+1:], ".")
				continue
			}
		}
		var name string
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
			name, _ = strconv.Unquote(quoted)
			rest = rest[len(quoted):]
		} else {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name, rest = rest[:end+1], rest[end+1:]
		}
		p.steps = append(p.steps, step{name: name, place: -1})
		rest = strings.TrimPrefix(rest, ".")
	}
	for _, s := range p.steps {
		if s.place >= 0 {
			p.text += "[" + strconv.Itoa(s.place) + "]"
		} else {
			p.text = join(p.text, s.name)
		}
	}
	if around {
		p.text = aroundPrefix + p.text
	}
	return p
}

func parsePaths(texts []string) []spot {
	out := make([]spot, 0, len(texts))
	for _, t := range texts {
		out = append(out, parsePath(t))
	}
	return out
}

// alternatives reads paths divided by bars: the first with a value counts.
func alternatives(text string) []spot {
	var out []spot
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '|' && !quoted:
			out = append(out, parsePath(text[from:i]))
			from = i + 1
		}
	}
	return append(out, parsePath(text[from:]))
}

// join appends a segment to a path and quotes it where it would be misread.
func join(at, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"|^") || strings.HasPrefix(name, headerPrefix) {
		name = strconv.Quote(name)
	}
	if at == "" {
		return name
	}
	return at + "." + name
}

// matches says whether a leaf stands at the path, or in what stands there: then
// inside is where in it, such as "first".
func (p spot) matches(leaf string) (inside string, ok bool) {
	if p.text == "" {
		return "", false
	}
	i, j, quoted := 0, 0, false
	for i < len(p.text) {
		if j == len(leaf) {
			return "", false
		}
		if !quoted && leaf[j] == '[' && p.text[i] != '[' {
			j += strings.IndexByte(leaf[j:], ']') + 1
			continue
		}
		if p.text[i] != leaf[j] {
			return "", false
		}
		switch {
		case leaf[j] == '"':
			quoted = !quoted
		case leaf[j] == '\\' && quoted && i+1 < len(p.text) && j+1 < len(leaf):
			if p.text[i+1] != leaf[j+1] {
				return "", false
			}
			i, j = i+1, j+1
		}
		i, j = i+1, j+1
	}
	rest := leaf[j:]
	for strings.HasPrefix(rest, "[") {
		rest = rest[strings.IndexByte(rest, ']')+1:]
	}
	if rest == "" {
		return "", true
	}
	if rest[0] != '.' {
		return "", false
	}
	return rest[1:], true
}

// each visits what stands at a path, in the order of the body.
func (p spot) each(n *node, visit func(*node)) { eachAt(n, p.steps, visit) }

func eachAt(n *node, steps []step, visit func(*node)) {
	switch {
	case len(steps) == 0:
		visit(n)
	case steps[0].place >= 0:
		if n.kind == kindArray && steps[0].place < len(n.list) {
			eachAt(n.list[steps[0].place], steps[1:], visit)
		}
	case n.kind == kindArray:
		for _, el := range n.list {
			eachAt(el, steps, visit)
		}
	case n.kind == kindObject:
		if member := n.get(steps[0].name); member != nil {
			eachAt(member, steps[1:], visit)
		}
	}
}

// at is the first value at a path; nil = there is none.
func (p spot) at(n *node) *node {
	var found *node
	p.each(n, func(n *node) {
		if found == nil && n.kind != kindNull {
			found = n
		}
	})
	return found
}

// places are the places of lists in a leaf's path: what tells the elements of
// one list apart.
func places(leaf string) string {
	var out []byte
	quoted := false
	for i := 0; i < len(leaf); i++ {
		switch {
		case quoted && leaf[i] == '\\':
			i++
		case leaf[i] == '"':
			quoted = !quoted
		case !quoted && leaf[i] == '[':
			end := i + strings.IndexByte(leaf[i:], ']') + 1
			out = append(out, leaf[i:end]...)
			i = end - 1
		}
	}
	return string(out)
}

// leavesAt are the leaves with a value that stand at a path.
func leavesAt(leaves []Leaf, p spot) []int {
	var out []int
	for i := range leaves {
		if _, ok := p.matches(leaves[i].Path); ok && strings.TrimSpace(leaves[i].Value) != "" {
			out = append(out, i)
		}
	}
	return slices.Clip(out)
}
