package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
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
	// reject says why it cannot be read; empty = it can.
	reject string
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
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}), bytes.IndexByte(head, 0) >= 0:
		return nil, fault.New(fault.Invalid, "the file is UTF-16, or no text; save it as CSV UTF-8")
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		n, _ := r.in.Discard(3)
		r.read += int64(n)
	}
	if r.delimiter == 0 {
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
	for _, c := range []byte{';', '\t'} {
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
	raw := bytes.Clone(first)
	var ahead []textLine
	for {
		cells, reject, open := r.split(raw)
		if !open {
			rec.raw, rec.cells, rec.reject = trimEnd(raw), cells, reject
			r.line += int64(len(ahead))
			if rec.reject == "" {
				rec.reject = unreadable(rec.raw)
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
func (r *records) split(raw []byte) (cells []string, reject string, open bool) {
	row := raw
	if n := len(row); n > 0 && row[n-1] == '\n' {
		row = row[:n-1]
		if n > 1 && row[n-2] == '\r' {
			row = row[:n-2]
		}
	}
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
			end := bytes.IndexByte(row[at:], r.delimiter)
			if end < 0 {
				end = len(row)
			} else {
				end += at
			}
			cells = append(cells, string(row[at:end]))
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
func quotedCell(row []byte, from int) (text string, end int, closed bool) {
	var b []byte
	for at := from; at < len(row); at++ {
		if row[at] != '"' {
			b = append(b, row[at])
			continue
		}
		if at+1 < len(row) && row[at+1] == '"' {
			b = append(b, '"')
			at++
			continue
		}
		return string(b), at + 1, true
	}
	return "", 0, false
}

// unreadable says what keeps bytes from being text.
func unreadable(raw []byte) string {
	switch {
	case bytes.IndexByte(raw, 0) >= 0:
		return "the row holds a NUL character"
	case !utf8.Valid(raw):
		return "the row is not UTF-8; save the file as CSV UTF-8"
	}
	return ""
}

func trimEnd(raw []byte) []byte { return bytes.TrimRight(raw, "\r\n") }
