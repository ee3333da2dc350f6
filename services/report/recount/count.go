package recount

import (
	"slices"
	"time"
)

// Question is what is counted.
type Question struct {
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
	// Viewer is who sees no name but their own; empty = all are seen.
	Viewer string
	// Pool limits the reports on turns to one; empty = all.
	Pool string
	Zone *time.Location
	// YearStarts is the month in which the agreed year does.
	YearStarts time.Month
	// Agreed is what was agreed, version by version, and Away when people were away.
	Agreed []Agreed
	Away   map[string][]Span
	// Makes says of versions of the agreement whether they make a lead an MQL of which so
	// much is known, after so many calls.
	Makes map[int64]func(features map[string]any, calls int) bool
	// Campaign is whose effect is asked for, and Launched when it began; zero = with its
	// first lead.
	Campaign string
	Launched time.Time
}

// Row is what was counted under one key.
type Row struct {
	// Cases are those that the row is about. Of activity a lead is one if something of it
	// was counted.
	Cases int
	// Figures by name; NaN = there is none.
	Figures map[string]float64
	// Leads are those that a figure counted, each with how much of it.
	Leads map[string]map[string]float64

	sums        map[string]float64
	top, bottom map[string]float64
	words       map[string]map[string]bool
	samples     map[string][]float64
	money       map[string]int64
}

// Total is the key of the row of all, and Nothing that of a row in which nothing is
// counted, as a period in which nothing happened has.
const (
	Total   = "total"
	Nothing = "nothing"
)

// forever is after everything.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// view is one lead as a question sees it.
type view struct {
	l     *Log
	q     Question
	s     *lead
	until time.Time
	// in says whether an instant is in the period that is asked about.
	in func(time.Time) bool
}

// found is one case of a report.
type found struct {
	// at is when it happened, where a case is something that did.
	at time.Time
	// words are its own; for all others it has those of its lead.
	words map[string]string
	// counts is how much it adds to which figure, samples what it adds to those of which
	// means and medians are made, and different which word to those that count different
	// ones.
	counts, samples map[string]float64
	different       map[string]string
	// won says that it is a won deal, and of what value.
	won      bool
	minor    int64
	currency string
}

// newCase is a case that is nothing yet.
func newCase() *found {
	return &found{words: map[string]string{}, counts: map[string]float64{}, samples: map[string]float64{}, different: map[string]string{}}
}

// note counts a case where something holds.
func (c *found) note(name string, holds bool) {
	if holds {
		c.counts[name]++
	}
}

// recipe is how a report is counted.
type recipe struct {
	// counts are its plain figures.
	counts []string
	// shares divide the cases for which the first figure holds, among those for which one
	// of the others does, by the latter; bounded ones have bounds beside them.
	shares  map[string][]string
	bounded bool
	// different count different words, samples are made of values: the name of the sample
	// and what is made of it.
	different []string
	samples   map[string][2]string
	// quotients divide one figure by another.
	quotients map[string][2]string
	// money shows the value of the won deals, and its mean.
	money []string
	// cases are those of one lead. happenings says that each has its own instant.
	cases      func(*view) []*found
	happenings bool
	// own says that there are rows where nothing is asked for, by the word of no dimension;
	// always names rows that are there though they count nothing.
	own    bool
	always func(*Log, Question) []string
}

var recipes = map[string]*recipe{
	"funnel": funnel, "response": response, "quality": quality, "scoreboard": scoreboard, "conversion": conversion,
	"cycle": cycle, "value": value, "leak": leak, "purpose": purpose, "segments": segments, "reasons": reasons,
	"disputes": disputes, "phrases": phrases, "hygiene": hygiene, "sla": sla, "definitions": definitions, "training": training,
}

// Count answers the rows of a report by their keys, the total among them; nil = what is
// asked about is not there.
func (l *Log) Count(q Question) map[string]*Row {
	switch q.Report {
	case "load":
		return l.load(q)
	case "second-chance":
		return l.secondChance(q)
	case "fairness":
		return l.fairness(q)
	case "effect":
		return l.effect(q)
	case "growth":
		return l.growth(q)
	}
	r := recipes[q.Report]
	if q.Report == "padding" {
		r = l.padding(q)
	}
	rows := map[string]*Row{Total: {}, Nothing: {}}
	put := func(v *view, key string, c *found) {
		if rows[key] == nil {
			rows[key] = &Row{}
		}
		rows[key].put(r, v.s.id, c)
	}
	l.each(q, func(v *view) {
		v.in = q.within
		for _, c := range r.cases(v) {
			if !v.wanted(c) {
				continue
			}
			put(v, Total, c)
			switch {
			case q.By == "":
				if r.own {
					put(v, c.words[""], c)
				}
			case !q.timed():
				put(v, v.dimension(c, q.By), c)
			case !q.Activity:
				put(v, q.period(v.s.received), c)
			case r.happenings:
				put(v, q.period(c.at), c)
			}
		}
		if r.happenings || !q.Activity || !q.timed() {
			return
		}
		// Each thing that happened to a lead belongs to the period of its own instant.
		for _, key := range v.periods() {
			v.in = func(t time.Time) bool { return q.within(t) && q.period(t) == key }
			for _, c := range r.cases(v) {
				if v.wanted(c) {
					put(v, key, c)
				}
			}
		}
	})
	if r.always != nil {
		for _, key := range r.always(l, q) {
			if rows[key] == nil {
				rows[key] = &Row{}
			}
		}
	}
	currency := rows[Total].currency()
	for _, row := range rows { // any order: each by itself
		row.figures(r, currency)
	}
	return rows
}

// each looks at the leads that a question is about.
func (l *Log) each(q Question, look func(*view)) {
	until := forever
	if !q.AsOf.IsZero() {
		until = q.AsOf
	}
	for _, id := range l.leads {
		s := l.fold(id, until)
		if s.received.IsZero() || s.received.After(until) || s.historical && !q.Historical || !q.Activity && !q.within(s.received) {
			continue
		}
		look(&view{l: l, q: q, s: s, until: until, in: q.within})
	}
}

func (q Question) within(t time.Time) bool {
	return (q.From.IsZero() || !t.Before(q.From)) && (q.To.IsZero() || t.Before(q.To))
}

// now is the instant that the question speaks for.
func (q Question) now() time.Time {
	if q.AsOf.IsZero() {
		return q.Now
	}
	return q.AsOf
}

// did says whether something that has an instant counts: of activity it must be in the
// period.
func (v *view) did(t time.Time) bool { return !t.IsZero() && (!v.q.Activity || v.in(t)) }

// kept says whether a lead was not refused at the door.
func (v *view) kept() bool { return v.s.state != "refused" }

// lead makes a case of a lead: of activity only if something of it counts.
func (v *view) lead(c *found) []*found {
	if v.q.Activity && len(c.counts) == 0 {
		return nil
	}
	return []*found{c}
}

// periods are those in which anything happened to the lead, the end of a horizon included.
func (v *view) periods() (keys []string) {
	at := append(slices.Clone(v.s.happened), v.s.received, v.s.received.Add(v.q.Horizon))
	if !v.s.offered.IsZero() {
		at = append(at, v.s.offered.Add(v.q.Horizon))
	}
	for _, t := range at {
		if key := v.q.period(t); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
