package agreement

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// FuzzCompile holds that no document makes Compile panic, that every refusal
// points into the document, and that what is accepted can be evaluated.
func FuzzCompile(f *testing.F) {
	good := goodSource(f)
	f.Add(good)
	f.Add(Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2)}))
	for _, small := range []string{"", "a", "- ", "{", "[", "? a", "&a b", "a: |\n", "a: >-\n\n  b", "\"", "'", "a: 'b\n\n c'", "\xff", "a:\n\tb", "---\n---\n", "%YAML 1.2\n---\n"} {
		f.Add([]byte(small))
	}
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range txtar.Parse(data).Files {
			if part.Name == "new" {
				f.Add(append(bytes.Clone(good), part.Data...))
			}
			f.Add(part.Data)
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		a, err := Compile(source)
		if err == nil {
			facts := Facts{Features: &leadv1.Features{}}
			a.Profile(facts)
			a.Persona(facts)
			a.Handoff(leadv1.Stage_STAGE_MQL, facts)
			return
		}
		var problems *Problems
		if a != nil || !errors.As(err, &problems) || len(problems.List) == 0 {
			t.Fatalf("refused without problems: %v", err)
		}
		lines := bytes.Count(source, []byte("\n")) + 1
		for _, p := range problems.List {
			if p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Text == "" {
				t.Errorf("a problem outside the document of %d lines: %+v", lines, p)
			}
		}
	})
}

// FuzzCondition holds the same for conditions alone, where a fuzzer gets deeper.
func FuzzCondition(f *testing.F) {
	v, err := newVocabulary(good(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		`lead.employees >= 20`, `has(answers.budget) && answers.budget > 1`, `!(lead.country in ["DE"])`, `[1].all(x, x > 1.5)`,
		`lead.role.startsWith("a") ? true : false`, `answers["x"]`, `lead`, `call.answers`, `{}`, `"\u00e4" + b"x"`, `1 / 0 == 1`, `-9223372036854775808 == -1`,
	} {
		f.Add(seed, int64(5), "DE")
	}
	f.Fuzz(func(t *testing.T, source string, employees int64, country string) {
		c, complaints := v.compile(source)
		if (c == nil) != (len(complaints) > 0) {
			t.Fatalf("compiled %v with complaints %v", c != nil, complaints)
		}
		for _, one := range complaints {
			if one.offset < 0 || one.offset > len([]rune(source)) || one.text == "" {
				t.Errorf("a complaint outside the condition: %+v", one)
			}
		}
		if c != nil {
			facts := &Facts{Features: &leadv1.Features{Employees: employees, Country: country}}
			first, _ := c.decide(facts)
			if again, _ := c.decide(facts); again != first {
				t.Error("decided twice, differently")
			}
			c.values(facts)
		}
	})
}
