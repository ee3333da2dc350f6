package main

import (
	"encoding/csv"
	"io"
	"regexp"
)

// csvWriter writes CSV that a spreadsheet does not compute: whatever Baton
// writes as CSV goes through it, because what people typed may stand in any cell.
type csvWriter struct{ csv *csv.Writer }

func newCSVWriter(w io.Writer) *csvWriter { return &csvWriter{csv.NewWriter(w)} }

func (c *csvWriter) write(row ...string) error {
	out := make([]string, len(row))
	for i, text := range row {
		out[i] = harmless(text)
	}
	return c.csv.Write(out)
}

// flush hands on what is held, and says what went wrong on the way.
func (c *csvWriter) flush() error {
	c.csv.Flush()
	return c.csv.Error()
}

var plainNumber = regexp.MustCompile(`^[+-]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?%?$`)

// harmless keeps a spreadsheet from taking a cell for a formula. A plain number
// stays one, with its sign.
func harmless(c string) string {
	if c == "" {
		return c
	}
	switch c[0] {
	case '=', '+', '-', '@', '\t', '\r':
		if !plainNumber.MatchString(c) {
			return "'" + c
		}
	}
	return c
}
