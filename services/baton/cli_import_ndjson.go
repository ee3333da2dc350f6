package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	// lookAhead is how many rows are read for the names of what they hold: there
	// is no header.
	lookAhead = 1000
	// lookAheadBytes bounds them.
	lookAheadBytes = 4 << 20
	// maxDepth is how deep a row's objects may lie in each other.
	maxDepth = 16
)

// jsonRecords reads NDJSON: one object a line. Members of members are named by
// their path, such as "address.country".
type jsonRecords struct {
	lines *records
	names []string
	place map[string]int
	ahead []*jsonRow
}

// jsonRow is one line, read.
type jsonRow struct {
	rec    *record
	values []named
}

type named struct{ name, value string }

func newJSONRecords(in io.Reader) (*jsonRecords, error) {
	j := &jsonRecords{lines: &records{in: bufio.NewReaderSize(in, 64<<10), line: 1}, place: map[string]int{}}
	switch head, err := j.lines.in.Peek(3); {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fault.New(fault.Unavailable, "the file cannot be read: %w", err)
	case bytes.Equal(head, []byte("\ufeff")):
		_, _ = j.lines.in.Discard(3)
	}
	bytesAhead := 0
	for len(j.ahead) < lookAhead && bytesAhead < lookAheadBytes {
		row, err := j.row()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(j.ahead) == 0 && bytes.HasPrefix(row.rec.raw, []byte("[")) {
			return nil, fault.New(fault.Invalid, "the file is one JSON array; write one object a line (NDJSON), such as with jq -c '.[]'")
		}
		bytesAhead += len(row.rec.raw)
		j.ahead = append(j.ahead, row)
		for _, v := range row.values {
			if _, known := j.place[v.name]; !known && len(j.names) < maxColumns {
				j.place[v.name] = len(j.names)
				j.names = append(j.names, v.name)
			}
		}
	}
	if len(j.ahead) == 0 {
		return nil, fault.New(fault.Invalid, "the file is empty; each line must be one JSON object")
	}
	return j, nil
}

// columns are the names that the first thousand rows hold.
func (j *jsonRecords) columns() []string { return j.names }

// next is the next row. What it holds beyond the columns goes along with it.
func (j *jsonRecords) next() (*record, error) {
	var row *jsonRow
	if len(j.ahead) > 0 {
		row, j.ahead = j.ahead[0], j.ahead[1:]
	} else {
		var err error
		if row, err = j.row(); err != nil {
			return nil, err
		}
	}
	rec := row.rec
	if rec.reject != "" {
		return rec, nil
	}
	rec.cells = make([]string, len(j.names))
	for _, v := range row.values {
		if at, known := j.place[v.name]; known {
			rec.cells[at] = v.value
		} else {
			rec.more = append(rec.more, v)
		}
	}
	return rec, nil
}

// row reads a line. One that is no object is handed out as a reject.
func (j *jsonRecords) row() (*jsonRow, error) {
	for {
		line, err := j.lines.physical()
		if err != nil {
			return nil, err
		}
		rec := &record{line: j.lines.line, json: true}
		j.lines.line++
		text := bytes.TrimSpace(line.text)
		switch {
		case line.cut:
			rec.raw, rec.reject = bytes.Clone(text[:min(len(text), 1024)]), "the row is longer than "+strconv.Itoa(maxRecord>>10)+" KiB"
			return &jsonRow{rec: rec}, nil
		case len(text) == 0:
			continue
		}
		rec.raw = bytes.Clone(text)
		row := &jsonRow{rec: rec}
		row.values, rec.reject = flattened(rec.raw)
		return row, nil
	}
}

// flattened names each value of an object by its path.
func flattened(raw []byte) (values []named, reject string) {
	if !utf8.Valid(raw) {
		return nil, notUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, "the line is no JSON; each line must be one object"
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, "there is more behind the object of the line"
	}
	object, is := tree.(map[string]any)
	if !is {
		return nil, "the line is JSON, but no object"
	}
	if !flatten("", object, 0, &values) {
		return nil, "the object's members lie too deep in each other, or are too many"
	}
	slices.SortFunc(values, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return values, ""
}

func flatten(path string, tree any, depth int, out *[]named) bool {
	if depth > maxDepth || len(*out) > maxColumns {
		return false
	}
	say := func(text string) bool {
		*out = append(*out, named{path, text})
		return true
	}
	switch v := tree.(type) {
	case nil:
		return true
	case string:
		return say(v)
	case json.Number:
		return say(v.String())
	case bool:
		return say(strconv.FormatBool(v))
	case map[string]any:
		for name, member := range v {
			if path != "" {
				name = path + "." + name
			}
			if !flatten(name, member, depth+1, out) {
				return false
			}
		}
		return true
	case []any:
		var words []string
		for i, element := range v {
			switch e := element.(type) {
			case string:
				words = append(words, e)
			case json.Number:
				words = append(words, e.String())
			default:
				if !flatten(path+"["+strconv.Itoa(i)+"]", element, depth+1, out) {
					return false
				}
			}
		}
		if len(words) > 0 {
			return say(strings.Join(words, ", "))
		}
	}
	return true
}
