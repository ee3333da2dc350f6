package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Formats of dates that are numbers.
const (
	formatUnix   = "unix"
	formatUnixMS = "unix-ms"
)

// dateParts are the parts of a date's format, longest first.
var dateParts = []struct{ part, layout string }{
	{"YYYY", "2006"},
	{"MMMM", "January"},
	{"MMM", "Jan"},
	{"MM", "01"},
	{"M", "1"},
	{"DD", "02"},
	{"D", "2"},
	{"HH", "15"},
	{"hh", "03"},
	{"h", "3"},
	{"mm", "04"},
	{"ss", "05"},
	{"AM", "PM"},
	{"ZZZ", "Z07:00"},
}

// layoutOf turns a format as people write it into Go's.
func layoutOf(format string) (string, error) {
	var b strings.Builder
	day, month, year := false, false, false
next:
	for rest := format; rest != ""; {
		for _, p := range dateParts {
			if after, ok := strings.CutPrefix(rest, p.part); ok {
				b.WriteString(p.layout)
				rest = after
				day, month, year = day || p.part[0] == 'D', month || p.part[0] == 'M', year || p.part[0] == 'Y'
				continue next
			}
		}
		c := rest[0]
		if !strings.ContainsRune(" -/.:,T", rune(c)) {
			return "", fault.New(fault.Invalid, "the format %q has a part that is not known at %q; write it with YYYY MM DD HH mm ss, such as DD.MM.YYYY HH:mm", format, rest)
		}
		b.WriteByte(c)
		rest = rest[1:]
	}
	if !day || !month || !year {
		return "", fault.New(fault.Invalid, "the format %q lacks the day, the month or the year; write one such as DD.MM.YYYY", format)
	}
	return b.String(), nil
}

// isoLayouts are the dates that need no declaration: year first.
var isoLayouts = []string{
	time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
}

var dayFirstOrMonthFirst = regexp.MustCompile(`^(\d{1,2})([./-])(\d{1,2})[./-](\d{4}|\d{2})(.*)$`)

// date reads one of the dates; nil where the cell is empty.
func (m *mapping) date(cells []string, field string) (*time.Time, *refusal) {
	c, there := m.own[field]
	if !there {
		return nil, nil
	}
	text, _ := c.text(cells)
	if text == "" {
		return nil, nil
	}
	t, why := c.instant(text)
	if why != "" {
		return nil, &refusal{c.name, field + " " + why}
	}
	return &t, nil
}

// instant reads a date, or says what is wrong with it.
func (c *column) instant(text string) (t time.Time, why string) {
	switch {
	case c.spec.Format == formatUnix || c.spec.Format == formatUnixMS:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > 1<<44 {
			return t, "does not have the declared format " + c.spec.Format
		}
		if c.spec.Format == formatUnix {
			return time.Unix(n, 0).UTC(), ""
		}
		return time.UnixMilli(n).UTC(), ""
	case c.layout != "":
		t, err := time.ParseInLocation(c.layout, text, c.zone)
		if err != nil {
			return t, "does not have the declared format " + c.spec.Format
		}
		return t, ""
	}
	for _, layout := range isoLayouts {
		if t, err := time.ParseInLocation(layout, text, c.zone); err == nil {
			return t, ""
		}
	}
	if parts := dayFirstOrMonthFirst.FindStringSubmatch(text); parts != nil {
		return t, c.ambiguous(parts)
	}
	return t, "is no date such as 2026-04-03 or 2026-04-03T18:00:00+02:00; declare its format in the map, such as format: DD.MM.YYYY HH:mm"
}

// ambiguous says how a date that begins with its day or its month can be read,
// and what to write in the map so that it is read in one way.
func (c *column) ambiguous(parts []string) string {
	mark, year, clock := parts[2], "YYYY", ""
	if len(parts[4]) == 2 {
		return "has a year of two digits; write years with four"
	}
	if strings.Contains(parts[5], ":") {
		clock = " HH:mm"
		if strings.Count(parts[5], ":") > 1 {
			clock += ":ss"
		}
	}
	a, _ := strconv.Atoi(parts[1])
	b, _ := strconv.Atoi(parts[3])
	format := func(first, second string) string {
		return fmt.Sprintf("%s: {column: %q, format: %s%s%s%s%s%s}", c.field, cell(c.name), first, mark, second, mark, year, clock)
	}
	day, month := readAs(a, b, parts[4]), readAs(b, a, parts[4])
	example := parts[1] + mark + parts[3] + mark + parts[4]
	switch {
	case day != "" && month != "" && a != b:
		return fmt.Sprintf("is ambiguous: %s can be %s or %s; write in the map under columns %s for the first, or %s for the second", example, day, month, format("DD", "MM"), format("MM", "DD"))
	case month == "" && day != "":
		return fmt.Sprintf("begins with its day or its month: %s can only be %s, but others of the column can be read in two ways; write in the map under columns %s", example, day, format("DD", "MM"))
	case day == "" && month != "":
		return fmt.Sprintf("begins with its day or its month: %s can only be %s, but others of the column can be read in two ways; write in the map under columns %s", example, month, format("MM", "DD"))
	case day == "":
		return "is no date such as 2026-04-03; declare its format in the map, such as format: DD.MM.YYYY HH:mm"
	}
	return fmt.Sprintf("begins with its day or its month, which of them is open; write in the map under columns %s or %s", format("DD", "MM"), format("MM", "DD"))
}

// readAs is a date in words; empty where there is no such day.
func readAs(day, month int, year string) string {
	t, err := time.Parse("2.1.2006", fmt.Sprintf("%d.%d.%s", day, month, year))
	if err != nil {
		return ""
	}
	return t.Format("2 January 2006")
}
