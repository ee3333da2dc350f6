package main

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadbaton/baton/services/internal/fault"
)

// readAll reads every row of a file as line, cells or reject.
func readAll(t *testing.T, text string) (header []string, rows [][]any) {
	t.Helper()
	r, err := newRecords(strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			return r.header, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.reject != "" {
			rows = append(rows, []any{rec.line, "REJECT " + rec.reject, string(rec.raw)})
			continue
		}
		rows = append(rows, []any{rec.line, rec.cells})
	}
}

func TestRecords(t *testing.T) {
	cells := func(c ...string) []string { return c }
	for _, c := range []struct {
		name, text string
		header     []string
		rows       [][]any
	}{
		{"plain", "a,b\n1,2\n3,4\n", cells("a", "b"), [][]any{{int64(2), cells("1", "2")}, {int64(3), cells("3", "4")}}},
		{"no last line end", "a,b\n1,2", cells("a", "b"), [][]any{{int64(2), cells("1", "2")}}},
		{"carriage returns", "a,b\r\n1,2\r\n", cells("a", "b"), [][]any{{int64(2), cells("1", "2")}}},
		{"byte order mark", "\ufeffa;b\n1;2\n", cells("a", "b"), [][]any{{int64(2), cells("1", "2")}}},
		{"semicolons", "a;b\n1,5;2\n", cells("a", "b"), [][]any{{int64(2), cells("1,5", "2")}}},
		{"tabs", "a\tb\n1,5\t2;\n", cells("a", "b"), [][]any{{int64(2), cells("1,5", "2;")}}},
		{"delimiters in quotes do not count", "\"a,b,c\";d\n1;2\n", cells("a,b,c", "d"), [][]any{{int64(2), cells("1", "2")}}},
		{"one column", "a\n1\n", cells("a"), [][]any{{int64(2), cells("1")}}},
		{"no names", "a,,\n1,2,3\n", cells("a", "column 2", "column 3"), [][]any{{int64(2), cells("1", "2", "3")}}},
		{"only a header", "a,b\n", cells("a", "b"), nil},
		{"empty lines are no rows", "a,b\n\n1,2\n\r\n3,4\n\n", cells("a", "b"), [][]any{{int64(3), cells("1", "2")}, {int64(5), cells("3", "4")}}},
		{"empty cells", "a,b,c\n,,\n1,,\n", cells("a", "b", "c"), [][]any{{int64(2), cells("", "", "")}, {int64(3), cells("1", "", "")}}},
		{"ragged rows are handed out", "a,b\n1\n1,2,3\n", cells("a", "b"), [][]any{{int64(2), cells("1")}, {int64(3), cells("1", "2", "3")}}},
		{"quotes", "a,b\n\"x \"\"y\"\"\",\"\"\n", cells("a", "b"), [][]any{{int64(2), cells(`x "y"`, "")}}},
		{"quotes inside an open cell", "a,b\n5\" pipe,2\n", cells("a", "b"), [][]any{{int64(2), cells(`5" pipe`, "2")}}},
		{"a cell over lines", "a,b\n\"one\r\ntwo\n\nfour\",2\n3,4\n", cells("a", "b"), [][]any{{int64(2), cells("one\r\ntwo\n\nfour", "2")}, {int64(6), cells("3", "4")}}},
		{
			"text behind a quote", "a,b\n\"x\"y,2\n3,4\n", cells("a", "b"),
			[][]any{{int64(2), "REJECT there is text behind the closing quotation mark of cell 1", `"x"y,2`}, {int64(3), cells("3", "4")}},
		},
		{
			"a quote that never closes costs one row", "a,b\n\"x,2\n3,4\n5,6\n", cells("a", "b"),
			[][]any{{int64(2), "REJECT a cell is opened with a quotation mark that is never closed", `"x,2`}, {int64(3), cells("3", "4")}, {int64(4), cells("5", "6")}},
		},
		{
			"NUL", "a,b\n1,\x00\n3,4\n", cells("a", "b"),
			[][]any{{int64(2), "REJECT the row holds a NUL character", "1,\x00"}, {int64(3), cells("3", "4")}},
		},
		{
			"another encoding", "a,b\nM\xfcller,2\n3,4\n", cells("a", "b"),
			[][]any{{int64(2), "REJECT " + notUTF8, "M\xfcller,2"}, {int64(3), cells("3", "4")}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, rows := readAll(t, c.text)
			if diff := cmp.Diff(c.header, header); diff != "" {
				t.Error("header:", diff)
			}
			if diff := cmp.Diff(c.rows, rows); diff != "" {
				t.Error("rows:", diff)
			}
		})
	}
}

func TestRecordsRefusesFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "the file is empty"},
		{"only a mark", "\ufeff", "the file is empty"},
		{"only line ends", "\n\n\n", "the file is empty"},
		{"UTF-16 without", "a\x00,\x00b\x00", "the file is UTF-16"},
		{"gzip", "\x1f\x8b\x08\x00", "compressed or a spreadsheet"},
		{"a spreadsheet", "PK\x03\x04rest", "compressed or a spreadsheet"},
		{"a header in another encoding", "Stra\xdfe,b\n", "is not UTF-8"},
		{"an old line end", "a,b\r1,2\r3,4\r", "end in CR alone"},
		{"a header without end", "\"a,b\n1,2\n", "never closed"},
		{"a header too long", strings.Repeat("a", maxRecord+1) + "\n1\n", "longer than 256 KiB"},
		{"too many columns", strings.Repeat(",", 2*maxColumns) + "\n", "more than 1000 cells"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newRecords(strings.NewReader(c.text), 0)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want it to say %q", err, c.want)
			}
		})
	}
}

func TestRecordsLongRow(t *testing.T) {
	long := strings.Repeat("x", 3*maxRecord)
	for name, text := range map[string]string{
		"by itself":               "a,b\n" + long + ",2\n3,4\n",
		"behind an open quote":    "a,b\n\"open\n" + long + "\n3,4\n",
		"over a great many lines": "a,b\n\"" + strings.Repeat("x\n", 3*maxRecordLines) + "3,4\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, rows := readAll(t, text)
			if len(rows) < 2 {
				t.Fatalf("%d rows", len(rows))
			}
			if reject, _ := rows[0][1].(string); !strings.HasPrefix(reject, "REJECT") {
				t.Errorf("the first row is %.100v", rows[0])
			}
			if raw, _ := rows[0][2].(string); len(raw) > 1024 {
				t.Errorf("%d bytes of the row were kept", len(raw))
			}
			lines := int64(strings.Count(text, "\n"))
			if diff := cmp.Diff([]any{lines, []string{"3", "4"}}, rows[len(rows)-1]); diff != "" {
				t.Error("the last row: ", diff)
			}
		})
	}
}

// TestRecordsAgree holds the reader against whoever writes by the rules: what
// is quoted comes back, whatever it is.
func TestRecordsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 5).Draw(t, "width")
		delimiter := rapid.SampledFrom([]string{",", ";", "\t"}).Draw(t, "delimiter")
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\",;\t\n\r äß=")))
		var want [][]string
		var file strings.Builder
		head := strings.Repeat("h"+delimiter, width-1) + "h" + end
		file.WriteString(head)
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			var row, written []string
			for range width {
				c := text.Draw(t, "cell")
				row = append(row, c)
				written = append(written, `"`+strings.ReplaceAll(c, `"`, `""`)+`"`)
			}
			want = append(want, row)
			file.WriteString(strings.Join(written, delimiter) + end)
		}
		r, err := newRecords(strings.NewReader(file.String()), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]string
		line := int64(2)
		for {
			rec, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || rec.reject != "" {
				t.Fatal(err, rec)
			}
			if rec.line != line {
				t.Fatalf("row %d begins in line %d; want %d", len(got), rec.line, line)
			}
			line += int64(bytes.Count(rec.raw, []byte("\n"))) + 1
			got = append(got, rec.cells)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if r.read != int64(file.Len()) {
			t.Fatalf("read %d of %d bytes", r.read, file.Len())
		}
	})
}

// FuzzRecords looks for what makes the reader panic, stand still or lose lines.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a\n\"\n\"\n\"x\n", "\ufeffa;b\r\n\"1\"\"\";2", "a,b\n\x00\xff\n", "\"\"\"\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := newRecords(bytes.NewReader(file), 0)
		if err != nil {
			return
		}
		last := int64(1)
		for n := 0; ; n++ {
			rec, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec.line <= last || n > len(file) {
				t.Fatalf("row %d begins in line %d, behind line %d", n, rec.line, last)
			}
			last = rec.line
			if rec.reject == "" && len(rec.cells) == 0 {
				t.Fatal("a row without cells")
			}
		}
		if lines := int64(bytes.Count(file, []byte("\n"))) + 1; last > lines {
			t.Fatalf("the last row begins in line %d of %d", last, lines)
		}
		if r.read != int64(len(file)) {
			t.Fatalf("%d of %d bytes were read", r.read, len(file))
		}
	})
}

func TestRecordsSaysWhatTheDiskSays(t *testing.T) {
	r, err := newRecords(io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(errors.New("bad sector"))), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.next(); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "bad sector") {
		t.Errorf("got %v", err)
	}
}

// repeated is a file that is as long as it is asked to be.
type repeated struct {
	row  string
	left int64
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.rest, r.left = r.row, r.left-1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestRecordsInConstantMemory(t *testing.T) {
	const rows = 200_000
	file := io.MultiReader(strings.NewReader("a,b,c\n"), &repeated{row: "some text,\"quoted text\",more\n\"never closed\n", left: rows})
	r, err := newRecords(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	var peak, before uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	n := 0
	for {
		_, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%(rows/4) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if n < rows {
		t.Errorf("%d rows; want at least %d", n, rows)
	}
	if peak > before+4<<20 {
		t.Errorf("the reader holds %d KiB after %d rows", (peak-before)>>10, rows)
	}
}
