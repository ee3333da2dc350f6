//go:build real

package holidays

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// compared are what the table and the second one beside the checkout both know. The
// second has more than public holidays (days of banks, optional ones; breaks of schools are left out here), so
// that what it alone has is no proof of a fault; what the table alone has is one, of
// either.
var compared = []struct {
	code, file string
	// alone are the days from Monday to Friday, of 2024 to 2027, that the table alone
	// has; more those that the second alone has; both what they agree on.
	both, alone, more int
}{
	{"AU-NSW", "AU_NSW", 34, 0, 6},
	{"BR", "BR_COMMON", 33, 0, 23},
	{"CA", "CA_ON", 48, 0, 4},
	{"DE", "DE_COMMON", 30, 0, 0},
	{"DE-BE", "DE_BE", 32, 0, 1},
	{"DE-BY", "DE_BY", 39, 0, 2},
	{"FR", "FR_COMMON", 36, 0, 0},
	{"GB", "GB_ENG", 32, 0, 0},
	{"IT", "IT_COMMON", 31, 0, 1},
	{"JP", "JP_COMMON", 62, 0, 9},
	{"NL", "NL_COMMON", 30, 0, 0},
	{"US", "US_COMMON", 45, 0, 23},
}

// school says whether there is nothing but a break of schools on a day.
func school(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "; "), func(one string) bool { return !strings.HasSuffix(one, " Break") })
}

// TestTableAgainstASecond holds the figures of docs/agreement-calendars.md.
func TestTableAgainstASecond(t *testing.T) {
	page, err := os.ReadFile("../../../docs/agreement-calendars.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range compared {
		in, err := os.Open("../../../../shared/data/holidays/vacanza-snapshots/" + c.file + ".json.gz")
		if err != nil {
			t.Fatalf("this test reads tables of holidays in the folder shared beside the checkout: %v", err)
		}
		defer func() { _ = in.Close() }()
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		var names map[string]string
		if err := json.NewDecoder(unpacked).Decode(&names); err != nil {
			t.Fatal(err)
		}
		working := func(date string) bool {
			day, err := time.Parse(time.DateOnly, date)
			if err != nil {
				t.Fatal(err)
			}
			return date >= "2024" && date < "2028" && day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
		}
		both, alone, more := 0, 0, 0
		var table, only, missing []string
		for _, d := range Of(c.code, 2024, 2027) {
			if !working(d.Date) {
				continue
			}
			table = append(table, d.Date)
			if _, also := names[d.Date]; also {
				both++
				continue
			}
			alone++
			only = append(only, d.Date+" "+strings.Join(d.Names, "; "))
		}
		for date, name := range names {
			if working(date) && !slices.Contains(table, date) && !school(name) {
				more++
				missing = append(missing, date+" "+name)
			}
		}
		slices.Sort(missing)
		t.Logf("%s: %d in both; the table alone: %q; the second alone: %q", c.code, both, only, missing)
		if both != c.both || alone != c.alone || more != c.more {
			t.Errorf("%s: %d in both, %d in the table alone, %d in the second alone, want %d, %d, %d", c.code, both, alone, more, c.both, c.alone, c.more)
		}
		if line := fmt.Sprintf("| %s | %d | %d | %d |", c.code, c.both, c.alone, c.more); !strings.Contains(string(page), line) {
			t.Errorf("the page has no line %q", line)
		}
	}
}
