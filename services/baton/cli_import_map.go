package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // A machine may have no time zones of its own.

	"github.com/goccy/go-yaml"

	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// fieldsOfPerson are the fields that say who it is and what they want, under
// the names by which the mapper of forms knows them.
var fieldsOfPerson = []string{
	"email", "phone", "name", "first_name", "last_name", "company", "job_title", "message",
	"country", "employees", "industry", "role", "product", "language", "contact_wish",
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}

// Fields beside those of the person.
const (
	fieldExternalID = "external_id"
	fieldReceived   = "received_at"
	fieldOwner      = "owner"
	fieldFirstTouch = "first_touch_at"
	fieldOutcome    = "outcome"
	fieldClosed     = "closed_at"
	fieldValue      = "value"
)

// fieldsOfHistory are the fields that only a file of the past has.
var fieldsOfHistory = []string{fieldReceived, fieldOwner, fieldFirstTouch, fieldOutcome, fieldClosed, fieldValue}

func isDateField(field string) bool {
	return field == fieldReceived || field == fieldFirstTouch || field == fieldClosed
}

func everyField() []string {
	return slices.Concat([]string{fieldExternalID}, fieldsOfPerson, fieldsOfHistory)
}

// mapFile is a map as it is written.
type mapFile struct {
	// Delimiter between cells; empty = found out.
	Delimiter string `yaml:"delimiter"`
	// Zone of times that name none; empty = UTC.
	Zone string `yaml:"zone"`
	// Columns says which column holds which field.
	Columns map[string]columnSpec `yaml:"columns"`
	// Answers says which columns hold further answers, under the agreement's keys.
	Answers map[string]columnSpec `yaml:"answers"`
}

// columnSpec says where a field comes from: a column's name, or more.
type columnSpec struct {
	Column string `yaml:"column"`
	// Format of a date, such as DD.MM.YYYY.
	Format string `yaml:"format"`
	// Map from what a cell holds to what is meant.
	Map map[string]string `yaml:"map"`
	// Default stands for an empty cell, or for every cell where no column is named.
	Default string `yaml:"default"`
	// Currency of a value.
	Currency string `yaml:"currency"`
	// Decimal mark of a value: "." or ",".
	Decimal string `yaml:"decimal"`
	// Scale is how many decimals of a value are written without a mark: 2 where a
	// column counts cents.
	Scale int `yaml:"scale"`
}

// UnmarshalYAML takes a bare name for the column.
func (s *columnSpec) UnmarshalYAML(read func(any) error) error {
	var name string
	if err := read(&name); err == nil {
		*s = columnSpec{Column: name}
		return nil
	}
	type whole columnSpec
	return read((*whole)(s))
}

// maxMap is as much of a file as can be a map.
const maxMap = 1 << 20

func readMap(path string) (*mapFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "the map cannot be read: %w", err)
	}
	defer f.Close()
	m := &mapFile{}
	dec := yaml.NewDecoder(io.LimitReader(f, maxMap), yaml.DisallowUnknownField())
	if err := dec.Decode(m); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "%s is empty; it must say under columns which column holds which field", path)
		}
		return nil, fault.New(fault.Invalid, "%s: %s", path, yaml.FormatError(err, false, true))
	}
	if len(m.Columns) == 0 {
		return nil, fault.New(fault.Invalid, "%s names no columns; write under columns which column holds which field", path)
	}
	return m, nil
}

// defaultMap takes columns by our own names for the fields; the rest are
// answers, of which the mapper of forms knows many.
func defaultMap(header []string, history bool) *mapFile {
	m := &mapFile{Columns: map[string]columnSpec{}, Answers: map[string]columnSpec{}}
	for _, name := range header {
		field := strings.ToLower(name)
		// What a value counts only a map can say, and new leads have no past.
		known := slices.Contains(everyField(), field) && field != fieldValue
		if known && (history || !slices.Contains(fieldsOfHistory, field)) {
			if _, twice := m.Columns[field]; !twice {
				m.Columns[field] = columnSpec{Column: name}
				continue
			}
		}
		m.Answers[name] = columnSpec{Column: name}
	}
	return m
}

// column is a field's way from a row's cells to its text.
type column struct {
	field string
	// at is the cell's place; -1 = no column, the default stands.
	at   int
	name string // of the column, for rejects
	spec columnSpec
	// folded is the map with its left sides in lower case.
	folded map[string]string
	// layout of a date, in Go's words; empty = ISO only.
	layout string
}

// mapping is a map that fits a file's header.
type mapping struct {
	header  []string
	fields  []column // of the person, in a fixed order
	answers []column
	own     map[string]column // external id and history
	zone    *time.Location
}

// fit holds a map against a header. Everything that is wrong with the map is
// said before the first row goes in.
func (m *mapFile) fit(header []string, history bool) (*mapping, error) {
	out := &mapping{header: header, own: map[string]column{}, zone: time.UTC}
	if m.Zone != "" {
		zone, err := time.LoadLocation(m.Zone)
		if err != nil || m.Zone == "Local" {
			return nil, fault.New(fault.Invalid, "the map's zone %q is not known; write one such as Europe/Berlin", m.Zone)
		}
		out.zone = zone
	}
	for _, field := range slices.Sorted(maps.Keys(m.Columns)) {
		if !slices.Contains(everyField(), field) {
			return nil, fault.New(fault.Invalid, "the map names a field %q that there is none of; the fields are %s", field, strings.Join(everyField(), ", "))
		}
	}
	for _, field := range everyField() {
		spec, there := m.Columns[field]
		if !there {
			continue
		}
		if slices.Contains(fieldsOfHistory, field) && !history {
			return nil, fault.New(fault.Invalid, "the map names %s, which only history has; add --history, or take it out of the map so that these are new leads", field)
		}
		c, err := fitColumn(header, field, spec)
		if err != nil {
			return nil, err
		}
		if field == fieldExternalID || slices.Contains(fieldsOfHistory, field) {
			out.own[field] = c
			continue
		}
		out.fields = append(out.fields, c)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Answers)) {
		c, err := fitColumn(header, key, m.Answers[key])
		if err != nil {
			return nil, err
		}
		out.answers = append(out.answers, c)
	}
	if history {
		for _, field := range []string{fieldExternalID, fieldReceived} {
			if _, there := out.own[field]; !there {
				return nil, fault.New(fault.Invalid, "history needs the field %s: say in a map (--map) which column holds it; the columns are %s", field, quotedList(header))
			}
		}
	}
	return out, nil
}

func fitColumn(header []string, field string, spec columnSpec) (column, error) {
	c := column{field: field, at: -1, name: spec.Column, spec: spec, folded: make(map[string]string, len(spec.Map))}
	for from, to := range spec.Map {
		word := strings.ToLower(strings.TrimSpace(from))
		if other, twice := c.folded[word]; twice && other != to {
			return c, fault.New(fault.Invalid, "the map of %s says two things about %q; capitals make no difference", field, word)
		}
		c.folded[word] = to
	}
	if spec.Column == "" {
		if spec.Default == "" {
			return c, fault.New(fault.Invalid, "the map says nothing about %s: name its column", field)
		}
		return c, misfit(&c)
	}
	for i, name := range header {
		if !strings.EqualFold(name, strings.TrimSpace(spec.Column)) {
			continue
		}
		if c.at >= 0 {
			return c, fault.New(fault.Invalid, "the file has two columns %q, so it is open which of them is %s", name, field)
		}
		c.at = i
	}
	if c.at < 0 {
		return c, fault.New(fault.Invalid, "the map takes %s from the column %q, which the file does not have; its columns are %s", field, spec.Column, quotedList(header))
	}
	return c, misfit(&c)
}

// misfit checks what is said about a field against what the field is.
func misfit(c *column) error {
	s := &c.spec
	switch {
	case s.Format != "" && !isDateField(c.field):
		return fault.New(fault.Invalid, "the map gives %s a format, which only dates have", c.field)
	case (s.Currency != "" || s.Decimal != "" || s.Scale != 0) && c.field != fieldValue:
		return fault.New(fault.Invalid, "the map gives %s a currency, decimal or scale, which only %s has", c.field, fieldValue)
	case c.field == fieldValue:
		digits, known := lead.MinorDigits(s.Currency)
		if !known {
			return fault.New(fault.Invalid, "the map must say which currency %s has, in three capital letters such as EUR", c.field)
		}
		if s.Decimal != "" && s.Decimal != "." && s.Decimal != "," {
			return fault.New(fault.Invalid, "the decimal mark of %s is %q; it can be \".\" or \",\"", c.field, s.Decimal)
		}
		if s.Scale < -9 || s.Scale > digits {
			return fault.New(fault.Invalid, "the scale of %s is %d; for %s it can be -9 to %d", c.field, s.Scale, s.Currency, digits)
		}
	case c.field == fieldOutcome:
		for _, to := range s.Map {
			if !slices.Contains(pastOutcomes, to) {
				return fault.New(fault.Invalid, "the map turns an %s into %q; it can be %s", c.field, to, strings.Join(pastOutcomes[1:], ", "))
			}
		}
	}
	if s.Format != "" {
		layout, err := layoutOf(s.Format)
		if err != nil {
			return err
		}
		c.layout = layout
	}
	return nil
}

// pastOutcomes are what can have become of a lead of the past.
var pastOutcomes = []string{"", "open", "won", "lost"}

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

func quotedList(names []string) string {
	const most = 40
	var b strings.Builder
	for i, name := range names {
		if i == most {
			b.WriteString(" and more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + cell(name) + `"`)
	}
	return b.String()
}
