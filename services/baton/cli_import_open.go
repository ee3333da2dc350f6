package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Kinds of file.
const (
	fileCSV    = "csv"
	fileNDJSON = "ndjson"
)

// rowReader hands out a file row by row, in constant memory.
type rowReader interface {
	// columns are the names of what the rows hold.
	columns() []string
	// next is the next row; io.EOF at the end.
	next() (*record, error)
}

// inputFile is a file that is open for reading, whatever it is wrapped in.
type inputFile struct {
	rows rowReader
	// how it is read, in words.
	how string
	// size and done count bytes on disk.
	size  int64
	count *countingReader
	file  *os.File
}

func (f *inputFile) close() { _ = f.file.Close() }

// countingReader counts what is taken from the disk.
type countingReader struct {
	in   io.Reader
	done int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.done += int64(n)
	return n, err
}

// openInput opens a file and finds out what it is: compressed or not, its
// encoding, CSV or NDJSON, the separator. What the map says comes first.
func openInput(path, format string, m *mapFile) (_ *inputFile, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "the file cannot be read: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	f := &inputFile{file: file, count: &countingReader{in: file}}
	if info, err := file.Stat(); err == nil {
		f.size = info.Size()
	}
	in := bufio.NewReaderSize(f.count, 64<<10)
	name := strings.ToLower(filepath.Base(path))
	if head, _ := in.Peek(2); bytes.HasPrefix(head, []byte{0x1F, 0x8B}) {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, fault.New(fault.Invalid, "the file is compressed, and it cannot be unpacked: %w", err)
		}
		in, f.how = bufio.NewReaderSize(unpacked, 64<<10), "gzip, "
		name = strings.TrimSuffix(name, ".gz")
	}
	text, encoded, err := decoded(in, m.Encoding)
	if err != nil {
		return nil, err
	}
	if format == "" {
		format = formatOfFile(name, text)
	}
	delimiter, err := delimiterOf(m.Delimiter)
	if err != nil {
		return nil, err
	}
	if format == fileNDJSON {
		rows, err := newJSONRecords(text)
		if err != nil {
			return nil, err
		}
		f.rows, f.how = rows, f.how+"NDJSON, "+encoded
		return f, nil
	}
	rows, err := newRecords(text, delimiter)
	if err != nil {
		return nil, err
	}
	f.rows, f.how = rows, f.how+"CSV, "+encoded+", separated by "+separatorNames[rows.delimiter]
	if rows.wrapped {
		f.how += ", each row wrapped in one cell"
	}
	return f, nil
}

var separatorNames = map[byte]string{',': "commas", ';': "semicolons", '\t': "tabs", '|': "bars (|)"}

// delimiterOf reads the map's separator; 0 = it is found out.
func delimiterOf(text string) (byte, error) {
	switch text {
	case "":
		return 0, nil
	case ",", ";", "\t", "|":
		return text[0], nil
	}
	return 0, fault.New(fault.Invalid, "the map's delimiter is %q; it can be \",\", \";\", \"|\" or \"\\t\"", text)
}

// encodings that a map can declare.
var encodings = []struct {
	name string
	how  encoding.Encoding // nil = as it is
}{
	{"UTF-8", nil},
	{"UTF-16LE", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)},
	{"UTF-16BE", unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
	{"windows-1252", charmap.Windows1252},
	{"ISO-8859-15", charmap.ISO8859_15},
}

// decoded is a file's text as UTF-8. A mark at its beginning says which UTF it
// is; without one it is what was declared, or UTF-8.
func decoded(in *bufio.Reader, declared string) (*bufio.Reader, string, error) {
	name := strings.TrimSpace(declared)
	switch head, _ := in.Peek(2); {
	case bytes.Equal(head, []byte{0xFF, 0xFE}):
		name = "UTF-16LE"
	case bytes.Equal(head, []byte{0xFE, 0xFF}):
		name = "UTF-16BE"
	case name == "":
		name = "UTF-8"
	}
	var names []string
	for _, e := range encodings {
		if strings.EqualFold(e.name, name) {
			if e.how != nil {
				in = bufio.NewReaderSize(e.how.NewDecoder().Reader(in), 64<<10)
			}
			return in, e.name, nil
		}
		names = append(names, e.name)
	}
	return nil, "", fault.New(fault.Invalid, "the map's encoding %q is not known; it can be %s", declared, strings.Join(names, ", "))
}

// formatOfFile tells CSV from NDJSON, by the name or else by the first byte.
func formatOfFile(name string, text *bufio.Reader) string {
	switch ext := filepath.Ext(name); {
	case slices.Contains([]string{".ndjson", ".jsonl", ".json"}, ext):
		return fileNDJSON
	case slices.Contains([]string{".csv", ".tsv", ".tab"}, ext):
		return fileCSV
	}
	head, err := text.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fileCSV // whoever reads it says so
	}
	if head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \r\n\t"); bytes.HasPrefix(head, []byte("{")) {
		return fileNDJSON
	}
	return fileCSV
}
