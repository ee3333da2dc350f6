package agreement

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How a document states when people work.

var weekdays = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (d *draft) readCalendars(v value) {
	list, ok := d.entries(v)
	d.some(v, ok, len(list), "there is no calendar; add at least one")
	d.calendars = make(map[string]int)
	for _, e := range list {
		d.calendars[e.name] = e.key.line
		if id := d.wordID(v, e); id != "" {
			d.calendar(e.value, id)
		}
	}
}

func (d *draft) calendar(v value, id string) {
	c := &Calendar{id: id, zone: time.UTC}
	at := &calendarPlaces{calendar: c}
	d.fields(v, "the calendar",
		must("zone", "with a time zone, such as Europe/Berlin", "The time zone of the hours, such as Europe/Berlin.", d.zoneInto(&c.zone)),
		must("hours", "with the hours of each working day", "The working hours of each day. A day that is left out is free.", func(v value) { d.hours(v, c) }),
		may("holidays_of", "Holidays of these sets; names of `holiday_sets`.", func(v value) {
			list, _ := d.items(v)
			seen := make(map[string]int)
			for _, item := range list {
				if set := d.id(item); d.unique(seen, set, item.place, "set") {
					c.sets = append(c.sets, set)
					at.sets = append(at.sets, reference{item.place, set})
				}
			}
		}),
		may("holidays", "Days on which nobody works, besides those of the sets.", func(v value) { at.added = d.dates(v) }),
		may("not_holidays", "Days of the sets that are no holidays here.", func(v value) { at.removed = d.dates(v) }),
		may("days", "Days with hours of their own, such as the one before Christmas. They count before holidays and weekdays; a day without work is one of `holidays`.", func(v value) { d.specialDays(v, at) }),
	)
	d.agreement.calendars = append(d.agreement.calendars, c)
	d.calendarPlaces = append(d.calendarPlaces, at)
}

// zoneInto reads the name of a time zone.
func (d *draft) zoneInto(into **time.Location) func(value) {
	return func(v value) {
		name := d.text(v)
		if name == "" {
			return
		}
		location, ok := zone(name)
		if !ok {
			d.add(v.place, "there is no time zone %q%s; write a name of the IANA database, such as Europe/Berlin", name, suggest(name, zoneNames()))
			return
		}
		*into = location
	}
}

func (d *draft) hours(v value, c *Calendar) {
	before := len(d.list)
	days := make([]field, len(weekdays))
	for i := range weekdays {
		// Monday first, as people list them.
		day := (i + 1) % 7
		days[i] = may(weekdays[day], "Working hours of this day. Several stretches make a day with a break.", func(v value) {
			c.week[day], _ = d.spans(v)
		})
	}
	if !d.fields(v, "hours", days...) {
		return
	}
	for _, spans := range c.week {
		if len(spans) > 0 {
			return
		}
	}
	if len(d.list) == before {
		d.add(v.key, "the calendar has no working hours, so that no clock would ever run; write at least one day, such as mon: [\"09:00-17:00\"]")
	}
}

// span reads hours such as 09:00-17:00.
func (d *draft) span(v value) (span, bool) {
	if v.shape != nil {
		v.shape.is(kindOfHours)
		return span{}, false
	}
	text, _ := v.scalar()
	first, last, ok := strings.Cut(text, "-")
	from, okFrom := clockSeconds(first)
	to, okTo := clockSeconds(last)
	if !ok || !okFrom || !okTo {
		d.add(v.place, "%s is written here; hours are expected, such as 09:00-17:00", v.kind())
		return span{}, false
	}
	if from >= to {
		d.add(v.place, "the hours %q end before they begin; write hours over midnight as two: until 24:00, and from 00:00 on the next day", text)
		return span{}, false
	}
	return span{from, to}, true
}

// clockSeconds reads HH:MM, from 00:00 to 24:00.
func clockSeconds(text string) (int64, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	hour, errHour := strconv.ParseUint(text[:2], 10, 8)
	minute, errMinute := strconv.ParseUint(text[3:], 10, 8)
	if errHour != nil || errMinute != nil || hour > 24 || minute > 59 || (hour == 24 && minute > 0) {
		return 0, false
	}
	return int64(hour)*3600 + int64(minute)*60, true
}

// spans reads the hours of one day, in order and apart; false where something is wrong
// with them.
func (d *draft) spans(v value) (out []span, fine bool) {
	list, fine := d.items(v)
	for _, item := range list {
		s, ok := d.span(item)
		if !ok {
			fine = false
			continue
		}
		if slices.ContainsFunc(out, func(other span) bool { return s.from < other.to && other.from < s.to }) {
			d.add(item.place, "these hours overlap others of the same day; write them apart")
			fine = false
			continue
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b span) int { return int(a.from - b.from) })
	return out, fine
}

// dated is a day since 1970-01-01 with its place.
type dated struct {
	place
	day int64
}

// calendarPlaces says where the holidays of a calendar stand.
type calendarPlaces struct {
	calendar                *Calendar
	sets                    []reference
	added, removed, special []dated
}

// parseDay reads a date; false where it is none.
func parseDay(text string) (int64, bool) {
	date, err := time.Parse(time.DateOnly, text)
	return floorDiv(date.Unix(), daySeconds), err == nil
}

// dayText writes a day as documents do.
func dayText(day int64) string { return time.Unix(day*daySeconds, 0).UTC().Format(time.DateOnly) }

// dates reads a list of dates, each once.
func (d *draft) dates(v value) []dated {
	list, _ := d.items(v)
	var out []dated
	for _, item := range list {
		if item.shape != nil {
			item.shape.is(kindOfDate)
			continue
		}
		text, _ := item.scalar()
		on, ok := parseDay(text)
		switch {
		case !ok:
			d.add(item.place, "%s is written here; a date is expected, such as 2026-12-25", item.kind())
		case isDated(out, on):
			d.add(item.place, "the holiday %s is there twice; keep one", text)
		default:
			out = append(out, dated{item.place, on})
		}
	}
	return out
}

func isDated(list []dated, day int64) bool {
	return slices.ContainsFunc(list, func(d dated) bool { return d.day == day })
}

// daysOf are the days alone, sorted.
func daysOf(list []dated) []int64 {
	out := make([]int64, 0, len(list))
	for _, one := range list {
		out = append(out, one.day)
	}
	slices.Sort(out)
	return out
}

// dateChars are what a date is written with.
const dateChars = "0123456789-"

// specialDays reads the days that have hours of their own.
func (d *draft) specialDays(v value, at *calendarPlaces) {
	list, _ := d.entries(v)
	if v.shape != nil {
		v.shape.token(dateChars, "dates such as 2026-12-24")
	}
	for _, e := range list {
		spans, fine := d.spans(e.value)
		d.some(e.value, fine, len(spans), "the day has no hours; write some, or put it into `holidays`")
		on, ok := parseDay(e.name)
		if !ok && v.shape == nil {
			d.add(e.key, "%q is written here; a date is expected, such as 2026-12-24", e.name)
		}
		if ok && len(spans) > 0 {
			at.special = append(at.special, dated{e.key, on})
			at.calendar.exceptions = append(at.calendar.exceptions, exception{day: on, hours: spans})
		}
	}
}

// readHolidaySets reads the holidays that calendars share.
func (d *draft) readHolidaySets(v value) {
	list, _ := d.entries(v)
	for _, e := range list {
		dates := d.dates(e.value)
		if id := d.wordID(v, e); id != "" {
			d.agreement.holidaySets = append(d.agreement.holidaySets, holidaySet{id: id, days: daysOf(dates)})
			d.setsAt = append(d.setsAt, e.key)
		}
	}
}

// checkCalendars puts the holidays of each calendar together: those of its sets without
// what is taken away, and what is added; a day with hours of its own is none.
func (d *draft) checkCalendars() {
	var known []string
	for _, set := range d.agreement.holidaySets {
		known = append(known, set.id)
	}
	for _, at := range d.calendarPlaces {
		c := at.calendar
		c.added, c.removed = daysOf(at.added), daysOf(at.removed)
		free := slices.Clone(c.added)
		for _, one := range at.sets {
			i := slices.Index(known, one.id)
			if i < 0 {
				d.add(one.place, "there is no set of holidays %q%s; add it under `holiday_sets`", one.id, suggest(one.id, known))
				continue
			}
			for _, day := range d.agreement.holidaySets[i].days {
				if _, not := slices.BinarySearch(c.removed, day); !not {
					free = append(free, day)
				}
			}
		}
		for _, one := range at.removed {
			if isDated(at.added, one.day) {
				d.add(one.place, "%s is one of `holidays` as well; keep one of the two", dayText(one.day))
			}
		}
		for _, one := range at.special {
			if isDated(at.added, one.day) {
				d.add(one.place, "%s is one of `holidays` as well; keep one of the two", dayText(one.day))
			}
		}
		slices.Sort(free)
		for _, day := range slices.Compact(free) {
			if !isDated(at.special, day) {
				c.exceptions = append(c.exceptions, exception{day: day})
			}
		}
		slices.SortFunc(c.exceptions, func(a, b exception) int { return cmp.Compare(a.day, b.day) })
	}
}
