package recount

import (
	"slices"
	"strconv"
	"time"
)

const none = "(none)"

// others is everybody else, for those who see no names but their own.
const others = "(others)"

// wanted says whether a case meets the question's conditions.
func (v *view) wanted(c *found) bool {
	for name, values := range v.q.Where { // any order: all must hold
		if !slices.Contains(values, v.dimension(c, name)) {
			return false
		}
	}
	return true
}

// dimension is the word by which a case is sorted: its own, or else that of its lead.
func (v *view) dimension(c *found, by string) string {
	word, own := c.words[by]
	member, theirs := c.words["person"]
	if !theirs {
		member = v.s.owner
	}
	switch {
	case own && by != "person":
	case by == "person":
		word = member
	case by == "team" || by == "manager" || by == "office":
		word = v.l.place(member, by, v.until)
	default:
		word = v.s.word(by)
	}
	if word == "" {
		return none
	}
	if (by == "person" || by == "holder") && v.q.Viewer != "" && word != v.q.Viewer {
		return others
	}
	return word
}

// word is by what a lead is sorted.
func (s *lead) word(by string) string {
	switch by {
	case "source":
		return s.source
	case "campaign":
		return s.campaign
	case "landing":
		return s.landing
	case "industry", "country", "product":
		return s.features.text(by)
	case "size":
		return size(s.features.number("employees"))
	case "purpose":
		return s.purpose
	case "persona":
		return s.persona
	case "pool":
		return s.pool
	case "definition":
		if s.definition != 0 {
			return strconv.FormatInt(s.definition, 10)
		}
	case "nurtured":
		// Whether it was with marketing before sales first had it.
		if !s.nurtured.IsZero() && (s.offered.IsZero() || s.nurtured.Before(s.offered)) {
			return "nurtured"
		}
		return "direct"
	}
	return ""
}

func size(employees int64) string {
	for _, band := range []struct {
		least int64
		name  string
	}{{1000, "1000+"}, {250, "250-999"}, {50, "50-249"}, {10, "10-49"}, {1, "1-9"}} {
		if employees >= band.least {
			return band.name
		}
	}
	return ""
}

func (q Question) timed() bool { return q.By == "week" || q.By == "month" || q.By == "quarter" }

// period names the week, month or quarter of an instant, by local dates.
func (q Question) period(t time.Time) string {
	local := t.In(q.Zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	switch q.By {
	case "week":
		for day.Weekday() != time.Monday {
			day = day.AddDate(0, 0, -1)
		}
		return day.Format("2006-01-02")
	case "month":
		return day.Format("2006-01")
	}
	// Months since the agreed year began, which it does at the latest this month.
	year, months := day.Year(), 0
	for m := day.Month(); m != q.YearStarts; months++ {
		if m--; m == 0 {
			m, year = 12, year-1
		}
	}
	return strconv.Itoa(year) + "-q" + strconv.Itoa(months/3+1)
}
