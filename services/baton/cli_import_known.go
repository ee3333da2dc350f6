package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// mostKnown is the most that a list of what is known may hold: it is kept in memory.
const mostKnown = 1_000_000

// What can be amiss in a row that is taken all the same.
const (
	isMissing     = "missing"
	isUnknown     = "unknown"
	notUnderstood = "not understood"
)

// warning is what is amiss in a field of a row that is taken all the same.
type warning struct {
	field, what string
	why         refusal
}

// warned counts rows with the same warning.
type warned struct {
	Field string `json:"field"`
	What  string `json:"what"`
	Rows  int64  `json:"rows"`
}

// warnedText says it in words: "product: 1,480 unknown".
func warnedText(all []warned) string {
	var parts []string
	for _, w := range all {
		parts = append(parts, fmt.Sprintf("%s: %s %s", w.Field, grouped(w.Rows), w.What))
	}
	return strings.Join(parts, ", ")
}

// warn notes what is amiss in a row that was taken.
func (im *importer) warn(w *waiting) error {
	for _, d := range w.doubts {
		i := slices.IndexFunc(im.tally.Warnings, func(n warned) bool { return n.Field == d.field && n.What == d.what })
		if i < 0 {
			i = len(im.tally.Warnings)
			im.tally.Warnings = append(im.tally.Warnings, warned{Field: d.field, What: d.what})
		}
		im.tally.Warnings[i].Rows++
		if err := im.warns.add(w.rec, &d.why); err != nil {
			return err
		}
	}
	return nil
}

// knownList is what a field of a file can hold, by another file.
type knownList struct {
	field string
	// column of the file that holds the field.
	column column
	list   string // the other file's name
	// spelt are the texts of the list, in lower case; alike is how they are written, by
	// their letters and digits alone.
	spelt map[string]bool
	alike map[string]string
}

// readKnown reads FIELD=FILE. The file is one that an import takes; its column has the
// name of the field, or of the column that holds the field in the file that is imported.
func readKnown(spec string, m *mapping) (*knownList, error) {
	field, path, ok := strings.Cut(spec, "=")
	if field = strings.TrimSpace(field); !ok || field == "" || path == "" {
		return nil, fault.New(fault.Invalid, "--known is %q; write a field and a file, such as product=products.csv", spec)
	}
	k := &knownList{field: field, list: filepath.Base(path), spelt: map[string]bool{}, alike: map[string]string{}}
	if k.column, ok = m.column(field); !ok {
		return nil, fault.New(fault.Invalid, "--known names the field %s, which no column of the file holds", field)
	}
	file, err := openInput(path, "", &mapFile{})
	if err != nil {
		return nil, err
	}
	defer file.close()
	at := -1
	for _, name := range []string{field, k.column.name} {
		if at < 0 {
			at = slices.IndexFunc(file.rows.columns(), func(c string) bool { return strings.EqualFold(c, name) })
		}
	}
	if at < 0 {
		return nil, fault.New(fault.Invalid, "%s has no column %q or %q; its columns are %s", k.list, field, k.column.name, quotedList(file.rows.columns()))
	}
	for {
		rec, err := file.rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return k, nil
		case err != nil:
			return nil, err
		case rec.reject != "" || at >= len(rec.cells):
			return nil, fault.New(fault.Invalid, "line %d of %s cannot be read: it has no such column", rec.line, k.list)
		case len(k.spelt) == mostKnown:
			return nil, fault.New(fault.Invalid, "%s holds more than %s texts", k.list, grouped(mostKnown))
		}
		if text := strings.TrimSpace(rec.cells[at]); text != "" {
			k.spelt[strings.ToLower(text)] = true
			k.alike[lettersOf(text)] = text
		}
	}
}

// askPeople learns who can own an account.
func (im *importer) askPeople() error {
	list, err := im.system.members.ListMembers(im.ctx, &routingv1.ListMembersRequest{})
	if err != nil {
		return err
	}
	im.people = map[string]bool{}
	for _, m := range list.GetMembers() {
		im.people[m.GetMember()] = !m.GetDeactivated()
	}
	return nil
}

// unowned takes an owner who is not known, or has left, out of a company's row, and says so:
// the rest of the row goes in.
func (im *importer) unowned(row *intakev1.AccountRow) []warning {
	works, known := im.people[row.GetOwner()]
	if row.GetOwner() == "" || works || im.people == nil {
		return nil
	}
	why := "there is nobody with the handle " + row.GetOwner() + ": add them with baton people add"
	if known {
		why = row.GetOwner() + " has left: name somebody who works here"
	}
	row.Owner = ""
	return []warning{{fieldOwner, isUnknown, refusal{im.mapping.own[fieldOwner].name, why + ", and import the file again; the account is taken without an owner"}}}
}

// column of the file that holds a field.
func (m *mapping) column(field string) (column, bool) {
	if c, there := m.own[field]; there {
		return c, true
	}
	if i := slices.IndexFunc(m.fields, func(c column) bool { return c.field == field }); i >= 0 {
		return m.fields[i], true
	}
	return column{}, false
}

// doubt says what is amiss in the field of a row; nil = the list has it.
func (k *knownList) doubt(rec *record) *warning {
	text, _ := k.column.text(rec.cells)
	switch {
	case text == "":
		return &warning{k.field, isMissing, refusal{k.column.name, k.field + " is empty"}}
	case k.spelt[strings.ToLower(text)]:
		return nil
	}
	why := k.field + " is not in " + k.list
	if other := k.alike[lettersOf(text)]; other != "" {
		why += "; there it is written " + other
	}
	return &warning{k.field, isUnknown, refusal{k.column.name, why}}
}

// lettersOf are a text's letters and digits.
func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}
