package agreement

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/txtar"
)

// fits says what in a value does not fit a schema; nothing = all fits. It knows
// the words of JSON Schema that ours uses, and refuses any other.
func fits(schema map[string]any, v any, path string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	number := func(name string) (float64, bool) { n, ok := schema[name].(float64); return n, ok }
	text, isText := v.(string)
	mapping, isMapping := v.(map[string]any)
	list, isList := v.([]any)
	n, isNumber := v.(float64)
	// any order: what is found is only counted
	for word, says := range schema {
		switch word {
		case "$schema", "title", "description", "properties", "minimum", "maximum":
		case "type":
			types, _ := says.([]any)
			if one, ok := says.(string); ok {
				types = []any{one}
			}
			kind := "null"
			switch v := v.(type) {
			case string:
				kind = "string"
			case map[string]any:
				kind = "object"
			case []any:
				kind = "array"
			case bool:
				kind = "boolean"
			case float64:
				if kind = "number"; v == float64(int64(v)) && slices.Contains(types, any("integer")) {
					kind = "integer"
				}
			}
			if !slices.Contains(types, any(kind)) {
				say("%v is not %v", v, types)
			}
		case "required":
			for _, name := range says.([]any) {
				if _, there := mapping[name.(string)]; isMapping && !there {
					say("no %s", name)
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(map[string]any)
			// any order: what is found is only counted
			for name, child := range mapping {
				if one, ok := known[name]; ok {
					wrong = append(wrong, fits(one.(map[string]any), child, path+"."+name)...)
				} else if one, ok := says.(map[string]any); ok {
					wrong = append(wrong, fits(one, child, path+"."+name)...)
				} else if says == false {
					say("unknown %s", name)
				}
			}
		case "propertyNames":
			// any order: what is found is only counted
			for name := range mapping {
				wrong = append(wrong, fits(says.(map[string]any), name, path+"."+name)...)
			}
		case "items":
			for i, child := range list {
				wrong = append(wrong, fits(says.(map[string]any), child, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "anyOf":
			if !slices.ContainsFunc(says.([]any), func(way any) bool { return len(fits(way.(map[string]any), v, path)) == 0 }) {
				say("fits no way")
			}
		case "not":
			if len(fits(says.(map[string]any), v, path)) == 0 {
				say("%v is not allowed", v)
			}
		case "enum":
			if !slices.Contains(says.([]any), v) {
				say("%v is not one of %v", v, says)
			}
		case "pattern":
			if isText && !regexp.MustCompile(says.(string)).MatchString(text) {
				say("%q does not match %s", text, says)
			}
		case "maxLength":
			if most, _ := number(word); isText && float64(utf8.RuneCountInString(text)) > most {
				say("%q is too long", text)
			}
		case "minItems":
			if least, _ := number(word); isList && float64(len(list)) < least {
				say("too few")
			}
		case "minProperties":
			if least, _ := number(word); isMapping && float64(len(mapping)) < least {
				say("too few")
			}
		default:
			say("the schema says %q, which this test does not know", word)
		}
	}
	if least, ok := number("minimum"); ok && isNumber && n < least {
		say("%v is too small", n)
	}
	if most, ok := number("maximum"); ok && isNumber && n > most {
		say("%v is too large", n)
	}
	return wrong
}

func schemaOf(t testing.TB) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// plainly is a document as editors see it: maps, lists, texts and numbers.
func plainly(t testing.TB, source []byte) (any, error) {
	t.Helper()
	raw, err := yaml.YAMLToJSON(source)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v, nil
}

func TestGoodDocumentsFitTheSchema(t *testing.T) {
	schema := schemaOf(t)
	for name, source := range map[string][]byte{
		"starter":                Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2), Zone: "Europe/Berlin", Members: []string{"u1", "007", "true", "x.y"}}),
		"good":                   goodSource(t),
		"example":                []byte(exampleText),
		"example, one sheet":     oneSheet(t),
		"numbers where text may": edited(t, edited(t, goodSource(t), "version: p1", "version: 2027"), "title: Inside sales", "title: 7"),
	} {
		if _, err := Compile(source); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v, err := plainly(t, source)
		if err != nil {
			t.Fatal(name, err)
		}
		if wrong := fits(schema, v, name); len(wrong) > 0 {
			t.Errorf("refused by the schema:\n%s", strings.Join(wrong, "\n"))
		}
	}
}

// oneSheet is the example with the questions of all calls in one place.
func oneSheet(t testing.TB) []byte {
	t.Helper()
	source := edited(t, []byte(exampleText), exampleOf("questionnaires"), exampleOne)
	source = edited(t, source, "    criteria:\n      - id: can-decide\n        text: The person can decide, or knows who can.\n        when: call.answers.can_decide\n        question: can_decide\n", "")
	return source
}

// meant are the bad documents that are well formed: what is wrong with them is
// what they say, and only Compile sees that.
var meant = []string{
	"double-in-condition", "functions", "no-hours", "references", "same-key", "unbounded-loop", "unknown-names", "words",
	"wrong-type-condition",
}

// TestBrokenDocumentsDoNotFitTheSchema holds that an editor marks whatever is
// broken in the structure of a document.
func TestBrokenDocumentsDoNotFitTheSchema(t *testing.T) {
	schema := schemaOf(t)
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d bad documents, want at least 20 (%v)", len(files), err)
	}
	seen := 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		source, old := goodSource(t), ""
		for _, f := range archive.Files {
			switch text := strings.TrimSuffix(string(f.Data), "\n"); f.Name {
			case "old":
				old = text
			case "new":
				source = edited(t, source, old, text)
			case "document":
				source = f.Data
			}
		}
		v, err := plainly(t, source)
		fine := err == nil && len(fits(schema, v, name)) == 0
		if want := slices.Contains(meant, name); fine != want {
			t.Errorf("%s: the schema takes it: %v, want %v", name, fine, want)
		}
		if fine {
			seen++
		}
	}
	if seen != len(meant) {
		t.Errorf("%d of the %d documents that are broken only in what they say were seen", seen, len(meant))
	}
}

// TestSchemaSaysAll holds that every place of a document has its kind, every key
// its words, and that the example shows each.
func TestSchemaSaysAll(t *testing.T) {
	one, err := plainly(t, oneSheet(t))
	if err != nil {
		t.Fatal(err)
	}
	many, err := plainly(t, []byte(exampleText))
	if err != nil {
		t.Fatal(err)
	}
	page := string(Reference())
	keys := 0
	var walk func(s *shape, path string, shown []any)
	walk = func(s *shape, path string, shown []any) {
		if s.kind == kindOfNothing {
			t.Errorf("%s: nobody says what stands there", path)
		}
		below := func(name string) (out []any) {
			for _, v := range shown {
				if m, ok := v.(map[string]any); ok && m[name] != nil {
					out = append(out, m[name])
				}
			}
			return out
		}
		for _, k := range s.keys {
			keys++
			if k.about == "" || !strings.HasSuffix(k.about, ".") {
				t.Errorf("%s.%s has no sentence: %q", path, k.name, k.about)
			}
			if !strings.Contains(page, "`"+k.name+"`") && !strings.Contains(page, "."+k.name+"`") {
				t.Errorf("%s.%s is not on the page", path, k.name)
			}
			child := below(k.name)
			if len(child) == 0 && !shownElsewhere(path, k.name) {
				t.Errorf("%s.%s is not in the example", path, k.name)
			}
			walk(k, path+"."+k.name, child)
		}
		for _, w := range s.ways {
			walk(w, path, shown)
		}
		if s.item != nil {
			var inside []any
			for _, v := range shown {
				switch v := v.(type) {
				case []any:
					inside = append(inside, v...)
				case map[string]any:
					// any order: all are looked at
					for _, child := range v {
						inside = append(inside, child)
					}
				}
			}
			walk(s.item, path+"[]", inside)
		}
	}
	walk(describe(), "", []any{one, many})
	if keys < 150 {
		t.Errorf("%d keys were looked at: this test does not see them all", keys)
	}
}

// shownElsewhere says whether the example shows a key for one of several parts that
// are alike.
func shownElsewhere(path, name string) bool {
	switch {
	case strings.HasPrefix(path, ".stages.") && slices.Contains([]string{"responsible", "informed", "criteria"}, name):
		return true
	case strings.HasPrefix(path, ".stages.SQL.criteria"), strings.HasPrefix(path, ".questionnaire"):
		return true
	case path == ".calendars[].hours" && (name == "sat" || name == "sun"):
		return true
	}
	return false
}

// TestSchemaKeysAreRead holds that the reader knows every key of the schema: it
// refuses the same key with one letter more.
func TestSchemaKeysAreRead(t *testing.T) {
	var names []string
	var walk func(schema map[string]any)
	walk = func(schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		// any order: they are sorted below
		for name, child := range properties {
			names = append(names, name)
			walk(child.(map[string]any))
		}
		for _, word := range []string{"additionalProperties", "items"} {
			if child, ok := schema[word].(map[string]any); ok {
				walk(child)
			}
		}
		ways, _ := schema["anyOf"].([]any)
		for _, way := range ways {
			walk(way.(map[string]any))
		}
	}
	schema := schemaOf(t)
	walk(schema)
	slices.Sort(names)
	names = slices.Compact(names)
	tried := 0
	for _, source := range [][]byte{[]byte(exampleText), oneSheet(t)} {
		for i, line := range strings.Split(string(source), "\n") {
			name, _, _ := strings.Cut(strings.TrimLeft(line, " -"), ":")
			if !slices.Contains(names, name) || strings.Contains(line, "{") {
				continue
			}
			lines := strings.Split(string(source), "\n")
			lines[i] = strings.Replace(line, name+":", name+"x:", 1)
			_, err := Compile([]byte(strings.Join(lines, "\n")))
			if known := fmt.Sprintf("has no %q", name+"x"); err == nil || !strings.Contains(err.Error(), known) {
				// Names of the document's own choice happen to be spelt like keys.
				if err == nil && free(string(source), i) {
					continue
				}
				t.Errorf("line %d: %q is read as well as %q: %v", i+1, name+"x", name, err)
			}
			if v, err := plainly(t, []byte(strings.Join(lines, "\n"))); err != nil || len(fits(schema, v, "")) == 0 {
				t.Errorf("line %d: an editor does not mark %q (%v)", i+1, name+"x", err)
			}
			tried++
		}
	}
	if tried < 200 {
		t.Errorf("%d keys were tried: this test does not see them all", tried)
	}
}

// free says whether a line belongs to a part whose names the document chooses.
func free(source string, line int) bool {
	lines := strings.Split(source, "\n")
	for ; line >= 0; line-- {
		if lines[line] != "" && lines[line][0] != ' ' {
			name, _, _ := strings.Cut(lines[line], ":")
			return slices.Contains([]string{"glossary", "responsibilities", "goals", "problems", "touches", "words"}, name)
		}
	}
	return false
}

// TestReferenceIsCurrent holds the committed page against what the reader says.
func TestReferenceIsCurrent(t *testing.T) {
	const path = "../../docs/agreement.md"
	if *update {
		if err := os.WriteFile(path, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != string(Reference()) {
		t.Error("docs/agreement.md is stale; write it anew: baton agreement reference > docs/agreement.md")
	}
}

// TestReferenceExamplesWork carries out the changes that the page shows on the
// starter agreement.
func TestReferenceExamplesWork(t *testing.T) {
	source := Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)})
	blocks := strings.Split(string(Reference()), "```diff\n")[1:]
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		var old, changed strings.Builder
		for line := range strings.Lines(block) {
			if line[0] != '+' {
				old.WriteString(line[1:])
			}
			if line[0] != '-' {
				changed.WriteString(line[1:])
			}
		}
		source = edited(t, source, old.String(), changed.String())
	}
	a, err := Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Reason("customer-already"); !ok || len(blocks) != 5 {
		t.Errorf("the page shows %d changes; the reason was found: %v", len(blocks), ok)
	}
	if word, ok := a.Word(Roles, "Datenschutzbeauftragter"); !ok || word != "data-protection" || a.personas.list[0].id != "data-protection" {
		t.Errorf("the persona is not there: %q, %v", word, ok)
	}
	for _, f := range a.Fields() {
		if f.Name == "lead.employees" && !slices.Equal(f.UsedBy, []string{"criterion size", "handoff large-companies"}) {
			t.Errorf("lead.employees is used by %v", f.UsedBy)
		}
	}
}
