package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/leadbaton/baton/services/internal/fault"
)

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// opened reads a whole file as columns and rows; a reject stands as one cell.
func opened(t testing.TB, path, format string, m mapFile) (how string, header []string, rows [][]string) {
	t.Helper()
	f, err := openInput(path, format, &m)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for {
		rec, err := f.rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		cells := rec.cells
		for _, v := range rec.more {
			cells = append(cells, v.name+"="+v.value)
		}
		if rec.repaired {
			cells = append(cells, "REPAIRED")
		}
		if rec.reject != "" {
			cells = []string{"REJECT " + rec.reject}
		}
		rows = append(rows, cells)
	}
	if f.count.done != f.size {
		t.Errorf("%d of %d bytes were taken from the disk", f.count.done, f.size)
	}
	return f.how, f.rows.columns(), rows
}

func TestInput(t *testing.T) {
	one := func(cells ...string) [][]string { return [][]string{cells} }
	encoded := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const german = "name;ort\nJürgen Groß;Köln €\n"
	little := encoded(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(german))
	big := encoded(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(german))
	bare := encoded(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(german))
	windows := encoded(charmap.Windows1252.NewEncoder().String(german))
	latin9 := encoded(charmap.ISO8859_15.NewEncoder().String(german))
	for _, c := range []struct {
		name, file, text, format string
		m                        mapFile
		how                      string
		header                   []string
		rows                     [][]string
	}{
		{"commas", "a.csv", "a,b\n1,2\n", "", mapFile{}, "CSV, UTF-8, separated by commas", []string{"a", "b"}, one("1", "2")},
		{"bars", "a.csv", "a|b\n1,5|2\n", "", mapFile{}, "CSV, UTF-8, separated by bars (|)", []string{"a", "b"}, one("1,5", "2")},
		{"a declared separator", "a.csv", "a,x;b\n1;2\n", "", mapFile{Delimiter: ";"}, "CSV, UTF-8, separated by semicolons", []string{"a,x", "b"}, one("1", "2")},
		{"packed", "a.csv.gz", packed(t, "a\tb\n1\t2\n"), "", mapFile{}, "gzip, CSV, UTF-8, separated by tabs", []string{"a", "b"}, one("1", "2")},
		{"packed under another name", "a.csv", packed(t, "a,b\n1,2\n"), "", mapFile{}, "gzip, CSV, UTF-8, separated by commas", []string{"a", "b"}, one("1", "2")},
		{"UTF-16 as Excel saves it", "a.txt", little, "", mapFile{}, "CSV, UTF-16LE, separated by semicolons", []string{"name", "ort"}, one("Jürgen Groß", "Köln €")},
		{"UTF-16 the other way round", "a.txt", big, "", mapFile{}, "CSV, UTF-16BE, separated by semicolons", []string{"name", "ort"}, one("Jürgen Groß", "Köln €")},
		{"UTF-16 that is declared", "a.txt", bare, "", mapFile{Encoding: "UTF-16LE"}, "CSV, UTF-16LE, separated by semicolons", []string{"name", "ort"}, one("Jürgen Groß", "Köln €")},
		{"windows-1252", "a.csv", windows, "", mapFile{Encoding: "windows-1252"}, "CSV, windows-1252, separated by semicolons", []string{"name", "ort"}, one("Jürgen Groß", "Köln €")},
		{"ISO-8859-15", "a.csv", latin9, "", mapFile{Encoding: "ISO-8859-15"}, "CSV, ISO-8859-15, separated by semicolons", []string{"name", "ort"}, one("Jürgen Groß", "Köln €")},
		{"windows-1252 that nobody declared", "a.csv", "a;b\n" + windows[9:], "", mapFile{}, "CSV, UTF-8, separated by semicolons", []string{"a", "b"}, one("REJECT " + notUTF8)},
		{"a row in one cell", "a.csv", "id,name,note\n\"1,Ana,\"\"a, b\"\"\"\n2,Ben,c\n", "", mapFile{}, "CSV, UTF-8, separated by commas", []string{"id", "name", "note"}, [][]string{{"1", "Ana", "a, b", "REPAIRED"}, {"2", "Ben", "c"}}},
		{"a row in one cell that does not come apart", "a.csv", "id,name,note\n\"1,Ana\"\n", "", mapFile{}, "CSV, UTF-8, separated by commas", []string{"id", "name", "note"}, one("REJECT the whole row stands in one quoted cell, and taken apart it does not have the 3 cells of the header")},
		{"every row in one cell", "a.csv", "\"id;name\"\n\"1;\"\"Ana; B\"\"\"\n", "", mapFile{}, "CSV, UTF-8, separated by semicolons, each row wrapped in one cell", []string{"id", "name"}, one("1", "Ana; B", "REPAIRED")},
		{"one column with commas in its name", "a.csv", "\"name, first\"\nAna\n", "", mapFile{}, "CSV, UTF-8, separated by commas", []string{"name, first"}, one("Ana")},
		{"NDJSON", "a.ndjson", "{\"b\":1,\"a\":\"x\"}\n\n{\"a\":\"y\",\"c\":true}\n", "", mapFile{}, "NDJSON, UTF-8", []string{"a", "b", "c"}, [][]string{{"x", "1", ""}, {"y", "", "true"}}},
		{"NDJSON by its content", "export", "  {\"a\":1}\n", "", mapFile{}, "NDJSON, UTF-8", []string{"a"}, one("1")},
		{"NDJSON because it is said", "a.csv", "{\"a\":1}\n", "ndjson", mapFile{}, "NDJSON, UTF-8", []string{"a"}, one("1")},
		{"CSV because it is said", "a.json", "a,b\n1,2\n", "csv", mapFile{}, "CSV, UTF-8, separated by commas", []string{"a", "b"}, one("1", "2")},
		{"members of members", "a.jsonl", "{\"p\":{\"mail\":\"a@b.example\",\"tags\":[\"x\",2],\"d\":[{\"v\":1}]},\"n\":null,\"big\":12345678901234567890}\n", "", mapFile{}, "NDJSON, UTF-8", []string{"big", "p.d[0].v", "p.mail", "p.tags"}, one("12345678901234567890", "1", "a@b.example", "x, 2")},
		{"lines that are no objects", "a.ndjson", "{\"a\":1}\n{\"a\":\n[1]\n{\"a\":1}{}\n\"x\"\n", "", mapFile{}, "NDJSON, UTF-8", []string{"a"}, [][]string{{"1"}, {"REJECT the line is no JSON; each line must be one object"}, {"REJECT the line is JSON, but no object"}, {"REJECT there is more behind the object of the line"}, {"REJECT the line is JSON, but no object"}}},
		{"too deep", "a.ndjson", "{\"a\":1}\n" + strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30) + "\n", "", mapFile{}, "NDJSON, UTF-8", []string{"a"}, [][]string{{"1"}, {"REJECT the object's members lie too deep in each other, or are too many"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			how, header, rows := opened(t, path, c.format, c.m)
			if how != c.how {
				t.Errorf("read as %q; want %q", how, c.how)
			}
			if diff := cmp.Diff(c.header, header); diff != "" {
				t.Error("header:", diff)
			}
			if diff := cmp.Diff(c.rows, rows); diff != "" {
				t.Error("rows:", diff)
			}
		})
	}
}

// TestInputNamesThatComeLate: what is not among the first rows still goes along.
func TestInputNamesThatComeLate(t *testing.T) {
	file := writeFile(t, "a.ndjson", strings.Repeat("{\"a\":1}\n", lookAhead)+"{\"a\":2,\"late\":\"x\"}\n")
	_, header, rows := opened(t, file, "", mapFile{})
	if diff := cmp.Diff([]string{"a"}, header); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"2", "late=x"}, rows[lookAhead]); diff != "" {
		t.Error(diff)
	}
	m, err := (&mapFile{}).fit([]string{"email"}, leadsOr(false))
	if err != nil {
		t.Fatal(err)
	}
	req, no := m.live("web", &record{cells: []string{""}, more: []named{{"phone", "+49 30 1234567"}}}, nil)
	if no != nil || req.GetSubmission().GetPersonal().GetPhone() != "+49 30 1234567" {
		t.Errorf("got %v, %v", req, no)
	}
}

func TestInputRefuses(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		m                mapFile
		want             string
	}{
		{"an unknown encoding", "a.csv", "a\n1\n", mapFile{Encoding: "klingon"}, `encoding "klingon" is not known`},
		{"an unknown separator", "a.csv", "a\n1\n", mapFile{Delimiter: "-"}, `delimiter is "-"`},
		{"a JSON array", "a.json", "[{\"a\":1}]\n", mapFile{}, "one JSON array"},
		{"nothing", "a.ndjson", "\n\n", mapFile{}, "the file is empty"},
		{"broken gzip", "a.csv.gz", "\x1f\x8b\x08", mapFile{}, "cannot be unpacked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := openInput(path, "", &c.m)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want it to say %q", err, c.want)
			}
		})
	}
}

func TestInstant(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format, zone, text string
		want               time.Time
		why                string
	}{
		{"", "", "2026-04-03", time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC), ""},
		{"", "Europe/Berlin", "2026-07-03 09:30", time.Date(2026, 7, 3, 9, 30, 0, 0, berlin), ""},
		{"DD/MM/YYYY", "Europe/Berlin", "03/04/2026", time.Date(2026, 4, 3, 0, 0, 0, 0, berlin), ""},
		{"MM/DD/YYYY", "", "03/04/2026", time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), ""},
		{"MM/DD/YYYY", "", "13/04/2026", time.Time{}, "declared format MM/DD/YYYY"},
		{"unix", "", "1767225600", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{"unix-ms", "", "1767225600500", time.Date(2026, 1, 1, 0, 0, 0, 500e6, time.UTC), ""},
		{"unix", "", "soon", time.Time{}, "declared format unix"},
		{"", "", "01/02/2025", time.Time{}, "01/02/2025 can be 1 February 2025 or 2 January 2025"},
	} {
		text := "columns:\n  received_at: {column: at, format: \"" + c.format + "\", zone: \"" + c.zone + "\"}\n  external_id: id\n"
		m := fitted(t, text, "id,at", true)
		at := m.own[fieldReceived]
		got, why := at.instant(c.text)
		if c.why == "" && (why != "" || !got.Equal(c.want)) || c.why != "" && !strings.Contains(why, c.why) {
			t.Errorf("%+v: got %v, %q", c, got, why)
		}
	}
}

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		done, total, rows int64
		took              time.Duration
		want              string
	}{
		{0, 100, 0, 0, "[                              ]   0 %  0 rows"},
		{50, 100, 2000, 2 * time.Second, "[===============               ]  50 %  2,000 rows  1,000/s  2s left"},
		{120, 100, 1, 10 * time.Second, "[==============================] 100 %  1 row  0/s"},
	} {
		if got := progressLine(c.done, c.total, c.rows, c.took); got != c.want {
			t.Errorf("got %q; want %q", got, c.want)
		}
	}
}

func TestPace(t *testing.T) {
	p := newPace(0)
	var got []int
	for _, d := range []time.Duration{0, 0, 0, 6 * time.Second, 2 * time.Second, 0} {
		p.took(d)
		got = append(got, p.rows)
	}
	p.failed()
	got = append(got, p.rows)
	if diff := cmp.Diff([]int{200, 400, 500, 250, 250, 500, 250}, got); diff != "" {
		t.Error(diff)
	}
	if p := newPace(7); p.rows != 7 {
		t.Errorf("it starts with %d", p.rows)
	}
	for range 20 {
		p.failed()
	}
	if p.rows != 1 {
		t.Errorf("it ends with %d", p.rows)
	}
}

func TestSeenKeys(t *testing.T) {
	s := newSeenKeys()
	const keys = 300_000
	wrong := 0
	for i := range keys {
		if s.add(strings.Repeat("k", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()) {
			wrong++
		}
	}
	if wrong > 1 {
		t.Errorf("%d of %d keys are taken for seen", wrong, keys)
	}
	for i := range keys {
		if !s.add(strings.Repeat("k", i%7) + string(rune('a'+i%26)) + time.Duration(i).String()) {
			t.Fatal("a key is forgotten")
		}
	}
}
