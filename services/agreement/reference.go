package agreement

import (
	"bytes"
	_ "embed" // The text of the page, and the document that it shows.
	"reflect"
	"slices"
	"strings"
	"text/template"
)

//go:embed reference.md.tmpl
var referenceText string

// exampleText is an agreement that has every key but questionnaire, of which it
// has the other way to write it.
//
//go:embed reference.yaml
var exampleText string

const exampleOne = `questionnaire:
  version: "1"
  text: Every call.
  questions:
    - id: fits
      text: Is this a customer of the kind that we agreed on?
      type: flag
      decides: fit
`

var referenceTemplate = template.Must(template.New("reference").Funcs(template.FuncMap{
	"cell": func(text string) string { return strings.ReplaceAll(text, "|", `\|`) },
}).Parse(referenceText))

// referenceRow is one key of a section, by its path.
type referenceRow struct {
	Path, About, Value string
	Must               bool
}

// referenceSection is one key of the top level.
type referenceSection struct {
	Name, About, Value, Example string
	Must                        bool
	Rows                        []referenceRow
}

// Reference is the page that says what every key means, as Markdown. It is made of
// what the reader says of itself.
func Reference() []byte {
	var sections []referenceSection
	for _, s := range describe().keys {
		one := referenceSection{Name: s.name, About: s.about, Must: s.must, Rows: s.rows(s.name), Example: exampleOf(s.name)}
		if len(one.Rows) == 0 {
			one.Value = s.value()
		}
		sections = append(sections, one)
	}
	var facts []Field
	for _, v := range append(leadGroup(&Agreement{}).variables, callVariables()...) {
		facts = append(facts, Field{Name: v.name, Kind: kindWords(v.kind), About: v.about})
	}
	var out bytes.Buffer
	// A bytes.Buffer takes everything, and the template is tried by a test.
	if err := referenceTemplate.Execute(&out, map[string]any{"Sections": sections, "Facts": facts, "SchemaName": SchemaName}); err != nil {
		panic("the reference page cannot be written: " + err.Error())
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}

// kindWords says what a fact is.
func kindWords(kind string) string {
	if kind == kindFlag {
		return "yes or no"
	}
	return kind
}

// exampleOf is the part of the example document below a key of the top level.
func exampleOf(name string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(exampleText + exampleOne) {
		if line[0] != ' ' {
			inside = strings.HasPrefix(line, name+":")
		}
		if inside {
			out.WriteString(line)
		}
	}
	return out.String()
}

// rows are the keys below a place, by their paths.
func (s *shape) rows(path string) (out []referenceRow) {
	switch s.kind {
	case kindOfList:
		return s.item.rows(path + "[]")
	case kindOfNames:
		return s.item.rows(path + ".*")
	case kindOfWays:
		for _, w := range s.ways {
			out = append(out, w.rows(path)...)
		}
		return out
	}
	if s.alike() {
		row := referenceRow{Path: path + ".*", About: "For " + all(namesOf(s.keys)) + " each.", Must: s.keys[0].must, Value: s.keys[0].value()}
		return append(append(out, row), union(s.keys).rows(path+".*")...)
	}
	for _, k := range s.keys {
		out = append(out, referenceRow{Path: path + "." + k.name, About: k.about, Must: k.must, Value: k.value()})
		out = append(out, k.rows(path+"."+k.name)...)
	}
	return out
}

// alike says whether all keys of a mapping hold the same, but for a few.
func (s *shape) alike() bool {
	if len(s.keys) < 2 {
		return false
	}
	for _, k := range s.keys[1:] {
		if k.kind != s.keys[0].kind || k.kind != kindOfKeys && !k.equal(s.keys[0]) {
			return false
		}
	}
	return s.keys[0].kind == kindOfKeys || s.keys[0].kind == kindOfList
}

func (s *shape) equal(other *shape) bool {
	a, b := *s, *other
	a.name, a.about, b.name, b.about = "", "", "", ""
	return reflect.DeepEqual(a, b)
}

// union has the keys of several mappings, and notes which only some of them have.
func union(mappings []*shape) *shape {
	out := &shape{kind: kindOfKeys}
	for _, m := range mappings {
		for _, k := range m.keys {
			has := func(of *shape) bool {
				return slices.ContainsFunc(of.keys, func(other *shape) bool { return other.name == k.name })
			}
			if has(out) {
				continue
			}
			one := *k
			if with := slices.DeleteFunc(slices.Clone(mappings), func(of *shape) bool { return !has(of) }); len(with) < len(mappings) {
				one.about += " Only for " + all(namesOf(with)) + "."
			}
			out.keys = append(out.keys, &one)
		}
	}
	return out
}

func namesOf(shapes []*shape) []string {
	out := make([]string, len(shapes))
	for i, s := range shapes {
		out[i] = "`" + s.name + "`"
	}
	return out
}

// all joins words for a sentence: a, b and c.
func all(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
