package agreement

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// TestPlaceOfCharacter writes a condition into YAML in every way that a scalar
// can be written, marks one character, and asks where it stands.
func TestPlaceOfCharacter(t *testing.T) {
	words := rapid.SampledFrom([]string{"lead.employees", ">=", "20", "&&", "(", ")", "'ä'", `"DE"`, "it''s", "!x", "in", "[1,2]"})
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(words, 1, 6).Draw(t, "parts")
		// The mark is a character that nothing else has.
		mark := rapid.IntRange(0, len(parts)-1).Draw(t, "mark")
		parts[mark] = "§" + parts[mark]
		style := rapid.IntRange(0, 6).Draw(t, "style")
		breaks := rapid.SliceOfN(rapid.Bool(), len(parts), len(parts)).Draw(t, "breaks")
		body := func(indent string) string {
			var b strings.Builder
			for i, p := range parts {
				if i > 0 {
					if breaks[i] {
						b.WriteString("\n" + indent)
					} else {
						b.WriteString(" ")
					}
				}
				b.WriteString(p)
			}
			return b.String()
		}
		var source string
		switch style {
		case 0:
			source = "# é\nkey: x" + body("  ") + "\n"
		case 1:
			source = "key: '" + strings.ReplaceAll(body("  "), "'", "''") + "'\n"
		case 2:
			source = "key: \"" + strings.ReplaceAll(strings.ReplaceAll(body("  "), `\`, `\\`), `"`, `\"`) + "\"\n"
		case 3:
			source = "key: |\n  " + body("  ") + "\n"
		case 4:
			source = "a:\n  key: >-\n    " + body("    ") + "\n"
		case 5:
			source = "key: |- # a note\n\n      " + body("      ") + "\n"
		case 6:
			source = "key: \"\\u00e9\\t " + strings.ReplaceAll(body("  "), `"`, `\x22`) + "\"\n"
		}
		found := &findings{}
		root, ok := parse([]byte(source), found)
		if !ok {
			return // not a scalar in this style: the draw says nothing
		}
		r := &reader{findings: *found}
		list, _ := r.entries(root)
		v := list[0].value
		if v.kind() == "a mapping" {
			list, _ = r.entries(v)
			v = list[0].value
		}
		text, ok := v.scalar()
		offset := strings.IndexRune(text, '§')
		if !ok || offset < 0 {
			return // not a scalar in this style: the draw says nothing
		}
		at := v.at(r.lines, text, len([]rune(text[:offset])))
		if got := r.lines[at.line-1][at.col-1]; got != '§' {
			t.Fatalf("%s\nline %d, column %d is %q, not the mark", source, at.line, at.col, got)
		}
	})
}

// TestPlaceIsAlwaysInTheDocument holds that no offset leads outside.
func TestPlaceIsAlwaysInTheDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom(nil, unicode.Letter, unicode.Zs)).Draw(t, "text")
		source := "key: |\n  x" + text + "\n"
		found := &findings{}
		root, ok := parse([]byte(source), found)
		if !ok {
			return // not readable: the draw says nothing
		}
		r := &reader{findings: *found}
		list, _ := r.entries(root)
		value, _ := list[0].scalar()
		at := list[0].at(r.lines, value, rapid.IntRange(0, 1000).Draw(t, "offset"))
		if at.line < 1 || at.col < 1 || at.line > len(r.lines) {
			t.Fatalf("line %d, column %d", at.line, at.col)
		}
	})
}

func TestExcerpt(t *testing.T) {
	l := newLines("short\n\tä x\n" + strings.Repeat("a", 200) + "b" + strings.Repeat("c", 200))
	cases := []struct {
		line, col int
		want      string
	}{
		{1, 1, "  1 | short\n    | ^"},
		{1, 99, "  1 | short\n    |      ^"},
		{2, 4, "  2 | \tä x\n    | \t  ^"},
		{9, 1, ""},
		{0, 0, ""},
		{3, 201, fmt.Sprintf("  3 | …%sb%s…\n    | %s^", strings.Repeat("a", 70), strings.Repeat("c", 69), strings.Repeat(" ", 71))},
	}
	for _, c := range cases {
		if got := l.excerpt(c.line, c.col); got != c.want {
			t.Errorf("%d:%d\n%s\nwant\n%s", c.line, c.col, got, c.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	words := []string{"software", "retail", "it", "take_within"}
	for in, want := range map[string]string{
		"sofware": `software`, "Retial": "retail", "takewithin": "take_within", "steel": "", "x": "", "at": "it", "": "",
	} {
		got := suggest(in, words)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("suggest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]string{
		"30m": "30m0s", "2h": "2h0m0s", "3d": "72h0m0s", "1h30m": "1h30m0s", "1d12h": "36h0m0s",
	} {
		if d, ok := parseDuration(in); !ok || d.String() != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %s", in, d, ok, want)
		}
	}
	for _, in := range []string{"", "3", "h", "1.5h", "-2h", "2h1d", "1h1h", "2 h", "1s", "99999999999999999999h", "9999999999999d", "2hours"} {
		if d, ok := parseDuration(in); ok {
			t.Errorf("parseDuration(%q) = %v, want a refusal", in, d)
		}
	}
}
