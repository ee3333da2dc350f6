package agreement

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The calendar against a second implementation, which shares nothing with it but the
// database of time zones: it compares the text of the wall clock with the text of the
// document, minute by minute, and adds up. The calendars themselves are read from
// documents, so that what is compared is all of the way from the line in the agreement
// to the instant.

// paper is a calendar as a document states it, in text.
type paper struct {
	zone string
	week map[string][]string // mon: 09:00-12:00, …
	// free are holidays in force, special the dates with hours of their own.
	free    map[string]bool
	special map[string][]string
	yaml    string
}

// wall is a stretch of time cut into minutes: which of them are working time.
type wall struct {
	start time.Time
	on    []bool
}

// walk looks at the wall clock once a minute.
func (p *paper) walk(location *time.Location, start time.Time, minutes int) wall {
	w := wall{start: start, on: make([]bool, minutes)}
	for i := range minutes {
		local := start.Add(time.Duration(i) * time.Minute).In(location).Format("2006-01-02 15:04 Mon")
		date, clock, day := local[:10], local[11:16], strings.ToLower(local[17:])
		hours, special := p.special[date]
		if !special && !p.free[date] {
			hours = p.week[day]
		}
		for _, h := range hours {
			from, to, _ := strings.Cut(h, "-")
			// Times of day are in the order of their letters, and so is 24:00.
			w.on[i] = w.on[i] || from <= clock && clock < to
		}
	}
	return w
}

// breach adds up working minutes until the work is done; false where the stretch is
// too short.
func (w wall) breach(from time.Time, work time.Duration) (time.Time, bool) {
	for i, on := range w.on {
		if !on {
			continue
		}
		begin := w.start.Add(time.Duration(i) * time.Minute)
		end := begin.Add(time.Minute)
		if !end.After(from) {
			continue
		}
		if begin.Before(from) {
			begin = from
		}
		if rest := end.Sub(begin); work > rest {
			work -= rest
			continue
		}
		return begin.Add(work), true
	}
	return time.Time{}, false
}

// between adds up the working time from a to b.
func (w wall) between(a, b time.Time) (total time.Duration) {
	for i, on := range w.on {
		if !on {
			continue
		}
		begin := w.start.Add(time.Duration(i) * time.Minute)
		end := begin.Add(time.Minute)
		if begin.Before(a) {
			begin = a
		}
		if end.After(b) {
			end = b
		}
		if end.After(begin) {
			total += end.Sub(begin)
		}
	}
	return total
}

// zonesTried have summer time in either half of the year, none at all, offsets of half
// and quarter hours, a change of half an hour, a month without summer time, and a date
// that never was.
var zonesTried = []string{
	"Europe/Rome", "Europe/London", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu",
	"Asia/Tokyo", "Australia/Adelaide", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Pacific/Chatham", "Atlantic/Azores", "UTC",
}

// windowDays is how long a stretch is walked minute by minute.
const windowDays = 18

// begins draws where a stretch begins: before a change of the clock, a leap day, the end
// of a year, or anywhere.
func begins(r *rand.Rand, location *time.Location) time.Time {
	year := 2016 + r.IntN(20)
	at := time.Date(year, 1, 1+r.IntN(365), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
	switch r.IntN(5) {
	case 0, 1:
		if location.String() == "Pacific/Apia" && r.IntN(3) == 0 {
			at = time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)
			break
		}
		var found []time.Time
		_, before := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).In(location).Zone()
		for hour := range 366 * 24 {
			now := time.Date(year, 1, 1, hour, 0, 0, 0, time.UTC)
			if _, offset := now.In(location).Zone(); offset != before {
				found, before = append(found, now), offset
			}
		}
		if len(found) > 0 {
			at = found[r.IntN(len(found))]
		}
	case 2:
		at = time.Date(2016+4*r.IntN(5), 2, 29, 12, 0, 0, 0, time.UTC)
	case 3:
		at = time.Date(year, 12, 31, 12, 0, 0, 0, time.UTC)
	}
	return at.Add(-time.Duration(r.IntN(14*24*60)) * time.Minute)
}

func clockOf(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// hoursOf draws the hours of a day: none, one stretch, or a day in two or three shifts;
// of night work, and until midnight, too.
func hoursOf(r *rand.Rand, least int) []string {
	n := max(least, []int{0, 1, 1, 1, 2, 2, 3}[r.IntN(7)])
	var cuts []int
	for len(cuts) < 2*n {
		minute := r.IntN(24*60 + 1)
		if r.IntN(3) > 0 {
			minute = minute / 30 * 30
		}
		if r.IntN(12) == 0 {
			minute = []int{0, 24 * 60}[r.IntN(2)]
		}
		if !slices.Contains(cuts, minute) {
			cuts = append(cuts, minute)
		}
	}
	slices.Sort(cuts)
	var out []string
	for i := range n {
		out = append(out, clockOf(cuts[2*i])+"-"+clockOf(cuts[2*i+1]))
	}
	return out
}

func quotedList(list []string) string { return `["` + strings.Join(list, `", "`) + `"]` }

// drawPaper draws a calendar of which something is special within the stretch. Its set
// has these holidays.
func drawPaper(r *rand.Rand, id, zone, set string, holidays []string, start time.Time) *paper {
	p := &paper{zone: zone, week: map[string][]string{}, free: map[string]bool{}, special: map[string][]string{}}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n    zone: %s\n    hours:\n", id, zone)
	for i, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		least := 0
		if i == 0 {
			least = 1
		}
		if hours := hoursOf(r, least); len(hours) > 0 {
			p.week[day] = hours
			fmt.Fprintf(&b, "      %s: %s\n", day, quotedList(hours))
		}
	}
	inside := func(date string) bool {
		return date >= start.Format(time.DateOnly) && date <= start.AddDate(0, 0, windowDays).Format(time.DateOnly)
	}
	var removed []string
	for _, date := range holidays {
		if p.free[date] = true; inside(date) && r.IntN(4) == 0 {
			removed = append(removed, date)
			delete(p.free, date)
		}
	}
	var added []string
	var special []string
	for range r.IntN(6) {
		date := start.AddDate(0, 0, r.IntN(windowDays)).Format(time.DateOnly)
		if slices.Contains(removed, date) || slices.Contains(added, date) || p.special[date] != nil {
			continue
		}
		if r.IntN(2) == 0 {
			added = append(added, date)
			p.free[date] = true
			continue
		}
		p.special[date] = hoursOf(r, 1)
		special = append(special, fmt.Sprintf("%s: %s", date, quotedList(p.special[date])))
	}
	fmt.Fprintf(&b, "    holidays_of: [%s]\n", set)
	if len(added) > 0 {
		fmt.Fprintf(&b, "    holidays: [%s]\n", strings.Join(added, ", "))
	}
	if len(removed) > 0 {
		fmt.Fprintf(&b, "    not_holidays: [%s]\n", strings.Join(removed, ", "))
	}
	if len(special) > 0 {
		fmt.Fprintf(&b, "    days:\n      %s\n", strings.Join(special, "\n      "))
	}
	p.yaml = b.String()
	return p
}

// seen counts what the cases were about, so that nobody believes a comparison that
// looked at nothing.
type seen map[string]int

func (s seen) count(p *paper, location *time.Location, from, due time.Time) {
	s["all"]++
	_, before := from.In(location).Zone()
	_, after := due.In(location).Zone()
	if before != after {
		s["a change of the clock"]++
	}
	if after%3600 != 0 {
		s["no whole hours from UTC"]++
	}
	shifts, free, special, leap := false, false, false, false
	for day := from.In(location); !day.After(due); day = day.Add(12 * time.Hour) {
		date := day.Format("2006-01-02")
		leap = leap || strings.HasSuffix(date, "-02-29")
		free = free || p.free[date]
		_, other := p.special[date]
		special = special || other
		shifts = shifts || len(p.week[strings.ToLower(day.Format("Mon"))]) > 1
	}
	for name, is := range map[string]bool{"split shifts": shifts, "a holiday": free, "a day of its own": special, "a leap day": leap} {
		if is {
			s[name]++
		}
	}
}

// compareCalendars draws cases until so many breach instants were compared. sets are the
// holidays that the calendars of a zone may have, by the names of the zones.
func compareCalendars(t *testing.T, seed uint64, cases int, sets map[string]map[string][]string) seen {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	source := string(goodSource(t))
	head, tail, _ := strings.Cut(source, "calendars:\n")
	got := seen{}
	zones := zonesTried
	if sets != nil {
		zones = slices.Sorted(maps.Keys(sets))
	}
	for got["all"] < cases {
		// Twenty calendars in one document.
		var papers []*paper
		var starts []time.Time
		shared, calendars := "", ""
		for _, name := range zones {
			for _, id := range slices.Sorted(maps.Keys(sets[name])) {
				shared += "  " + id + ": [" + strings.Join(sets[name][id], ", ") + "]\n"
			}
		}
		for i := range 20 {
			name := zones[r.IntN(len(zones))]
			location, ok := zone(name)
			if !ok {
				t.Fatalf("no zone %s", name)
			}
			var id string
			var holidays []string
			start := begins(r, location)
			if of := slices.Sorted(maps.Keys(sets[name])); len(of) > 0 {
				// Somewhere around a holiday.
				id = of[r.IntN(len(of))]
				holidays = sets[name][id]
				around, err := time.Parse(time.DateOnly, holidays[r.IntN(len(holidays))])
				if err != nil {
					t.Fatal(err)
				}
				start = around.Add(-time.Duration(r.IntN(10*24*60)) * time.Minute)
			} else {
				id = fmt.Sprintf("s%d", i)
				for range 5 {
					if date := start.AddDate(0, 0, r.IntN(2*windowDays)-windowDays/2).Format(time.DateOnly); !slices.Contains(holidays, date) {
						holidays = append(holidays, date)
					}
				}
				shared += "  " + id + ": [" + strings.Join(holidays, ", ") + "]\n"
			}
			p := drawPaper(r, fmt.Sprintf("c%d", i), name, id, holidays, start)
			papers, starts, calendars = append(papers, p), append(starts, start), calendars+p.yaml
		}
		document := head + "holiday_sets:\n" + shared + "calendars:\n" + calendars
		a, err := Restore([]byte(document + "  " + strings.TrimPrefix(tail, "  ")))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, p := range papers {
			c, ok := a.Calendar(fmt.Sprintf("c%d", i))
			if !ok {
				t.Fatal("a calendar is gone")
			}
			location, _ := zone(p.zone)
			w := p.walk(location, starts[i], windowDays*24*60)
			for range 40 {
				from := starts[i].Add(time.Duration(r.Int64N(int64((windowDays - 9) * 24 * time.Hour))))
				if r.IntN(2) == 0 {
					from = from.Truncate(time.Minute)
				}
				work := time.Duration(1+r.IntN(40*60)) * time.Minute
				if r.IntN(4) == 0 {
					work += time.Duration(r.Int64N(int64(time.Minute)))
				}
				want, inside := w.breach(from, work)
				due, ok := c.Add(from, work)
				end := w.start.Add(windowDays * 24 * time.Hour)
				if !inside {
					if ok && due.Before(end) {
						t.Fatalf("seed %d: %v of work from %v end at %v, and the wall clock has no such time\n%s", seed, work, from, due, p.yaml)
					}
					continue
				}
				if !ok || !due.Equal(want) {
					t.Fatalf("seed %d: %v of work from %v end at %v, %v; by the wall clock at %v\n%s", seed, work, from.In(location), due.In(location), ok, want.In(location), p.yaml)
				}
				got.count(p, location, from, due)
				until := from.Add(time.Duration(r.Int64N(int64(9*24*time.Hour - time.Minute))))
				if worked := c.Between(from, until); worked != w.between(from, until) {
					t.Fatalf("seed %d: from %v to %v %v of work; by the wall clock %v\n%s", seed, from.In(location), until.In(location), worked, w.between(from, until), p.yaml)
				}
				minute := int(until.Sub(w.start) / time.Minute)
				if on := c.OnDuty(until); on != w.on[minute] {
					t.Fatalf("seed %d: on duty at %v: %v\n%s", seed, until.In(location), on, p.yaml)
				}
				if next := slices.Index(w.on[minute:], true); next >= 0 {
					want := until
					if next > 0 {
						want = w.start.Add(time.Duration(minute+next) * time.Minute)
					}
					if at, ok := c.NextOnDuty(until); !ok || !at.Equal(want) {
						t.Fatalf("seed %d: the next working time after %v is %v, %v; by the wall clock %v\n%s", seed, until.In(location), at, ok, want.In(location), p.yaml)
					}
				}
			}
		}
	}
	return got
}

// enough holds that the cases were about all that they should be about.
func (s seen) enough(t *testing.T, names ...string) {
	t.Helper()
	t.Logf("cases: %v", s)
	for _, name := range names {
		if s[name] < 100 {
			t.Errorf("only %d cases have %s", s[name], name)
		}
	}
}

// TestBreachInstants holds ten thousand due times, and as many lengths of working time,
// against the wall clock.
func TestBreachInstants(t *testing.T) {
	t.Parallel()
	got := compareCalendars(t, 1, 10_000, nil)
	got.enough(t, "all", "a change of the clock", "no whole hours from UTC", "split shifts", "a holiday", "a day of its own", "a leap day")
}
