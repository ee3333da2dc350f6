package agreement

import (
	"testing"
	"time"
)

// A period ends at the first instant whose local date belongs to the next one, found
// here second by second.
//
// Goes red if: a week begins on Sunday, a day has 24 hours whatever the clock does,
// or midnight is taken where the clock skips it.
func TestPeriods(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, at         string
		day, week, month string
		ends             [3]string
	}{
		{"UTC", "2026-03-02T12:00:00Z", "2026-03-02", "2026-03-02", "2026-03-01", [3]string{"2026-03-03T00:00:00Z", "2026-03-09T00:00:00Z", "2026-04-01T00:00:00Z"}},
		{"Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29", "2026-03-23", "2026-03-01", [3]string{"2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z", "2026-03-31T22:00:00Z"}},
		{"America/New_York", "2027-01-01T03:00:00Z", "2026-12-31", "2026-12-28", "2026-12-01", [3]string{"2027-01-01T05:00:00Z", "2027-01-04T05:00:00Z", "2027-01-01T05:00:00Z"}},
		{"Asia/Kathmandu", "2028-02-28T20:00:00Z", "2028-02-29", "2028-02-28", "2028-02-01", [3]string{"2028-02-29T18:15:00Z", "2028-03-05T18:15:00Z", "2028-02-29T18:15:00Z"}},
		// The clock goes from midnight to one.
		{"America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-03", "2018-10-29", "2018-11-01", [3]string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "2018-12-01T02:00:00Z"}},
		// A day that there was not.
		{"Pacific/Apia", "2011-12-30T08:00:00Z", "2011-12-29", "2011-12-26", "2011-12-01", [3]string{"2011-12-30T10:00:00Z", "2012-01-01T10:00:00Z", "2011-12-31T10:00:00Z"}},
	} {
		location, ok := zone(test.zone)
		if !ok {
			t.Fatalf("no zone %s", test.zone)
		}
		c := &Calendar{zone: location}
		at, err := time.Parse(time.RFC3339, test.at)
		if err != nil {
			t.Fatal(err)
		}
		for i, began := range []string{test.day, test.week, test.month} {
			p := Periods[i]
			if got := c.Began(at, p); got != began {
				t.Errorf("%s in %s: the %s began %s, want %s", test.at, test.zone, p, got, began)
			}
			if got := c.Ends(at, p).Format(time.RFC3339); got != test.ends[i] {
				t.Errorf("%s in %s: the %s ends %s, want %s", test.at, test.zone, p, got, test.ends[i])
			}
			end := c.Ends(at, p)
			if before, after := c.Began(end.Add(-time.Second), p), c.Began(end, p); before != began || after <= began {
				t.Errorf("%s in %s: a second before the end of the %s it began %s, at its end %s", test.at, test.zone, p, before, after)
			}
		}
	}
}
