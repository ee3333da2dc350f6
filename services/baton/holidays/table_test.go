package holidays

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func dates(days []Day) (out []string) {
	for _, d := range days {
		out = append(out, d.Date)
	}
	return out
}

// TestTable holds dates that people can check with a paper calendar.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		code string
		year int
		want string
	}{
		{"IT", 2027, "2027-01-01 2027-01-06 2027-03-29 2027-04-25 2027-05-01 2027-06-02 2027-08-15 2027-11-01 2027-12-08 2027-12-25 2027-12-26"},
		{"DE-BY", 2027, "2027-01-01 2027-01-06 2027-03-26 2027-03-29 2027-05-01 2027-05-06 2027-05-17 2027-05-27 2027-10-03 2027-11-01 2027-12-25 2027-12-26"},
		// The fourth of July is a Sunday, and New Year of 2028 a Saturday, observed the year before.
		{"US", 2027, "2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-06-18 2027-06-19 2027-07-04 2027-07-05 2027-09-06 2027-10-11 2027-11-11 2027-11-25 2027-12-24 2027-12-25 2027-12-31"},
	} {
		got := Of(c.code, c.year, c.year)
		if text := strings.Join(dates(got), " "); text != c.want {
			t.Errorf("%s %d:\n%s, want\n%s", c.code, c.year, text, c.want)
		}
		for _, d := range got {
			if len(d.Names) == 0 || d.Names[0] == "" {
				t.Errorf("%s: %s has no name", c.code, d.Date)
			}
		}
	}
	if got := Of("US", 2027, 2027); !slices.ContainsFunc(got, func(d Day) bool { return d.Date == "2027-07-05" && d.Names[0] == "Independence Day (observed)" }) {
		t.Errorf("the observed day has no name of its own: %v", got)
	}
}

// TestTableHasDates holds that each country has some, in order, once, within its years.
func TestTableHasDates(t *testing.T) {
	codes := Codes()
	if len(codes) < 80 || !slices.Contains(codes, "AT") || !slices.Contains(codes, "JP") {
		t.Fatalf("%d countries and regions: %v", len(codes), codes)
	}
	for _, code := range codes {
		got := dates(Of(code, 2026, 2028))
		if len(got) < 15 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || got[0] < "2026" || got[len(got)-1] >= "2029" {
			t.Errorf("%s: %v", code, got)
		}
		for _, date := range got {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
}
