package agreement

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
)

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// oneLine brings a rendered document to one line of words.
func oneLine(text string) string { return blanks.ReplaceAllString(text, " ") }

func pageWords(page []byte) string {
	_, body, _ := strings.Cut(string(page), "<body>")
	return oneLine(html.UnescapeString(tags.ReplaceAllString(body, "")))
}

// Every sentence and every condition of the document can be read on what people
// sign, as page and as text.
func TestWhatIsSignedCanBeRead(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{"starter": starterDocument(t), "good": string(good)} {
		a := mustCompile(t, doc)
		page, err := a.HTML(Sheet{})
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := yaml.Unmarshal([]byte(doc), &root); err != nil {
			t.Fatal(err)
		}
		var sentences []string
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for key, below := range v {
					if key != "keys" && key != "hours" {
						walk(below)
					}
				}
			case []any:
				for _, below := range v {
					walk(below)
				}
			case string:
				if strings.Contains(v, " ") || strings.HasPrefix(v, "ed25519:") {
					sentences = append(sentences, oneLine(strings.TrimSpace(v)))
				}
			}
		}
		walk(root)
		text, onPage := oneLine(a.Text(Sheet{})), pageWords(page)
		if len(sentences) < 40 && name == "starter" {
			t.Errorf("%s: only %d sentences were looked for", name, len(sentences))
		}
		for _, s := range sentences {
			if !strings.Contains(onPage, s) {
				t.Errorf("%s: %q is not on the page", name, s)
			}
			if !strings.Contains(text, s) {
				t.Errorf("%s: %q is not in the text", name, s)
			}
		}
	}
}

func TestTheDocumentStandsAlone(t *testing.T) {
	t.Parallel()
	a := mustCompile(t, strings.Replace(starterDocument(t), "name: Lead agreement", `name: "<script>alert(1)</script> Lead agreement`+`"`+"\n#", 1))
	page, err := a.HTML(Sheet{})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"<script", "src=", "http://", "https://", "url(", "@import"} {
		if strings.Contains(string(page), wrong) {
			t.Errorf("%q is on the page", wrong)
		}
	}
	if !strings.Contains(string(page), "&lt;script&gt;") || !strings.Contains(string(page), "@page { size: A4") {
		t.Error("the name is not shown, or it would not print")
	}
	fragment, err := a.Fragment(Sheet{})
	if err != nil || strings.Contains(string(fragment), "<style") || strings.Contains(string(fragment), "style=") || !strings.Contains(string(page), string(fragment)) {
		t.Errorf("the content is not that of the page, or brings styles along: %v", err)
	}
}

func TestHowFarItIsStandsOnTheDocument(t *testing.T) {
	t.Parallel()
	a := mustCompile(t, starterDocument(t))
	day := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	one := []Signature{{Party: Sales, At: day, Actor: "sam", PublicKey: make([]byte, 32)}}
	both := append(one, Signature{Party: Marketing, At: day.Add(time.Hour), PublicKey: make([]byte, 32)})
	for want, s := range map[string]Sheet{
		"Draft. Nobody has proposed it yet, and nothing uses it.":                                              {},
		"Version 2. A draft that nobody has signed. Nothing uses it before both have.":                         {Version: 2, Standing: agreementv1.Standing_STANDING_DRAFT},
		"A draft that only sales has signed. Nothing uses it before marketing has, too.":                       {Version: 2, Standing: agreementv1.Standing_STANDING_DRAFT, Signatures: one},
		"Both have signed. It is in force from 3 March 2026, 12:00 UTC.":                                       {Version: 2, Standing: agreementv1.Standing_STANDING_AGREED, Signatures: both, InForceFrom: day.AddDate(0, 0, 1)},
		"In force since 2 March 2026, 13:00 UTC.":                                                              {Version: 2, Standing: agreementv1.Standing_STANDING_IN_FORCE, Signatures: both, InForceFrom: day.Add(time.Hour)},
		"It was in force from 2 March 2026, 12:00 UTC until 3 March 2026, 12:00 UTC.":                          {Version: 2, Standing: agreementv1.Standing_STANDING_PAST, Signatures: both, InForceFrom: day, InForceEnd: day.AddDate(0, 0, 1)},
		"Both have signed, but a later version was in force before its time came.":                             {Version: 2, Standing: agreementv1.Standing_STANDING_PAST, Signatures: both, InForceFrom: day, InForceEnd: day},
		"For sales: Head of sales signed 2 March 2026, 12:00 UTC, brought by sam with the key ed25519:AAAAAAA": {Version: 2, Signatures: one},
		"Proposed 2 March 2026, 12:00 UTC by mia. Why: Too many students.":                                     {Version: 2, ProposedAt: day, ProposedBy: "mia", Why: "Too many students."},
	} {
		if text := oneLine(a.Text(s)); !strings.Contains(text, want) {
			t.Errorf("%q is not in the text of %+v:\n%.300s", want, s, text)
		}
	}
	if text := a.Text(Sheet{Version: 2, Signatures: one}); strings.Count(text, "Place, date") != 1 {
		t.Error("there is not exactly one place left to sign")
	}
}
