package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// manyRows writes a file of leads as people have them: about 140 bytes a row.
func manyRows(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "many.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "id,first_name,last_name,email,company,job_title,country,employees,message,utm_campaign")
	for i := range n {
		fmt.Fprintf(w, "R-%d,Ada,Example%d,ada.%d@maschinen.example,\"Maschinen, Nummer %d\",Head of Marketing,DE,%d,Please call me on Monday,spring-%d\n", i, i, i, i%1000, i%500, i%20)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// readPlainly reads a file with the standard library.
func readPlainly(t testing.TB, path string) (rows int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, 64<<10))
	for {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return rows - 1
		} else if err != nil {
			t.Fatal(err)
		}
		rows++
	}
}

// readOurs reads a file row by row as an import does, with mapping or without,
// and hears after each row.
func readOurs(t testing.TB, path string, mapped bool, each func(int)) (rows int) {
	t.Helper()
	f, err := openInput(path, "", &mapFile{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	m, err := (&mapFile{}).fit(f.rows.columns(), leadsOr(false))
	if err != nil {
		t.Fatal(err)
	}
	im := &importer{importOptions: importOptions{source: "web", kind: leadsOr(false)}, mapping: m, seen: newSeenKeys()}
	for {
		rec, err := f.rows.next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if mapped {
			w := im.ready(rec)
			if w.no != nil {
				t.Fatal(w.no)
			}
			im.seen.add(w.name)
		}
		rows++
		if each != nil {
			each(rows)
		}
	}
}

// peakHeap is the most that is held while a file is read and mapped, beyond what
// was held before.
func peakHeap(t testing.TB, path string, looks int) (rows int, peak uint64) {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	rows = readOurs(t, path, true, func(n int) {
		if n%looks == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc-min(before, m.HeapAlloc))
		}
	})
	return rows, peak
}

// mostHeld is the memory of keys and a little more.
const mostHeld = seenBits/8 + 8<<20

// TestImportInConstantMemory: what is held does not grow with the file.
func TestImportInConstantMemory(t *testing.T) {
	rows, peak := peakHeap(t, manyRows(t, 60_000), 10_000)
	if rows != 60_000 || peak > mostHeld {
		t.Errorf("%d rows, %d KiB held; want at most %d", rows, peak>>10, mostHeld>>10)
	}
}

// BenchmarkImportRows says what a row costs: read with the standard library,
// read as an import does, and read and mapped.
func BenchmarkImportRows(b *testing.B) {
	const rows = 20_000
	path := manyRows(b, rows)
	for _, c := range []struct {
		name string
		read func() int
	}{
		{"encoding/csv", func() int { return readPlainly(b, path) }},
		{"read", func() int { return readOurs(b, path, false, nil) }},
		{"read-and-map", func() int { return readOurs(b, path, true, nil) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := time.Now()
			for b.Loop() {
				if n := c.read(); n != rows {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(rows*b.N)/time.Since(began).Seconds(), "rows/s")
		})
	}
}
