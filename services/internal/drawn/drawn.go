// Package drawn tells a property test whether enough was drawn to hold that every
// kind of case came up. What it promises: true whenever tests run as they are; false
// only where somebody asked for fewer cases than that, as the race step of the gate
// does.
package drawn

import (
	"flag"
	"strconv"
)

// usual is how many cases rapid draws unless told.
const usual = 100

// Enough tells whether at least as many cases are drawn as usual. It holds for the
// package "pgregory.net/rapid", by whose flag it goes.
func Enough() bool {
	f := flag.Lookup("rapid.checks")
	if f == nil {
		return true
	}
	n, err := strconv.Atoi(f.Value.String())
	return err != nil || n >= usual
}
