package agreement

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/testing/protocmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

var update = flag.Bool("update", false, "write the problems of the bad documents anew")

func goodSource(t testing.TB) []byte {
	t.Helper()
	source, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func good(t testing.TB) *Agreement {
	t.Helper()
	a, err := Compile(goodSource(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// edited is the good document with one text in place of another.
func edited(t testing.TB, source []byte, from, to string) []byte {
	t.Helper()
	if bytes.Count(source, []byte(from)) != 1 {
		t.Fatalf("the text to replace is there %d times, not once:\n%s", bytes.Count(source, []byte(from)), from)
	}
	return bytes.Replace(source, []byte(from), []byte(to), 1)
}

// TestBadDocuments compiles each bad document of testdata/bad, which is the good
// one with some texts replaced, or a whole one, and compares all its problems.
func TestBadDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d bad documents, want at least 20 (%v)", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			source := goodSource(t)
			old, want := "", ""
			var kept []txtar.File
			for _, f := range archive.Files {
				text := string(f.Data)
				switch f.Name {
				case "old":
					old = strings.TrimSuffix(text, "\n")
				case "new":
					source = edited(t, source, old, strings.TrimSuffix(text, "\n"))
				case "document":
					source = f.Data
				case "problems":
					want = text
					continue
				default:
					t.Fatalf("unknown part %q", f.Name)
				}
				kept = append(kept, f)
			}
			a, err := Compile(source)
			if err == nil || a != nil {
				t.Fatal("the document was accepted")
			}
			got := err.Error() + "\n"
			if *update {
				archive.Files = append(kept, txtar.File{Name: "problems", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			var problems *Problems
			if !errors.As(err, &problems) || fault.Of(err) != fault.Invalid {
				t.Fatalf("the error is %T of kind %v, want *Problems, invalid", err, fault.Of(err))
			}
			for _, p := range problems.List {
				if p.Line < 1 || p.Column < 1 || p.Text == "" {
					t.Errorf("a problem without its place: %+v", p)
				}
			}
		})
	}
}

func TestGoodDocument(t *testing.T) {
	a := good(t)
	if a.Name() != "Test agreement" || a.Digest() != sha256.Sum256(goodSource(t)) {
		t.Errorf("name %q, digest %x", a.Name(), a.Digest())
	}
	from, ok := a.InForceFrom()
	if want := time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC); !ok || !from.Equal(want) {
		t.Errorf("in force from %v, %v, want %v", from, ok, want)
	}
	if len(a.PartyKey(Marketing)) != 32 || len(a.PartyKey(Sales)) != 32 || a.PartyKey("legal") != nil {
		t.Error("the parties' keys are not as written")
	}
	if a.Horizon() != 6 || a.RecheckAfter() != 30*24*time.Hour || a.StageTitle(leadv1.Stage_STAGE_SQL) != "Hot" || a.StageTitle(99) != "no stage" {
		t.Errorf("horizon %d, recheck %v, title %q", a.Horizon(), a.RecheckAfter(), a.StageTitle(leadv1.Stage_STAGE_SQL))
	}
	want := []Pool{
		{
			ID: "inside", Title: "Inside sales", Group: "sales", Manager: "sam", Calendar: "office", TakeWithin: 90 * time.Minute,
			GivesBy: ByRotation, AfterLeave: NoCatchUp,
			Members: []PoolMember{{Member: "ana", Weight: 2, Capacity: 10}, {Member: "ben", Weight: 1}},
		},
		{
			ID: "key-accounts", Title: "Key accounts", Group: "sales", Manager: "sam", Calendar: "office", TakeWithin: 4 * time.Hour,
			GivesBy: ByRotation, AfterLeave: NoCatchUp,
			Members: []PoolMember{{Member: "ben", Weight: 1}, {Member: "chloe", Weight: 1, Capacity: 3}},
		},
	}
	if diff := cmp.Diff(want, a.Pools()); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
	a.Pools()[0].Members[0].Weight = 99
	if p, _ := a.Pool("inside"); p.Members[0].Weight != 2 {
		t.Error("a caller can change the agreement's members")
	}
	wantReasons := []Reason{
		{ID: "not-mine", Title: "Not mine", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON},
		{ID: "not-now", Title: "Not now", Consequence: leadv1.Consequence_CONSEQUENCE_NURTURE},
		{ID: "not-genuine", Title: "Not genuine", Consequence: leadv1.Consequence_CONSEQUENCE_DISQUALIFY},
	}
	if diff := cmp.Diff(wantReasons, a.Reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if r, ok := a.Reason("not-now"); !ok || r != wantReasons[1] {
		t.Errorf("Reason = %+v, %v", r, ok)
	}
	if _, ok := a.Reason("none"); ok {
		t.Error("a reason that nobody agreed was found")
	}
	if c, ok := a.Calendar("office"); !ok || c.Zone() != "Europe/Berlin" {
		t.Errorf("calendar %v, %v", c, ok)
	}
}

// TestLineEnds holds that a document from another system compiles, and that
// problems in it have the same places.
func TestLineEnds(t *testing.T) {
	unix := goodSource(t)
	windows := append([]byte("\ufeff"), bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n"))...)
	a, err := Compile(windows)
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest() != sha256.Sum256(windows) {
		t.Error("the digest is not that of the bytes as they came")
	}
	bad := func(source []byte) string {
		_, err := Compile(bytes.Replace(source, []byte("employees >= 500"), []byte("employes >= 500"), 1))
		if err == nil {
			t.Fatal("the document was accepted")
		}
		return err.Error()
	}
	if diff := cmp.Diff(bad(unix), bad(windows)); diff != "" {
		t.Errorf("problems differ (-unix +windows):\n%s", diff)
	}
}

func TestUnreadable(t *testing.T) {
	deep := func(unit string, n int) string { return "baton: 1\nname: " + strings.Repeat(unit, n) }
	cases := []struct {
		name, source, want string
		line, col          int
	}{
		{"not UTF-8", "baton: 1\nname: \xff\n", "UTF-8", 2, 7},
		{"control character", "baton: 1\nname: a\x00b\n", "U+0000", 2, 8},
		{"reordered text", "name: \"a\u202eb\"\n", "U+202E", 1, 9},
		{"brackets", deep("[", 100_000), "nested more than", 2, 7 + maxNesting},
		{"braces", deep("{a: ", 100_000), "nested more than", 2, 7 + 4*maxNesting},
		{"lists", "baton: 1\n" + strings.Repeat("- ", 100_000), "nested more than", 2, 1 + 2*maxNesting},
		{"too long", strings.Repeat("#", maxSource+1), "at most", 1, 1},
		{"nothing", "", "empty", 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile([]byte(c.source))
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			if p := problems.List[0]; !strings.Contains(p.Text, c.want) || p.Line != c.line || p.Column != c.col {
				t.Errorf("got %d:%d %s, want %d:%d with %q", p.Line, p.Column, p.Text, c.line, c.col, c.want)
			}
		})
	}
}

// TestIndentation holds that nesting by indentation is bounded, too.
func TestIndentation(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	_, err := Compile([]byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "indented more than") {
		t.Errorf("got %v, want a complaint about indentation", err)
	}
}

// TestManyProblems holds that a hostile document makes no endless answer.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString("k" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%200) + ": 1\n")
	}
	_, err := Compile([]byte(b.String()))
	var problems *Problems
	if !errors.As(err, &problems) || len(problems.List) != maxProblems || problems.More == 0 {
		t.Fatalf("got %d problems and %d more", len(problems.List), problems.More)
	}
	if !strings.Contains(err.Error(), "more; correct these first") {
		t.Error("the text does not say that there are more")
	}
}

// TestManyConditions holds that one document cannot ask for endless work.
func TestManyConditions(t *testing.T) {
	var b strings.Builder
	for i := range maxConditions {
		fmt.Fprintf(&b, "    - {id: more-%d, text: More, when: lead.has_email, points: 1}\n", i)
	}
	source := edited(t, goodSource(t), "personas:\n", b.String()+"personas:\n")
	_, err := Compile(source)
	if err == nil || !strings.Contains(err.Error(), "has more than 300 conditions") {
		t.Errorf("got %v, want a complaint about the number of conditions", err)
	}
}

// TestSameAnswerEveryTime compiles and evaluates often: no order may come from a
// map.
func TestSameAnswerEveryTime(t *testing.T) {
	source := goodSource(t)
	bad := edited(t, edited(t, source, "take_within: 4h", "x: 1\n    y: 2"), "lead.employees >= 500", "foo || bar || lead.x")
	_, err := Compile(bad)
	first := err.Error()
	a := good(t)
	facts := Facts{Features: &leadv1.Features{Answers: map[string]*leadv1.Value{
		"budget": {Kind: &leadv1.Value_Number{Number: 5}}, "timeframe": {Kind: &leadv1.Value_Text{Text: "now"}},
	}}}
	fit, persona := a.Profile(facts), a.Persona(facts)
	for range 20 {
		if _, err := Compile(bad); err.Error() != first {
			t.Fatalf("problems differ:\n%s\n%s", first, err)
		}
		again := good(t)
		if diff := cmp.Diff(fit, again.Profile(facts), protocmp.Transform()); diff != "" {
			t.Fatalf("profile differs:\n%s", diff)
		}
		if diff := cmp.Diff(persona, again.Persona(facts), protocmp.Transform()); diff != "" {
			t.Fatalf("persona differs:\n%s", diff)
		}
	}
}

// TestReservedWords holds our list against the language's own: an id that
// conditions could not write must not be declared.
func TestReservedWords(t *testing.T) {
	for _, word := range reserved {
		source := bytes.ReplaceAll(goodSource(t), []byte("id: newsletter"), []byte("id: \""+word+"\""))
		if _, err := Compile(source); err == nil || !strings.Contains(err.Error(), "is a word of the condition language") {
			t.Errorf("%q was taken as the id of an answer: %v", word, err)
		}
	}
	if !slices.IsSorted(reserved) {
		t.Error("the reserved words are not in order")
	}
}
