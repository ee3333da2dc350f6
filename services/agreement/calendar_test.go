package agreement

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func office(t testing.TB) *Calendar {
	t.Helper()
	c, ok := good(t).Calendar("office")
	if !ok {
		t.Fatal("no calendar")
	}
	return c
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestCalendar holds examples that people can check with a paper calendar. The
// office has a break on Monday, ends at 15:00 on Friday, and is closed on Easter
// Monday, 6 April 2026.
func TestCalendar(t *testing.T) {
	c := office(t)
	add := []struct {
		from string
		work time.Duration
		due  string
	}{
		{"2026-03-02T10:00:00+01:00", 2 * time.Hour, "2026-03-02T12:00:00+01:00"},
		{"2026-03-02T10:00:00+01:00", 2*time.Hour + time.Nanosecond, "2026-03-02T13:00:00.000000001+01:00"},
		{"2026-03-06T14:00:00+01:00", 2 * time.Hour, "2026-03-09T10:00:00+01:00"},
		{"2026-03-07T03:00:00+01:00", time.Minute, "2026-03-09T09:01:00+01:00"},
		{"2026-03-27T14:30:00+01:00", time.Hour, "2026-03-30T09:30:00+02:00"}, // The clock changes that weekend.
		{"2026-04-03T14:30:00+02:00", time.Hour, "2026-04-07T09:30:00+02:00"}, // Easter Monday.
		{"2026-03-03T09:00:00+01:00", 0, "2026-03-03T09:00:00+01:00"},
		{"2026-03-08T09:00:00+01:00", -time.Hour, "2026-03-08T09:00:00+01:00"},
		{"2026-03-03T09:00:00.5+01:00", time.Second, "2026-03-03T09:00:01.5+01:00"},
	}
	for _, x := range add {
		due, ok := c.Add(at(t, x.from), x.work)
		if !ok || !due.Equal(at(t, x.due)) {
			t.Errorf("%s and %v of work: %v, %v, want %s", x.from, x.work, due, ok, x.due)
		}
		if due.Location() != time.UTC {
			t.Errorf("the answer is in %v, not UTC", due.Location())
		}
	}
	duty := []struct {
		at   string
		on   bool
		next string
	}{
		{"2026-03-02T08:59:59.999999999+01:00", false, "2026-03-02T09:00:00+01:00"},
		{"2026-03-02T09:00:00+01:00", true, "2026-03-02T09:00:00+01:00"},
		{"2026-03-02T11:59:59.999999999+01:00", true, "2026-03-02T11:59:59.999999999+01:00"},
		{"2026-03-02T12:00:00+01:00", false, "2026-03-02T13:00:00+01:00"},
		{"2026-04-06T10:00:00+02:00", false, "2026-04-07T09:00:00+02:00"},
		{"2026-12-25T10:00:00+01:00", false, "2026-12-28T09:00:00+01:00"},
		{"1969-12-29T08:30:00+01:00", false, "1969-12-29T09:00:00+01:00"}, // Before time was counted.
		{"1969-12-30T16:59:00+01:00", true, "1969-12-30T16:59:00+01:00"},
	}
	for _, x := range duty {
		next, ok := c.NextOnDuty(at(t, x.at))
		if got := c.OnDuty(at(t, x.at)); got != x.on || !ok || !next.Equal(at(t, x.next)) {
			t.Errorf("%s: on duty %v, next %v, want %v, %s", x.at, got, next, x.on, x.next)
		}
	}
	if got := c.Between(at(t, "2026-03-02T00:00:00+01:00"), at(t, "2026-03-09T00:00:00+01:00")); got != 37*time.Hour {
		t.Errorf("a week has %v of work, want 37h", got)
	}
	if got := c.Between(at(t, "2026-03-03T10:00:00.25+01:00"), at(t, "2026-03-03T10:00:00.75+01:00")); got != time.Second/2 {
		t.Errorf("half a second is %v", got)
	}
	if got := c.Between(at(t, "2026-03-09T00:00:00+01:00"), at(t, "2026-03-02T00:00:00+01:00")); got != 0 {
		t.Errorf("backwards is %v", got)
	}
}

// TestNoDuty holds what a calendar without hours answers: Compile refuses one,
// and holidays can still empty a long time.
func TestNoDuty(t *testing.T) {
	empty := &Calendar{zone: time.UTC}
	now := at(t, "2026-03-02T09:00:00Z")
	if _, ok := empty.NextOnDuty(now); ok {
		t.Error("somebody is on duty")
	}
	if due, ok := empty.Add(now, time.Hour); ok {
		t.Errorf("work is done at %v", due)
	}
	closed := *office(t)
	closed.exceptions = nil
	for day := range int64(401) {
		closed.exceptions = append(closed.exceptions, exception{day: now.Unix()/daySeconds + day})
	}
	if next, ok := closed.NextOnDuty(now); ok {
		t.Errorf("on duty at %v, though 400 days are holidays", next)
	}
}

// slow is the calendar's rules once more, by the wall clock minute by minute: no
// arithmetic over days, offsets or changes of the clock.
type slow struct {
	zone  *time.Location
	week  [7][]span
	other map[string][]span
}

func (s slow) onDuty(t time.Time) bool {
	local := t.In(s.zone)
	spans, other := s.other[local.Format(time.DateOnly)]
	if !other {
		spans = s.week[local.Weekday()]
	}
	clock := int64(local.Hour()*3600 + local.Minute()*60 + local.Second())
	for _, hours := range spans {
		if clock >= hours.from && clock < hours.to {
			return true
		}
	}
	return false
}

// changes are instants near which the clocks of the zones below change, or a
// whole date is skipped.
var changes = map[string][]string{
	"Europe/Berlin":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
	"America/New_York":    {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
	"Australia/Lord_Howe": {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"}, // Half an hour.
	"Pacific/Apia":        {"2011-12-30T10:00:00Z"},                         // 30 December never was.
	"America/Sao_Paulo":   {"2018-11-04T03:00:00Z", "2019-02-17T02:00:00Z"}, // At midnight.
	"Antarctica/Troll":    {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"}, // Two hours.
	"Africa/Casablanca":   {"2026-02-15T02:00:00Z", "2026-03-22T02:00:00Z"}, // Around Ramadan.
	"Asia/Kathmandu":      {"2026-06-01T00:00:00Z"},                         // 5 h 45 min from UTC.
	"UTC":                 {"2026-12-31T00:00:00Z"},
}

func drawCalendar(t *rapid.T) (*Calendar, slow, time.Time) {
	names := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Antarctica/Troll", "Africa/Casablanca", "Asia/Kathmandu", "UTC"}
	name := rapid.SampledFrom(names).Draw(t, "zone")
	location, ok := zone(name)
	if !ok {
		t.Fatalf("no zone %s", name)
	}
	change, err := time.Parse(time.RFC3339, rapid.SampledFrom(changes[name]).Draw(t, "change"))
	if err != nil {
		t.Fatal(err)
	}
	start := change.Add(time.Duration(rapid.IntRange(-3*24*60, 24*60).Draw(t, "start")) * time.Minute)
	fast, model := &Calendar{id: "c", zone: location}, slow{zone: location, other: map[string][]span{}}
	for day := range 7 {
		// Up to two stretches, cut from four sorted minutes; at night, too.
		cuts := rapid.SliceOfNDistinct(rapid.Int64Range(0, 24*60), 4, 4, rapid.ID).Draw(t, "cuts")
		slices.Sort(cuts)
		for i := range rapid.IntRange(0, 2).Draw(t, "stretches") {
			fast.week[day] = append(fast.week[day], span{cuts[2*i] * 60, cuts[2*i+1] * 60})
		}
	}
	model.week = fast.week
	for _, offset := range rapid.SliceOfNDistinct(rapid.IntRange(-2, 8), 0, 3, rapid.ID).Draw(t, "exceptions") {
		date := start.AddDate(0, 0, offset).Format(time.DateOnly)
		parsed, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		e := exception{day: parsed.Unix() / daySeconds}
		if rapid.Bool().Draw(t, "has hours") {
			from := rapid.Int64Range(0, 24*60-1).Draw(t, "from")
			e.hours = []span{{from * 60, rapid.Int64Range(from+1, 24*60).Draw(t, "to") * 60}}
		}
		model.other[date] = e.hours
		fast.exceptions = append(fast.exceptions, e)
	}
	slices.SortFunc(fast.exceptions, func(a, b exception) int { return cmp.Compare(a.day, b.day) })
	return fast, model, start
}

// TestCalendarMatchesWallClock compares working time with a walk over every
// minute, in zones and weeks in which the clock changes.
func TestCalendarMatchesWallClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fast, model, start := drawCalendar(t)
		minutes := rapid.IntRange(1, 6*24*60).Draw(t, "minutes")
		work := time.Duration(rapid.IntRange(1, 600).Draw(t, "work")) * time.Minute
		end := start.Add(time.Duration(minutes) * time.Minute)
		var worked time.Duration
		var next, due time.Time
		for i := range minutes {
			now := start.Add(time.Duration(i) * time.Minute)
			on := model.onDuty(now)
			if got := fast.OnDuty(now); got != on {
				t.Fatalf("%v: on duty %v, want %v", now.In(model.zone), got, on)
			}
			if !on {
				continue
			}
			if worked == 0 {
				next = now
			}
			worked += time.Minute
			if worked == work {
				due = now.Add(time.Minute)
			}
		}
		if got := fast.Between(start, end); got != worked {
			t.Fatalf("between %v and %v: %v of work, want %v", start, end, got, worked)
		}
		if got, ok := fast.NextOnDuty(start); !next.IsZero() && (!ok || !got.Equal(next)) {
			t.Fatalf("next on duty at %v, %v, want %v", got, ok, next)
		} else if next.IsZero() && ok && got.Before(end) {
			t.Fatalf("next on duty at %v, but nobody works before %v", got, end)
		}
		if got, ok := fast.Add(start, work); !due.IsZero() && (!ok || !got.Equal(due)) {
			t.Fatalf("%v of work from %v: %v, %v, want %v", work, start, got, ok, due)
		} else if due.IsZero() && ok && got.Before(end) {
			t.Fatalf("%v of work is done at %v, but there is less before %v", work, got, end)
		}
	})
}

// TestCalendarLaws holds what must be true at any instant, between minutes, too.
func TestCalendarLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, _, start := drawCalendar(t)
		start = start.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "nanoseconds")))
		d := time.Duration(rapid.Int64Range(1, int64(100*time.Hour)).Draw(t, "work"))
		due, ok := c.Add(start, d)
		if !ok {
			// A minute a week takes more than a century to make a hundred hours.
			if total := c.Between(start, time.Unix(start.Unix()+addHorizon, 0)); total >= d {
				t.Fatalf("%v of work never ends, though %v come together", d, total)
			}
			return
		}
		if got := c.Between(start, due); got != d {
			t.Fatalf("between %v and the due time %v is %v, want %v", start, due, got, d)
		}
		if !c.OnDuty(due.Add(-time.Nanosecond)) {
			t.Fatalf("the last moment before %v is no working time", due)
		}
		half := d / 2
		middle, ok := c.Add(start, half)
		if rest, also := c.Add(middle, d-half); !ok || !also || !rest.Equal(due) {
			t.Fatalf("%v then %v of work end at %v, not at %v", half, d-half, rest, due)
		}
	})
}

// Summer time comes, too, to who counts across the last day of a leap year.
func TestCalendarCrossesALeapYearsEnd(t *testing.T) {
	berlin, _ := zone("Europe/Berlin")
	c := &Calendar{id: "c", zone: berlin}
	for day := range c.week {
		c.week[day] = []span{{9 * 3600, 10 * 3600}}
	}
	for _, from := range []string{"2028-12-30T12:00:00Z", "2028-12-31T00:00:00Z", "2028-12-31T12:00:00Z", "2028-12-31T23:30:00Z", "2029-01-01T00:00:00Z"} {
		start := at(t, from)
		days := 0
		for now := start; now.Before(at(t, "2029-06-15T00:00:00Z")); now = now.Add(time.Minute) {
			if local := now.In(berlin); local.Hour() == 9 && local.Minute() == 59 {
				days++
			}
		}
		due, ok := c.Add(start, time.Duration(days)*time.Hour)
		if want := at(t, "2029-06-14T10:00:00+02:00"); !ok || !due.Equal(want) {
			t.Errorf("%d hours of work from %s end at %v, want %v", days, from, due, want)
		}
	}
}

func BenchmarkCalendarAdd(b *testing.B) {
	c := office(b)
	from := at(b, "2026-03-06T14:00:00+01:00")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Add(from, 2*time.Hour); !ok {
			b.Fatal("no due time")
		}
	}
}
