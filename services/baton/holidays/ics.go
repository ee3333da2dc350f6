package holidays

import (
	"strings"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// event is one event of an iCalendar file while it is read.
type event struct {
	line             int
	name, start, end string
	startLine        int
	cancelled        bool
}

// longest bounds an event: what lasts longer is no holiday.
const longest = 31

// ReadICS reads the events of whole days of an iCalendar file (RFC 5545), each with its
// name; cancelled counts those that it leaves out because they are. What it does not
// understand it refuses with its line, instead of leaving days out: events that repeat by
// a rule, and events at a time of day.
func ReadICS(text string) (out []Day, cancelled int, err error) {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	var inside []string
	var one *event
	for i := 0; i < len(lines); i++ {
		at := i + 1
		line := strings.TrimSuffix(lines[i], "\r")
		// A line that begins with a blank goes on with the one before.
		for i+1 < len(lines) && (strings.HasPrefix(lines[i+1], " ") || strings.HasPrefix(lines[i+1], "\t")) {
			i++
			line += strings.TrimSuffix(lines[i][1:], "\r")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		property, value := parted(line)
		name, parameters, _ := strings.Cut(property, ";")
		name = strings.ToUpper(name)
		switch {
		case len(inside) == 0 && (name != "BEGIN" || !strings.EqualFold(value, "VCALENDAR")):
			return nil, 0, fault.New(fault.Invalid, "line %d: this is no iCalendar file; it begins with BEGIN:VCALENDAR", at)
		case name == "BEGIN":
			inside = append(inside, strings.ToUpper(value))
			if strings.EqualFold(value, "VEVENT") {
				one = &event{line: at}
			}
			continue
		case name == "END":
			if !strings.EqualFold(inside[len(inside)-1], value) {
				return nil, 0, fault.New(fault.Invalid, "line %d: END:%s ends what does not stand open", at, value)
			}
			inside = inside[:len(inside)-1]
			if strings.EqualFold(value, "VEVENT") && one != nil {
				days, err := one.days()
				if err != nil {
					return nil, 0, err
				}
				if one.cancelled {
					cancelled++
				} else {
					out = append(out, days...)
				}
				one = nil
			}
			continue
		case inside[len(inside)-1] != "VEVENT" || one == nil:
			continue
		}
		switch name {
		case "SUMMARY":
			one.name = unescaped(value)
		case "STATUS":
			one.cancelled = strings.EqualFold(value, "CANCELLED")
		case "DTSTART", "DTEND":
			if strings.Contains(strings.ToUpper(parameters), "VALUE=DATE-TIME") || len(value) != len("20261225") {
				return nil, 0, fault.New(fault.Invalid, "line %d: %s is at a time of day; only events of whole days are holidays (%[2]s;VALUE=DATE:20261225)", at, name)
			}
			if name == "DTSTART" {
				one.start, one.startLine = value, at
			} else {
				one.end = value
			}
		case "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "DURATION":
			if name == "DURATION" && value == "P1D" {
				continue
			}
			return nil, 0, fault.New(fault.Invalid, "line %d: the event that begins in line %d has %s, which is not understood; export a calendar that has each date written out", at, one.line, name)
		}
	}
	if len(inside) > 0 {
		return nil, 0, fault.New(fault.Invalid, "the file ends within %s; it is cut off", inside[len(inside)-1])
	}
	return out, cancelled, nil
}

// parted parts a line at the first colon outside of quotes.
func parted(line string) (property, value string) {
	quoted := false
	for i, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ':' && !quoted:
			return line[:i], line[i+1:]
		}
	}
	return line, ""
}

// unescaped takes the backslashes out of a text.
func unescaped(text string) string {
	return strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(text)
}

// days are the days of an event. Its end is the day after the last one.
func (e *event) days() ([]Day, error) {
	if e.start == "" {
		return nil, fault.New(fault.Invalid, "line %d: the event has no DTSTART", e.line)
	}
	first, err := time.Parse("20060102", e.start)
	if err != nil {
		return nil, fault.New(fault.Invalid, "line %d: DTSTART is no date", e.startLine)
	}
	after := first.AddDate(0, 0, 1)
	if e.end != "" {
		if after, err = time.Parse("20060102", e.end); err != nil {
			return nil, fault.New(fault.Invalid, "line %d: the event's DTEND is no date", e.line)
		}
	}
	if after.Before(first) || after.After(first.AddDate(0, 0, longest)) {
		return nil, fault.New(fault.Invalid, "line %d: the event ends before it begins, or more than %d days after; that is no holiday", e.line, longest)
	}
	if after.Equal(first) {
		after = first.AddDate(0, 0, 1)
	}
	var out []Day
	for day := first; day.Before(after); day = day.AddDate(0, 0, 1) {
		out = append(out, Day{day.Format(time.DateOnly), []string{e.name}})
	}
	return out, nil
}
