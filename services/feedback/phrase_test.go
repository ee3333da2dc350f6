package feedback

import (
	"slices"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

var mueller = &leadv1.PersonalData{Name: "Jörg Müller", FirstName: "Jörg", LastName: "Müller", Email: "j.mueller-hansen@rapidparts.example", Company: "Rapid Parts & Söhne GmbH"}

func TestPhrases(t *testing.T) {
	got, err := phrases([]string{"  Too   SLOW ", "month-end’s rush", "too slow", "", "über 1000 bestellungen"}, ownWords(mueller))
	if err != nil || !slices.Equal(got, []string{"too slow", "month-end's rush", "über 1000 bestellungen"}) {
		t.Fatalf("kept %q, %v", got, err)
	}
}

// Goes red if: a phrase that is long, holds an address or a number to call, or names the
// person, is kept, or if the refusal says it again.
func TestPhrasesRefused(t *testing.T) {
	for phrase, why := range map[string]string{
		"one two three four five six seven":                               "more than 6 words",
		"abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghi": "longer than 60",
		"ask me@firm":          "an address",
		"call 12345":           "a long number",
		"call 0171 23 45":      "a long number",
		"call 01-71-2":         "a long number",
		"what? now":            "something other than letters",
		"cheaper & better":     "something other than letters",
		"too - slow":           "a word without letters",
		"says müller":          "own name",
		"says MULLER's team":   "own name",
		"the hansen way":       "own name",
		"rapidparts first":     "own name",
		"rapid delivery":       "own name",
		"as joerg, no as jörg": "something other than letters",
		"jörg wants it":        "own name",
		"the söhne decide":     "own name",
		"müller-like":          "own name",
		"our gmbh":             "own name",
	} {
		_, err := phrases([]string{"fine", phrase}, ownWords(mueller))
		switch {
		case !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "phrases: number 2 ") || !strings.Contains(err.Error(), why):
			t.Errorf("%q: %v; want to hear that number 2 holds %s", phrase, err, why)
		default:
			for _, word := range strings.Fields(phrase) {
				if len(word) > 4 && strings.Contains(err.Error(), word) {
					t.Errorf("the refusal says %q again: %v", word, err)
				}
			}
		}
	}
	if _, err := phrases(strings.Split("a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2", " "), nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("eleven phrases: %v", err)
	}
	// Four digits are a year; the end of a domain and a single letter name nobody.
	if got, err := phrases([]string{"budget 2027", "example j"}, ownWords(mueller)); err != nil || len(got) != 2 {
		t.Errorf("harmless ones: %q, %v", got, err)
	}
}
