package main

import (
	"strings"
	"testing"
)

// A table that says how much of a cell fits goes on below with the rest, between
// words; what is one word stays whole.
func TestLongCellsGoOnBelow(t *testing.T) {
	for most, want := range map[int]string{
		0: "NAME   WHAT IT IS                TIMES\n" +
			"one    how often\u00e9 this happened  3\n" +
			"other  unbreakable-word          -\n",
		10: "NAME   WHAT IT IS        TIMES\n" +
			"one    how often\u00e9        3\n" +
			"       this\n" +
			"       happened\n" +
			"other  unbreakable-word  -\n",
	} {
		table := table{head: []string{"NAME", "WHAT IT IS", "TIMES"}, most: most}
		table.add("one", "how often\u00e9 this happened", "3")
		table.add("other", "unbreakable-word", "-")
		var out strings.Builder
		if err := table.write(&out); err != nil {
			t.Fatal(err)
		}
		same(t, "a table", out.String(), want)
	}
}
