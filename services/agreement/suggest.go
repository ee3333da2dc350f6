package agreement

import (
	"fmt"
	"strings"
)

// suggest answers ` (did you mean "x"?)` for the nearest of the words, or nothing
// where none is near. Ties go to the earlier word.
func suggest(text string, words []string) string {
	// Comparing cost grows with length; nobody mistypes a word this long.
	if len(text) > 64 {
		return ""
	}
	best, bestDistance := "", 3
	folded := strings.ToLower(text)
	for _, word := range words {
		if len(word) > 64 {
			continue
		}
		limit := min(bestDistance, max(1, len([]rune(word))/2)+1)
		if d := distance([]rune(folded), []rune(strings.ToLower(word))); d < limit {
			best, bestDistance = word, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance counts the insertions, deletions and replacements between two words.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := 1
			if x == y {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// oneOf joins words for a sentence: a, b or c.
func oneOf(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
