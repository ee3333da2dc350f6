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

// mapFile is a map as it is written.
type mapFile struct {
	// Delimiter between cells; empty = found out.
	Delimiter string `yaml:"delimiter"`
	// Encoding of the file; empty = UTF-8, or what the file's first bytes say.
	Encoding string `yaml:"encoding"`
	// Decimal mark of values whose column names none.
	Decimal string `yaml:"decimal"`
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
	// Format of a date, such as DD.MM.YYYY, or unix or unix-ms.
	Format string `yaml:"format"`
	// Zone of a date that names none; empty = the map's.
	Zone string `yaml:"zone"`
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
	if len(m.Columns) == 0 && (len(m.Answers) > 0 || m.Delimiter+m.Encoding+m.Decimal == "") {
		return nil, fault.New(fault.Invalid, "%s names no columns; write under columns which column holds which field", path)
	}
	return m, nil
}

// withColumns is a map that names no columns, filled up: columns by our own
// names for the fields; the rest are answers, of which the mapper of forms knows
// many.
func (m *mapFile) withColumns(header []string, k kind) *mapFile {
	out := *m
	out.Columns, out.Answers = map[string]columnSpec{}, map[string]columnSpec{}
	for _, name := range header {
		field := strings.ToLower(name)
		// What a value counts only a map can say.
		if slices.Contains(k.all(), field) && field != fieldValue {
			if _, twice := out.Columns[field]; !twice {
				out.Columns[field] = columnSpec{Column: name}
				continue
			}
		}
		if k.person {
			out.Answers[name] = columnSpec{Column: name}
		}
	}
	return &out
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
	zone   *time.Location
}

// mapping is a map that fits a file's header.
type mapping struct {
	header  []string
	fields  []column // of the person, in a fixed order
	answers []column
	own     map[string]column // of the kind of file
	// rest says that what no column takes is an answer too: there was no map.
	rest bool
}

// fit holds a map against a header. Everything that is wrong with the map is
// said before the first row goes in.
func (m *mapFile) fit(header []string, k kind) (*mapping, error) {
	out := &mapping{header: header, own: map[string]column{}}
	if len(m.Columns) == 0 {
		m, out.rest = m.withColumns(header, k), k.person
	}
	zone, err := zoneOf(m.Zone, time.UTC)
	if err != nil {
		return nil, err
	}
	for _, field := range slices.Sorted(maps.Keys(m.Columns)) {
		switch {
		case slices.Contains(k.all(), field):
		case k.name == kindLeads && slices.Contains(historyKind.own, field):
			field = historyKind.own[slices.IndexFunc(historyKind.own, func(f string) bool { _, named := m.Columns[f]; return named && f != fieldExternalID })]
			return nil, fault.New(fault.Invalid, "the map names %s, which only history has; add --history, or take it out of the map so that these are new leads", field)
		default:
			return nil, fault.New(fault.Invalid, "the map names a field %q that there is none of; the fields are %s", field, strings.Join(k.all(), ", "))
		}
	}
	if len(m.Answers) > 0 && !k.person {
		return nil, fault.New(fault.Invalid, "the map names answers, which only leads have; take them out for --kind %s", k.name)
	}
	for _, field := range k.all() {
		spec, there := m.Columns[field]
		if !there {
			continue
		}
		if field == fieldValue && spec.Decimal == "" {
			spec.Decimal = m.Decimal
		}
		_, priced := m.Columns[fieldCurrency]
		c, err := fitColumn(header, field, spec, k, priced)
		if err != nil {
			return nil, err
		}
		if c.zone, err = zoneOf(spec.Zone, zone); err != nil {
			return nil, err
		}
		if slices.Contains(k.own, field) {
			out.own[field] = c
			continue
		}
		out.fields = append(out.fields, c)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Answers)) {
		c, err := fitColumn(header, key, m.Answers[key], k, false)
		if err != nil {
			return nil, err
		}
		out.answers = append(out.answers, c)
	}
	for _, field := range k.needs {
		if _, there := out.own[field]; !there {
			return nil, fault.New(fault.Invalid, "%s needs the field %s: say in a map (--map) which column holds it; the columns are %s", k.name, field, quotedList(header))
		}
	}
	if len(k.names) > 0 && !slices.ContainsFunc(k.names, func(field string) bool { _, there := out.own[field]; return there }) {
		return nil, fault.New(fault.Invalid, "%s needs the field %s: say in a map (--map) which column holds it; the columns are %s", k.name, strings.Join(k.names, " or "), quotedList(header))
	}
	return out, nil
}

// zoneOf finds a zone by its name.
func zoneOf(name string, otherwise *time.Location) (*time.Location, error) {
	if name == "" {
		return otherwise, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fault.New(fault.Invalid, "the map's zone %q is not known; write one such as Europe/Berlin", name)
	}
	return zone, nil
}

func fitColumn(header []string, field string, spec columnSpec, k kind, priced bool) (column, error) {
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
		return c, misfit(&c, k, priced)
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
	return c, misfit(&c, k, priced)
}

// misfit checks what is said about a field against what the field is.
//
// priced says that another column holds the currency.
func misfit(c *column, k kind, priced bool) error {
	s := &c.spec
	switch {
	case s.Zone != "" && !isDateField(c.field):
		return fault.New(fault.Invalid, "the map gives %s a zone, which only dates have", c.field)
	case s.Format != "" && !isDateField(c.field):
		return fault.New(fault.Invalid, "the map gives %s a format, which only dates have", c.field)
	case (s.Currency != "" || s.Decimal != "" || s.Scale != 0) && c.field != fieldValue:
		return fault.New(fault.Invalid, "the map gives %s a currency, decimal or scale, which only %s has", c.field, fieldValue)
	case c.field == fieldValue:
		digits, known := lead.MinorDigits(s.Currency)
		if priced && s.Currency == "" {
			digits, known = 9, true
		}
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
			if words := k.outcomes; !slices.Contains(words, to) {
				return fault.New(fault.Invalid, "the map turns an %s into %q; it can be %s", c.field, to, wordList(words))
			}
		}
	}
	if s.Format != "" && s.Format != formatUnix && s.Format != formatUnixMS {
		layout, err := layoutOf(s.Format)
		if err != nil {
			return err
		}
		c.layout = layout
	}
	return nil
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
