package feedback

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Phrases are words of a prospect that marketing wants to hear again. They stand in the
// clear, so they are short, plain and nobody's: a fault about one never repeats it.

const (
	maxPhrase   = 60
	maxWords    = 6
	mostDigits  = 4
	mostPhrases = 10
)

// phrases reads phrases as they are kept: in lower case, each once, with single blanks.
// None may hold one of the words of the lead's own person.
func phrases(typed []string, own map[string]bool) (out []string, err error) {
	seen := map[string]bool{}
	for i, text := range typed {
		phrase := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(norm.NFC.String(text), "’", "'")), " "))
		if phrase == "" || seen[phrase] {
			continue
		}
		if why := unfit(phrase, own); why != "" {
			return nil, fault.New(fault.Invalid, "phrases: number %d %s", i+1, why)
		}
		seen[phrase] = true
		out = append(out, phrase)
	}
	if len(out) > mostPhrases {
		return nil, fault.New(fault.Invalid, "phrases: there are %d; say the %d that matter most", len(out), mostPhrases)
	}
	return out, nil
}

// unfit says why a phrase is not kept; empty = it is.
func unfit(phrase string, own map[string]bool) string {
	words := strings.Fields(phrase)
	switch {
	case len([]rune(phrase)) > maxPhrase:
		return "is longer than 60 characters: a phrase is a few words as they were used"
	case len(words) > maxWords:
		return "has more than 6 words: a phrase is a few words as they were used; the rest goes into the note"
	case strings.ContainsRune(phrase, '@'):
		return "holds an address: phrases are read by everybody; what is personal goes into the note, which is sealed"
	case strings.ContainsFunc(phrase, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" -'", r)
	}):
		return "holds something other than letters, digits, hyphens and apostrophes"
	case longNumber(phrase):
		return "holds a long number, such as of a telephone: phrases are read by everybody; what is personal goes into the note, which is sealed"
	}
	for _, word := range words {
		if strings.Trim(word, "-'") == "" {
			return "holds a word without letters and digits"
		}
	}
	for _, word := range wordsOf(phrase) {
		if own[word] {
			return "holds a word of the person's own name, e-mail or company: phrases are read by everybody; what is personal goes into the note, which is sealed"
		}
	}
	return ""
}

// longNumber says whether more digits follow each other than a year has, also where they
// are written in groups.
func longNumber(phrase string) bool {
	run := 0
	for _, r := range phrase {
		switch {
		case unicode.IsDigit(r):
			if run++; run > mostDigits {
				return true
			}
		case !strings.ContainsRune(" -'", r):
			run = 0
		}
	}
	return false
}

// wordsOf parts a text into its words, without case and accents.
func wordsOf(text string) []string {
	plain := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(text)))
	return strings.FieldsFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// ownWords are the words that name a lead's person: of the name, the e-mail address but
// for the end of its domain, and the company. A single letter names nobody.
func ownWords(p *leadv1.PersonalData) map[string]bool {
	own := map[string]bool{}
	local, domain, _ := strings.Cut(p.GetEmail(), "@")
	if i := strings.LastIndexByte(domain, '.'); i >= 0 {
		domain = domain[:i]
	}
	for _, text := range []string{p.GetName(), p.GetFirstName(), p.GetLastName(), local, domain, p.GetCompany()} {
		for _, word := range wordsOf(text) {
			if len([]rune(word)) > 1 {
				own[word] = true
			}
		}
	}
	return own
}
