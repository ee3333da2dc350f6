package agreement

import (
	"slices"
	"strings"
	"time"
)

// Kinds of a change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is one thing that differs between two agreements, in plain words.
type Change struct {
	// Part of the document, and what in it: "Customer profile", "Size".
	Part, About string
	// Text is the change as a sentence without its subject: "at least 50 instead
	// of 20 employees".
	Text string
	// Kind is Added, Removed or Changed.
	Kind string
	// Before and After are the statements themselves; empty where there is none.
	Before, After string
	// Concerns names whom it is about.
	Concerns []string
}

// Diff says what changes from one agreement to another, in the order of the
// document. Two documents that differ only in comments and layout differ in
// nothing; their digests still do, and each is signed by itself.
func Diff(before, after *Agreement) []Change {
	var out []Change
	if before.name != after.name {
		out = append(out, Change{
			Part: "Name", About: "The agreement", Text: "called “" + after.name + "” instead of “" + before.name + "”",
			Kind: Changed, Before: before.name, After: after.name, Concerns: bothParties,
		})
	}
	old, now := before.Outline(), after.Outline()
	for _, part := range together(old, now, func(p Part) string { return p.ID }) {
		title := part.after.Title
		if !part.inAfter {
			title = part.before.Title
		}
		items := together(part.before.Items, part.after.Items, func(i Item) string { return i.ID })
		for _, item := range items {
			out = append(out, itemChanges(title, item)...)
		}
		if part.after.Ordered {
			out = append(out, orderChange(title, part.before.Items, items)...)
		}
	}
	return out
}

// orderChange says that what is in both stands in another order, where the first
// that holds decides.
func orderChange(part string, before []Item, items []pair[Item]) []Change {
	var now, concerns []string
	last, moved := -1, false
	for _, item := range items {
		if !item.inBefore || !item.inAfter {
			continue
		}
		at := slices.IndexFunc(before, func(i Item) bool { return i.ID == item.before.ID })
		moved, last = moved || at < last, at
		now, concerns = append(now, "“"+item.after.Title+"”"), append(concerns, item.after.Concerns...)
	}
	if !moved {
		return nil
	}
	text := "now tried in this order: " + strings.Join(now, ", ")
	return []Change{{Part: part, About: "Order", Text: text, Kind: Changed, After: text, Concerns: concerned(concerns...)}}
}

// pair is the same thing in two versions.
type pair[T any] struct {
	before, after     T
	inBefore, inAfter bool
}

// together brings the things of two versions together by their names: in the
// order of the newer, and what is gone after what stood before it.
func together[T any](before, after []T, name func(T) string) []pair[T] {
	var out []pair[T]
	for _, one := range after {
		p := pair[T]{after: one, inAfter: true}
		if j := slices.IndexFunc(before, func(o T) bool { return name(o) == name(one) }); j >= 0 {
			p.before, p.inBefore = before[j], true
		}
		out = append(out, p)
	}
	for i, one := range before {
		if slices.ContainsFunc(after, func(o T) bool { return name(o) == name(one) }) {
			continue
		}
		at := 0
		if i > 0 {
			at = 1 + slices.IndexFunc(out, func(p pair[T]) bool { return p.inBefore && name(p.before) == name(before[i-1]) })
		}
		out = slices.Insert(out, at, pair[T]{before: one, inBefore: true})
	}
	return out
}

// itemChanges are the changes of one thing.
func itemChanges(part string, item pair[Item]) []Change {
	base := Change{Part: part, About: item.after.Title, Concerns: concerned(append(slices.Clone(item.after.Concerns), item.before.Concerns...)...)}
	switch {
	case !item.inBefore:
		base.Kind, base.After = Added, item.after.summary()
		base.Text = "new: " + base.After
		return []Change{base}
	case !item.inAfter:
		base.Kind, base.Before, base.About = Removed, item.before.summary(), item.before.Title
		base.Text = "no longer there (was: " + base.Before + ")"
		return []Change{base}
	}
	var out []Change
	if item.before.Title != item.after.Title {
		c := base
		c.Kind, c.Before, c.After = Changed, item.before.Title, item.after.Title
		c.Text = "called “" + item.after.Title + "” instead of “" + item.before.Title + "”"
		out = append(out, c)
	}
	before, after := likewise(item.before.Lines, item.after.Lines)
	for _, line := range together(before, after, func(l Line) string { return l.Label }) {
		c := base
		switch {
		case !line.inBefore:
			c.Kind, c.After = Added, line.after.Said()
			c.Text = labelled(line.after.Label, "new: "+c.After)
		case !line.inAfter:
			c.Kind, c.Before = Removed, line.before.Said()
			c.Text = labelled(line.before.Label, "no longer there (was: "+c.Before+")")
		case line.before.Said() == line.after.Said() && line.before.Rule == line.after.Rule:
			continue
		default:
			c.Kind, c.Before, c.After = Changed, line.before.Said(), line.after.Said()
			c.Text = labelled(line.after.Label, instead(line.before, line.after))
		}
		out = append(out, c)
	}
	return out
}

// likewise are the lines of two versions of a thing such that the same has the
// same name: what several lines were drawn together for differently stands alone.
func likewise(before, after []Line) (old, now []Line) {
	names := func(lines []Line) (out []string) {
		for _, l := range lines {
			if len(l.each) > 0 {
				out = append(out, l.Label)
			}
		}
		return out
	}
	if slices.Equal(names(before), names(after)) {
		return before, after
	}
	return apart(before), apart(after)
}

func apart(lines []Line) []Line {
	var out []Line
	for _, l := range lines {
		if len(l.each) > 0 {
			out = append(out, l.each...)
			continue
		}
		out = append(out, l)
	}
	return out
}

// labelled leaves out the label of a rule: the sentence says it.
func labelled(label, text string) string {
	if label == "" || label == labelHolds {
		return text
	}
	return lower(label) + ": " + text
}

// lower begins a word in the middle of a sentence, unless it is an abbreviation or
// a day of the week.
func lower(text string) string {
	r := []rune(text)
	for day := range 7 {
		if strings.HasPrefix(text, time.Weekday(day).String()) {
			return text
		}
	}
	if len(r) > 1 && strings.ToUpper(string(r[1])) == string(r[1]) && r[1] != ' ' {
		return text
	}
	return strings.ToLower(string(r[:1])) + string(r[1:])
}

// summary is an item in one sentence.
func (i Item) summary() string {
	parts := make([]string, 0, len(i.Lines))
	for _, l := range i.Lines {
		parts = append(parts, labelled(l.Label, strings.TrimSuffix(l.Said(), ".")))
	}
	return strings.Join(parts, "; ")
}

// instead says how a statement changed: what joined or left a list, or the words
// that are others, within those that stay.
func instead(before, after Line) string {
	if before.Said() == after.Said() {
		return "the same in words, but the condition is now " + after.Rule + " instead of " + before.Rule
	}
	if before.Text == after.Text && len(before.List) > 0 && len(after.List) > 0 {
		joined, left := without(after.List, before.List), without(before.List, after.List)
		var said []string
		if len(joined) > 0 {
			said = append(said, "now also "+enumerate(joined, "and"))
		}
		if len(left) > 0 {
			said = append(said, "no longer "+enumerate(left, "or"))
		}
		if len(said) > 0 {
			text := strings.Join(said, "; ")
			if after.Text != "" && after.Label == labelHolds {
				return after.Text + " " + text
			}
			return text
		}
		return "in another order: " + after.Said()
	}
	return reworded(before.Said(), after.Said())
}

func without(list, other []string) []string {
	var out []string
	for _, one := range list {
		if !slices.Contains(other, one) {
			out = append(out, one)
		}
	}
	return out
}

// mostWords is how long a replaced stretch may be before both sentences are
// shown whole.
const mostWords = 6

// reworded says a change of text by the stretch of words that are others.
func reworded(before, after string) string {
	old, now := strings.Fields(before), strings.Fields(after)
	head := 0
	for head < len(old) && head < len(now) && old[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(now)-head && old[len(old)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	gone, come := old[head:len(old)-tail], now[head:len(now)-tail]
	if len(gone) == 0 || len(come) == 0 || len(gone) > mostWords || len(come) > mostWords || len(old) > 30 {
		return "now “" + after + "”, before “" + before + "”"
	}
	out := slices.Concat(now[:head], come, []string{"instead", "of"}, gone, now[len(now)-tail:])
	return strings.Join(out, " ")
}
