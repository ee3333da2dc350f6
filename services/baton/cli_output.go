package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// isTerminal says whether somebody looks at what is written there.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// coloured says whether colours may be used there.
func coloured(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// plain makes text from outside fit for a terminal: it cannot move the cursor,
// change colours or turn the direction of what follows.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// cell is plain text on one line.
func cell(s string) string { return strings.ReplaceAll(plain(s), "\n", " ") }

// dash stands for nothing in a table, so that a gap is no mistake.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// table is a head and rows, aligned when it is written.
type table struct {
	head []string
	rows [][]string
	// most is how many letters of a cell stand on one line; 0 = all of them.
	most int
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	var b bytes.Buffer
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		for _, line := range t.broken(row) {
			fmt.Fprintln(tw, strings.Join(line, "\t"))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	// The last column needs no blanks behind it, and the head is marked after
	// the columns were measured: marks would count as letters.
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if i == 0 && coloured(w) {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// broken is a row as the lines on which it stands: cells that are too long go on
// below, broken between words.
func (t *table) broken(row []string) [][]string {
	var lines [][]string
	put := func(at, column int, text string) {
		if at == len(lines) {
			lines = append(lines, make([]string, len(row)))
		}
		lines[at][column] = text
	}
	for i, c := range row {
		at, line := 0, ""
		for _, word := range strings.Split(cell(c), " ") {
			switch {
			case line == "":
				line = word
			case t.most == 0 || utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= t.most:
				line += " " + word
			default:
				put(at, i, line)
				at, line = at+1, word
			}
		}
		put(at, i, line)
	}
	return lines
}

// facts is a list of names and values, one a line.
type facts struct{ rows [][2]string }

// add leaves out what has no value.
func (f *facts) add(name, value string) {
	if value != "" {
		f.rows = append(f.rows, [2]string{name, value})
	}
}

func (f *facts) write(w io.Writer) error {
	width := 0
	for _, row := range f.rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	for _, row := range f.rows {
		name := row[0] + strings.Repeat(" ", width-utf8.RuneCountInString(row[0]))
		if coloured(w) {
			name = "\x1b[1m" + name + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", name, cell(row[1])); err != nil {
			return err
		}
	}
	return nil
}

// stamp is an instant with its zone; empty where there is none.
func stamp(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format(time.RFC3339)
}

// instant reads a point in time as people type it: a date is its midnight UTC,
// a time needs its zone.
func instant(cmd *cobra.Command, flag, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, misused(cmd, "--%s is %q; write a date (2026-03-31, midnight UTC) or a time with its zone (2026-03-31T18:00:00+02:00)", flag, text)
}

// instantFlag reads the instant of a flag; nil where it was not given.
func instantFlag(cmd *cobra.Command, flag string) (*timestamppb.Timestamp, error) {
	text, err := cmd.Flags().GetString(flag)
	if err != nil {
		return nil, err
	}
	return instant(cmd, flag, text)
}

// spanFlags reads the flags that bound a span of time; nil where one is empty.
func spanFlags(cmd *cobra.Command) (from, to *timestamppb.Timestamp, err error) {
	if from, err = instantFlag(cmd, "from"); err == nil {
		to, err = instantFlag(cmd, "to")
	}
	return from, to, err
}

// messageJSON is a message in the names of its contract, with every field.
func messageJSON(m proto.Message) (json.RawMessage, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	// protojson varies its blanks on purpose; what is piped on should not vary.
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeMessage(w io.Writer, m proto.Message) error {
	raw, err := messageJSON(m)
	if err != nil {
		return err
	}
	return writeJSON(w, raw)
}

// grouped writes a whole number so that it can be read: 8,800.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// counted is a number and what it counts.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// indented sets every line that is written to it a little in.
type indented struct{ w io.Writer }

// Write takes whole lines.
func (i indented) Write(p []byte) (int, error) {
	if _, err := i.w.Write(append([]byte("  "), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
