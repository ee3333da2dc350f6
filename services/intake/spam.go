package intake

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Rules that mark a submission as spam, in the words that the refusal shows.
// What is marked is kept and listed, and never worked.
const (
	SpamTooFast   = "the form was sent sooner after it was shown than anybody can fill it in"
	SpamRepeats   = "several different questions were answered with the same long text"
	SpamGibberish = "several answers are random letters"
)

// tooFast is the least time that a person needs for a form.
const tooFast = 2 * time.Second

// renderTimes are the keys under which forms send when they were shown.
var renderTimes = set("renderedat", "formrenderedat", "rendertime", "formloadedat", "loadedat", "formstartedat")

// spam answers the rule by which a submission is spam; empty if none does. Two
// answers have to agree before a text counts as spam: a name alone proves
// nothing, whatever it looks like.
func spam(p *leadv1.PersonalData, received time.Time) string {
	for _, a := range p.GetOther() {
		if !renderTimes[norm(a.GetKey())] {
			continue
		}
		// A clock that is ahead of ours proves nothing.
		if shown, ok := moment(a.GetValue()); ok && !shown.After(received) && received.Sub(shown) < tooFast {
			return SpamTooFast
		}
	}
	texts := []string{p.GetFirstName(), p.GetLastName(), p.GetCompany(), p.GetJobTitle(), p.GetMessage()}
	if p.GetFirstName() == "" && p.GetLastName() == "" {
		texts[0] = p.GetName()
	}
	same, random := map[string]int{}, 0
	for _, text := range texts {
		if word := norm(text); len(word) >= 8 {
			if same[word]++; same[word] >= 3 {
				return SpamRepeats
			}
		}
		if gibberish(text) {
			random++
		}
	}
	if random >= 2 {
		return SpamGibberish
	}
	return ""
}

// moment reads an instant as scripts write it: seconds or milliseconds since
// 1970, or RFC 3339.
func moment(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		switch len(text) {
		case 10:
			return time.Unix(n, 0), true
		case 13:
			return time.UnixMilli(n), true
		}
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t, err == nil
}

// gibberish says whether a text is one word of random letters: capitals in the
// middle again and again, or a long word without a vowel. Only plain letters
// are judged: what other scripts spell is not ours to doubt.
func gibberish(text string) bool {
	text = strings.TrimSpace(text)
	if len(text) < 8 {
		return false
	}
	capitals, vowels := 0, 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 && text[i-1] >= 'a' && text[i-1] <= 'z' {
				capitals++
			}
		case c >= 'a' && c <= 'z':
		default:
			return false
		}
		if strings.ContainsRune("aeiouy", unicode.ToLower(rune(c))) {
			vowels++
		}
	}
	// "MacDonald-like" names have one capital inside, company names two or three.
	return capitals >= 4 || vowels == 0
}
