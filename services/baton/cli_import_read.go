package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	// maxRecord is the most bytes of one row. With it the reader's memory is
	// bounded, whatever the file holds.
	maxRecord = 256 << 10
	// maxRecordLines is the most lines that one row may go over.
	maxRecordLines = 1000
	// maxColumns is the most columns of a file.
	maxColumns = 1000
)

// record is one row of a file as it came.
type record struct {
	// line is where it begins, from 1.
	line int64
	// raw is the row without its line end.
	raw   []byte
	cells []string
	// more is what the row holds beyond the columns.
	more []named
	// reject says why it cannot be read; empty = it can.
	reject string
	// repaired says that the whole row stood in one cell and was taken apart.
	repaired bool
	// json says that raw is what a reject shows.
	json bool
}

// records reads a CSV file row by row, in constant memory. It is stricter than
// most readers and loses less: a row that cannot be read is handed out as such,
// with its line, and the next one is looked at by itself.
type records struct {
	in        *bufio.Reader
	delimiter byte
	header    []string
	line      int64      // of the next line that is read
	pending   []textLine // lines that were read ahead
	read      int64      // bytes taken from the file
	ended     bool
	wrapped   bool // even the header stood in one cell
}

// textLine is one line with its line end; a line that is too long is cut.
type textLine struct {
	text []byte
	cut  bool
}

// newRecords reads the header. The delimiter 0 is found out.
func newRecords(in io.Reader, delimiter byte) (*records, error) {
	r := &records{in: bufio.NewReaderSize(in, 64<<10), delimiter: delimiter, line: 1}
	head, err := r.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Unavailable, "the file cannot be read: %w", err)
	}
	switch {
	case len(head) == 0:
		return nil, fault.New(fault.Invalid, "the file is empty; its first line must name the columns")
	case bytes.HasPrefix(head, []byte{0x1F, 0x8B}), bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, fault.New(fault.Invalid, "the file is compressed or a spreadsheet; unpack it, or save it as CSV UTF-8")
	case bytes.IndexByte(head, 0) >= 0:
		return nil, fault.New(fault.Invalid, "the file is UTF-16 without its mark, or no text; save it as CSV UTF-8, or say in the map which it is, such as encoding: utf-16le")
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		n, _ := r.in.Discard(3)
		r.read += int64(n)
	}
	declared := delimiter != 0
	if !declared {
		first, err := r.line0()
		if err != nil {
			return nil, err
		}
		r.delimiter = sniff(first)
	}
	rec, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "the file is empty; its first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	if rec.reject != "" {
		return nil, fault.New(fault.Invalid, "the first line must name the columns, and it cannot be read: %s", rec.reject)
	}
	if bytes.IndexByte(rec.raw, '\r') >= 0 {
		return nil, fault.New(fault.Invalid, "the lines of the file end in CR alone; save it as CSV UTF-8")
	}
	if err := r.unwrapHeader(rec, declared); err != nil {
		return nil, err
	}
	if len(rec.cells) > maxColumns {
		return nil, fault.New(fault.Invalid, "the file has more than %d columns", maxColumns)
	}
	for i, name := range rec.cells {
		if name = strings.TrimSpace(name); name == "" {
			name = "column " + strconv.Itoa(i+1)
		}
		r.header = append(r.header, name)
	}
	return r, nil
}

// columns are the names of the header.
func (r *records) columns() []string { return r.header }

// unwrapHeader takes a header apart that stands in one quoted cell as a whole,
// where the row behind it does too: so some tools write a file.
func (r *records) unwrapHeader(rec *record, declared bool) error {
	if len(rec.cells) != 1 || !bytes.HasPrefix(rec.raw, []byte{'"'}) {
		return nil
	}
	second, err := r.line0()
	if err != nil {
		return err
	}
	before := r.delimiter
	if !declared {
		r.delimiter = sniff([]byte(rec.cells[0]))
	}
	header, reject, open := r.split(rec.cells[0])
	if row, no, more := r.split(string(second)); len(header) > 1 && reject == "" && !open && len(row) == 1 && no == "" && !more {
		if inner, no, more := r.split(row[0]); len(inner) == len(header) && no == "" && !more {
			rec.cells, r.wrapped = header, true
			return nil
		}
	}
	r.delimiter = before
	return nil
}

// unwrap takes a row apart that stands in one quoted cell as a whole.
func (r *records) unwrap(rec *record) {
	if len(rec.cells) != 1 || len(r.header) < 2 || !bytes.HasPrefix(rec.raw, []byte{'"'}) || strings.IndexByte(rec.cells[0], r.delimiter) < 0 {
		return
	}
	cells, reject, open := r.split(rec.cells[0])
	if open || reject != "" || len(cells) != len(r.header) {
		rec.reject = "the whole row stands in one quoted cell, and taken apart it does not have the " + strconv.Itoa(len(r.header)) + " cells of the header"
		return
	}
	rec.cells, rec.repaired = cells, true
}

// line0 looks at the first line without taking it.
func (r *records) line0() ([]byte, error) {
	line, err := r.physical()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err == nil {
		r.pending = append(r.pending, line)
	}
	return line.text, nil
}

// sniff finds the delimiter of a header: whichever occurs most outside quotes.
func sniff(line []byte) byte {
	counts := map[byte]int{}
	quoted := false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case !quoted:
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// physical takes one line.
func (r *records) physical() (textLine, error) {
	if len(r.pending) > 0 {
		line := r.pending[0]
		r.pending = r.pending[1:]
		return line, nil
	}
	var line textLine
	for !r.ended {
		part, err := r.in.ReadSlice('\n')
		r.read += int64(len(part))
		if len(line.text)+len(part) <= maxRecord {
			line.text = append(line.text, part...)
		} else {
			line.cut = true
		}
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			r.ended = true
			if len(line.text) > 0 || line.cut {
				return line, nil
			}
		default:
			return line, fault.New(fault.Unavailable, "the file cannot be read: %w", err)
		}
	}
	return line, io.EOF
}

// next is the next row; io.EOF at the end. Empty lines are no rows.
func (r *records) next() (*record, error) {
	for {
		line, err := r.physical()
		if err != nil {
			return nil, err
		}
		rec := &record{line: r.line}
		r.line++
		if line.cut {
			rec.raw, rec.reject = line.text[:min(len(line.text), 1024)], "the row is longer than "+strconv.Itoa(maxRecord>>10)+" KiB"
			return rec, nil
		}
		if len(trimEnd(line.text)) == 0 {
			continue
		}
		return rec, r.whole(rec, line.text)
	}
}

// whole reads a row that begins with a line. While a quoted cell is open the
// row goes on in the next line. If it never closes, only the first line is
// given up, and what was read ahead is looked at again.
func (r *records) whole(rec *record, first []byte) error {
	raw := slices.Clip(first) // the first line stays as it is
	var ahead []textLine
	for {
		cells, reject, open := r.split(string(raw))
		if !open {
			rec.raw, rec.cells, rec.reject = trimEnd(raw), cells, reject
			r.line += int64(len(ahead))
			if rec.reject == "" {
				rec.reject = unreadable(rec.raw)
			}
			if rec.reject == "" {
				r.unwrap(rec)
			}
			return nil
		}
		line, err := r.physical()
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		if !ended {
			ahead = append(ahead, line)
		}
		if ended || line.cut || len(raw)+len(line.text) > maxRecord || len(ahead) > maxRecordLines {
			rec.raw, rec.reject = trimEnd(first), "a cell is opened with a quotation mark that is never closed"
			r.pending = append(ahead, r.pending...)
			return nil
		}
		raw = append(raw, line.text...)
	}
}

// split cuts a row into cells. open says that a quoted cell goes on behind it.
func (r *records) split(row string) (cells []string, reject string, open bool) {
	if n := len(row); n > 0 && row[n-1] == '\n' {
		row = row[:n-1]
		if n > 1 && row[n-2] == '\r' {
			row = row[:n-2]
		}
	}
	cells = make([]string, 0, max(len(r.header), 8))
	for at := 0; ; {
		if at < len(row) && row[at] == '"' {
			text, end, closed := quotedCell(row, at+1)
			if !closed {
				return nil, "", true
			}
			cells = append(cells, text)
			if end < len(row) && row[end] != r.delimiter {
				return nil, "there is text behind the closing quotation mark of cell " + strconv.Itoa(len(cells)), false
			}
			at = end
		} else {
			end := strings.IndexByte(row[at:], r.delimiter)
			if end < 0 {
				end = len(row)
			} else {
				end += at
			}
			cells = append(cells, row[at:end])
			at = end
		}
		if at >= len(row) {
			return cells, "", false
		}
		at++ // the delimiter
		if len(cells) > maxColumns {
			return nil, "the row has more than " + strconv.Itoa(maxColumns) + " cells", false
		}
	}
}

// quotedCell reads up to the closing quotation mark; two stand for one.
func quotedCell(row string, from int) (text string, end int, closed bool) {
	doubled := false
	for at := from; ; {
		mark := strings.IndexByte(row[at:], '"')
		if mark < 0 {
			return "", 0, false
		}
		at += mark + 1
		if at < len(row) && row[at] == '"' {
			doubled = true
			at++
			continue
		}
		text = row[from : at-1]
		if doubled {
			text = strings.ReplaceAll(text, `""`, `"`)
		}
		return text, at, true
	}
}

const notUTF8 = "the row is not UTF-8; say in the map which encoding it has, such as encoding: windows-1252"

// unreadable says what keeps bytes from being text.
func unreadable(raw []byte) string {
	switch {
	case bytes.IndexByte(raw, 0) >= 0:
		return "the row holds a NUL character"
	case !utf8.Valid(raw):
		return notUTF8
	}
	return ""
}

func trimEnd(raw []byte) []byte { return bytes.TrimRight(raw, "\r\n") }
