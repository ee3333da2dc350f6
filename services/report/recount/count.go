package recount

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"time"
)

// Question is what is counted.
type Question struct {
	// Report is "funnel" or "response".
	Report string
	// By is the dimension; empty = the total alone.
	By string
	// From and To bound the period; zero = open.
	From, To time.Time
	// Now is when it is asked. AsOf is the instant before which all must have happened;
	// zero = that is not asked for.
	Now, AsOf  time.Time
	Horizon    time.Duration
	Historical bool
	// Activity asks for what happened in the period, and not for the leads received in it.
	Activity bool
	Where    map[string][]string
	Zone     *time.Location
	// YearStarts is the month in which the agreed year does.
	YearStarts time.Month
}

// Row is what was counted under one key.
type Row struct {
	// Cases are the leads that the row is about. Of activity they are those of which
	// something was counted.
	Cases int
	// Figures by name; NaN = there is none.
	Figures map[string]float64
	// AtMost are the cases of the total of activity, if whatever happened makes one, the
	// end of the horizon included.
	AtMost int
	// Leads are those that a figure counted, each with how much of it.
	Leads map[string]map[string]float64

	seconds []float64
}

const none = "(none)"

// Total is the key of the row of all.
const Total = "total"

// forever is after everything.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// shares are the figures that divide: those of which the first holds among those for
// which one of the others does.
var shares = map[string]map[string][]string{
	"funnel": {
		"mql_rate": {"mql", "received"}, "sal_rate": {"sal", "mql"}, "sql_rate": {"sql", "mql"},
		"accept_rate": {"accepted", "offered"}, "reject_rate": {"rejected", "offered"}, "win_rate": {"won", "won", "lost"},
	},
	"response": {
		"up_to_1h_share": {"up_to_1h", "leads"}, "from_1h_to_24h_share": {"from_1h_to_24h", "leads"}, "over_24h_share": {"over_24h", "leads"},
		"never_share": {"never", "leads"}, "open_share": {"open", "leads"},
	},
}

var plain = map[string][]string{
	"funnel":   {"received", "refused", "duplicates", "mql", "sal", "sql", "offered", "accepted", "rejected", "won", "lost", "open"},
	"response": {"leads", "up_to_1h", "from_1h_to_24h", "over_24h", "never", "open"},
}

// Count answers the rows of a report by their keys, the total among them.
func (l *Log) Count(q Question) map[string]*Row {
	rows := map[string]*Row{Total: {}}
	until := forever
	if !q.AsOf.IsZero() {
		until = q.AsOf
	}
	for _, id := range l.leads {
		s := l.fold(id, until)
		if s.received.IsZero() || s.received.After(until) || s.historical && !q.Historical || !l.wanted(s, q, until) {
			continue
		}
		if !q.Activity && !q.within(s.received) {
			continue
		}
		l.put(rows, q, s, Total, q.within)
		switch {
		case q.By == "":
		case q.By != "week" && q.By != "month" && q.By != "quarter":
			l.put(rows, q, s, l.dimension(s, q.By, until), q.within)
		case !q.Activity:
			l.put(rows, q, s, q.period(s.received), q.within)
		default:
			// Each thing that happened belongs to the period of its own instant.
			var keys []string
			for _, t := range append(slices.Clone(s.happened), s.received, s.received.Add(q.Horizon)) {
				if key := q.period(t); !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
			for _, key := range keys {
				l.put(rows, q, s, key, func(t time.Time) bool { return q.within(t) && q.period(t) == key })
			}
		}
	}
	for _, r := range rows { // any order: each by itself
		r.divide(q.Report)
	}
	return rows
}

func (q Question) within(t time.Time) bool {
	return (q.From.IsZero() || !t.Before(q.From)) && (q.To.IsZero() || t.Before(q.To))
}

// put counts one lead into a row.
func (l *Log) put(rows map[string]*Row, q Question, s *lead, key string, in func(time.Time) bool) {
	found, seconds := s.funnel(q, in), -1.0
	if q.Report == "response" {
		found, seconds = s.response(q, in)
	}
	if key == Total && (len(found) > 0 || slices.ContainsFunc(s.happened, in) || in(s.received.Add(q.Horizon))) {
		rows[Total].AtMost++
	}
	if len(found) == 0 && (q.Activity || q.Report == "response") {
		return
	}
	r := rows[key]
	if r == nil {
		r = &Row{}
		rows[key] = r
	}
	if r.Leads == nil {
		r.Leads = map[string]map[string]float64{}
	}
	r.Cases++
	for name, n := range found { // any order: a sum for each
		if r.Leads[name] == nil {
			r.Leads[name] = map[string]float64{}
		}
		r.Leads[name][s.id] += n
	}
	if seconds >= 0 {
		r.seconds = append(r.seconds, seconds)
	}
}

// funnel says which figures a lead counts for.
func (s *lead) funnel(q Question, in func(time.Time) bool) map[string]float64 {
	did := func(t time.Time) bool {
		return !t.IsZero() && (q.AsOf.IsZero() || !t.After(q.AsOf)) && (!q.Activity || in(t))
	}
	out := map[string]float64{}
	note := func(name string, holds bool) {
		if holds {
			out[name]++
		}
	}
	came, kept := did(s.received), s.state != "refused"
	note("received", came && kept)
	note("refused", came && !kept)
	for _, t := range s.again {
		note("duplicates", did(t))
	}
	for name, t := range map[string]time.Time{"mql": s.mql, "sal": s.sal, "sql": s.sql, "offered": s.offered, "accepted": s.accepted, "rejected": s.rejected} {
		note(name, kept && did(t))
	}
	note("won", s.state == "won" && did(s.closed))
	note("lost", s.state == "lost" && did(s.closed))
	note("open", came && kept && s.state != "won" && s.state != "lost")
	return out
}

// response says how soon a lead was answered; seconds below zero = it was not.
func (s *lead) response(q Question, in func(time.Time) bool) (found map[string]float64, seconds float64) {
	if s.state == "refused" {
		return nil, -1
	}
	now := q.Now
	if !q.AsOf.IsZero() {
		now = q.AsOf
	}
	end := s.received.Add(q.Horizon)
	var answer string
	var at time.Time
	switch answered := !s.touched.IsZero() && !s.touched.After(now); {
	case answered && !s.touched.After(end):
		seconds, at = max(0, s.touched.Sub(s.received).Seconds()), s.touched
		switch {
		case seconds <= 3600:
			answer = "up_to_1h"
		case seconds <= 86400:
			answer = "from_1h_to_24h"
		default:
			answer = "over_24h"
		}
	case answered || !now.Before(end):
		answer, at, seconds = "never", end, -1
	default:
		answer, at, seconds = "open", s.received, -1
	}
	if q.Activity && !in(at) {
		return nil, -1
	}
	return map[string]float64{"leads": 1, answer: 1}, seconds
}

// divide makes the figures of a row of the leads that it counts.
func (r *Row) divide(report string) {
	r.Figures = map[string]float64{}
	for _, name := range plain[report] {
		sum := 0.0
		for _, n := range r.Leads[name] { // any order: a sum of whole numbers
			sum += n
		}
		r.Figures[name] = sum
	}
	for name, of := range shares[report] { // any order: each by itself
		below, both := map[string]bool{}, map[string]float64{}
		for _, n := range of[1:] {
			for id := range r.Leads[n] { // any order: a set
				below[id] = true
			}
		}
		for id := range r.Leads[of[0]] { // any order: a set
			if below[id] {
				both[id] = 1
			}
		}
		k, n := float64(len(both)), float64(len(below))
		r.Figures[name] = k / n // 0/0 is NaN: there is none
		if report == "funnel" {
			r.Figures[name+"_low"], r.Figures[name+"_high"] = bounds(k, n)
		}
		if r.Leads == nil {
			r.Leads = map[string]map[string]float64{}
		}
		defer func() { r.Leads[name] = both }()
	}
	if report != "response" {
		return
	}
	sort.Float64s(r.seconds)
	nan, n := math.NaN(), len(r.seconds)
	r.Figures["mean_seconds"], r.Figures["median_seconds"], r.Figures["p90_seconds"] = nan, nan, nan
	if n == 0 {
		return
	}
	sum := 0.0
	for _, v := range r.seconds {
		sum += v
	}
	r.Figures["mean_seconds"] = sum / float64(n)
	r.Figures["median_seconds"] = (r.seconds[(n-1)/2] + r.seconds[n/2]) / 2
	// The smallest value that at least nine of ten do not exceed.
	for i, v := range r.seconds {
		if 10*(i+1) >= 9*n {
			r.Figures["p90_seconds"] = v
			break
		}
	}
}

// bounds solve the score equation by halving: the shares p whose distance from k of n is
// as many standard errors as 95 % allow, the error being that of p.
func bounds(k, n float64) (low, high float64) {
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	z := math.Sqrt2 * math.Erfinv(0.95)
	seen := k / n
	outside := func(p float64) bool { return math.Abs(seen-p) > z*math.Sqrt(p*(1-p)/n) }
	edge := func(in, out float64) float64 {
		for range 200 {
			if mid := (in + out) / 2; outside(mid) {
				out = mid
			} else {
				in = mid
			}
		}
		return in
	}
	low, high = edge(seen, 0), edge(seen, 1)
	// Nobody, and everybody, are possible where that is what was seen.
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}

// wanted says whether a lead meets the question's conditions.
func (l *Log) wanted(s *lead, q Question, until time.Time) bool {
	for name, values := range q.Where { // any order: all must hold
		if !slices.Contains(values, l.dimension(s, name, until)) {
			return false
		}
	}
	return true
}

// dimension is the word by which a lead is sorted.
func (l *Log) dimension(s *lead, by string, until time.Time) string {
	word := ""
	switch by {
	case "source":
		word = s.source
	case "campaign":
		word = s.campaign
	case "landing":
		word = s.landing
	case "industry", "country", "product":
		word = s.features.text(by)
	case "size":
		word = size(s.features.number("employees"))
	case "purpose":
		word = s.purpose
	case "persona":
		word = s.persona
	case "person":
		word = s.owner
	case "team", "manager", "office":
		word = l.place(s.owner, by, until)
	case "pool":
		word = s.pool
	case "definition":
		if s.definition != 0 {
			word = strconv.FormatInt(s.definition, 10)
		}
	case "nurtured":
		// Whether it was with marketing before sales first had it.
		word = "direct"
		if !s.nurtured.IsZero() && (s.offered.IsZero() || s.nurtured.Before(s.offered)) {
			word = "nurtured"
		}
	}
	if word == "" {
		return none
	}
	return word
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
