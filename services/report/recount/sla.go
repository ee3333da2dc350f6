package recount

import (
	"slices"
	"sort"
	"strconv"
	"time"
)

// Clock is a clock of the agreement, in the words of its document.
type Clock struct {
	ID, Department        string
	Starts, Stops, Pauses []string
	// For says which leads it is for, by their features; nil = all.
	For      func(features map[string]any) bool
	Restarts bool
	Limit    time.Duration
	// Working says that working time counts: that of Calendar, or else of the pool.
	Working  bool
	Calendar string
}

var sla = &recipe{
	counts:  []string{"started", "met", "breached", "running", "unstopped", "reminded", "escalated", "step_1", "step_2", "step_3", "steps", "restated"},
	shares:  map[string][]string{"met_rate": {"met", "met", "breached"}},
	bounded: true,
	samples: map[string][2]string{"median_seconds": {"spent", "median"}, "p90_seconds": {"spent", "p90"}},
	cases: func(v *view) (out []*found) {
		if v.s.historical {
			return nil
		}
		walk := v.walk()
		for i := range walk.runs {
			if r := &walk.runs[i]; v.did(r.started) {
				out = append(out, v.run(walk, r))
			}
		}
		return out
	},
	happenings: true,
}

// run is a case of a run of a clock.
func (v *view) run(w *walk, r *run) *found {
	c := newCase()
	c.at = r.started
	until := v.q.now()
	if r.stopped {
		until = r.end
	}
	c.words["clock"], c.words["department"], c.words["holder"] = r.clock.ID, r.clock.Department, w.with(until.Add(-1))
	spent := w.spent(r, until, v.q.Away)
	c.counts["started"] = 1
	switch {
	case spent >= r.clock.Limit:
		c.counts["breached"] = 1
		c.note("unstopped", !r.stopped)
	case r.stopped:
		c.counts["met"] = 1
	default:
		c.counts["running"] = 1
	}
	if r.stopped {
		c.samples["spent"] = spent.Seconds()
	}
	for _, e := range v.l.events[v.s.id] {
		of := e.body.under("clock")
		if e.at.After(v.until) || of.text("clock") != r.clock.ID || !of.time("started_at").Equal(r.started) {
			continue
		}
		switch e.kind {
		case "ClockReminded":
			c.counts["reminded"] = 1
		case "ClockEscalated":
			c.counts["escalated"] = 1
			c.counts["step_"+strconv.FormatInt(e.body.number("step"), 10)] = 1
			c.counts["steps"]++
		case "ClockRestated":
			c.counts["restated"] = 1
		}
	}
	return c
}

// moment is something that happened to a lead, in the agreement's word for it.
type moment struct {
	word         string
	at           time.Time
	member, pool string
	features     object
}

// run is one run of a clock; end is when it was stopped, if it was.
type run struct {
	clock        *Clock
	hours        *Hours
	started, end time.Time
	stopped      bool
}

// stood is how a lead stood from an instant on.
type stood struct {
	at         time.Time
	how        string // "", "waiting", "offered", "owned" or "nurtured"
	with, pool string
}

// walk is a lead's way, with the runs of its clocks.
type walk struct {
	way  []stood
	runs []run
	// hours are those of the pool that has the lead, as it was agreed when it came there.
	hours *Hours
}

// moments are what happened to the lead by the question's instant, in the order in which
// it happened, each with what was known of the lead when it became known.
func (v *view) moments() (out []moment) {
	var features object
	for _, e := range v.l.events[v.s.id] {
		if e.at.After(v.until) {
			continue
		}
		b := e.body
		add := func(word, member, pool string) { out = append(out, moment{word, e.at, member, pool, features}) }
		switch e.kind {
		case "LeadReceived":
			features = b.under("features")
			add("received", "", "")
		case "SubmissionRevised":
			if !b.yes("conflict") {
				features = b.under("features")
			}
		case "LeadRemapped":
			features = b.under("features")
		case "LeadRefused":
			add("closed", "", "")
		case "LeadQualified":
			add("qualified", "", "")
		case "LeadNurtured":
			add("nurtured", "", "")
		case "LeadOffered":
			add("offered", b.text("member"), b.text("pool"))
		case "LeadQueued":
			add("waiting", "", b.text("pool"))
		case "OfferAccepted":
			add("accepted", b.text("member"), "")
		case "OfferRejected":
			add("rejected", b.text("member"), "")
			if b.text("consequence") == "CONSEQUENCE_DISQUALIFY" {
				add("closed", "", "")
			}
		case "OfferTimedOut":
			add("timed out", b.text("member"), "")
		case "LeadReassigned":
			if b.text("undoes") != "" && b.yes("accepted") {
				add("given back", b.text("to"), b.text("pool"))
			} else {
				add("moved", "", "")
			}
		case "CallRecorded":
			add("call", b.text("member"), "")
		case "OutcomeRecorded":
			add(map[string]string{
				"OUTCOME_KIND_TOUCH": "touched", "OUTCOME_KIND_WORKING": "worked", "OUTCOME_KIND_STAGE": "worked", "OUTCOME_KIND_WON": "closed", "OUTCOME_KIND_LOST": "closed",
			}[b.text("kind")], b.text("member"), "")
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].at.Before(out[j].at) })
	return out
}

// walk follows the lead, and starts and stops clocks on the way.
func (v *view) walk() *walk {
	w := &walk{way: []stood{{}}}
	for _, m := range v.moments() {
		before := w.now().pool
		counts := w.step(m)
		agreed := v.q.inForce(m.at)
		if agreed != nil && w.now().pool != before {
			w.worksIn(agreed.Hours[agreed.Pools[m.pool]])
		}
		again := w.stop(m, counts)
		if m.word == "closed" {
			return w
		}
		if agreed == nil || !counts {
			continue
		}
		for i := range agreed.Clocks {
			c := &agreed.Clocks[i]
			starts := slices.Contains(c.Starts, m.word) || c.Restarts && slices.Contains(again, c.ID)
			runs := slices.ContainsFunc(w.runs, func(r run) bool { return r.clock.ID == c.ID && !r.stopped })
			if !starts || runs || c.For != nil && !c.For(m.features) {
				continue
			}
			r := run{clock: c, started: m.at}
			switch {
			case c.Calendar != "":
				r.hours = agreed.Hours[c.Calendar]
			case c.Working:
				r.hours = w.hours
			}
			w.runs = append(w.runs, r)
		}
	}
	return w
}

func (w *walk) now() stood { return w.way[len(w.way)-1] }

// step lets the lead stand where the moment puts it. It says whether that counts: who has
// a lead that is qualified keeps it, and what is with marketing is left there once.
func (w *walk) step(m moment) (counts bool) {
	next := w.now()
	next.at = m.at
	switch m.word {
	case "qualified":
		if next.how == "offered" || next.how == "owned" {
			return false
		}
		next.how, next.with = "", ""
	case "nurtured":
		if next.how == "nurtured" {
			return false
		}
		next.how, next.with = "nurtured", ""
	case "offered":
		next.how, next.with = "offered", m.member
	case "waiting":
		next.how, next.with = "waiting", ""
	case "accepted", "given back":
		next.how, next.with = "owned", m.member
	case "rejected", "timed out", "moved":
		next.how, next.with = "", ""
	}
	if m.pool != "" {
		next.pool = m.pool
	}
	w.way = append(w.way, next)
	return true
}

// worksIn notes the hours of the pool that the lead came to. Clocks that began before any
// pool had it take them.
func (w *walk) worksIn(hours *Hours) {
	w.hours = hours
	for i := range w.runs {
		if r := &w.runs[i]; r.clock.Working && r.hours == nil {
			r.hours = hours
		}
	}
}

// stop stops the runs that a moment stops, and names the clocks that it starts anew.
func (w *walk) stop(m moment, counts bool) (again []string) {
	act := m.word == "touched" || m.word == "call" || m.word == "worked"
	for i := range w.runs {
		r := &w.runs[i]
		if r.stopped {
			continue
		}
		named := slices.Contains(r.clock.Stops, m.word) || m.word == "call" && slices.Contains(r.clock.Stops, "touched")
		switch {
		case m.word == "closed", counts && named:
			r.stopped, r.end = true, m.at
		case r.clock.Restarts && act && m.member == w.now().with:
			r.stopped, r.end = true, m.at
			again = append(again, r.clock.ID)
		}
	}
	return again
}

// with is who has the lead at an instant, or is offered it.
func (w *walk) with(at time.Time) (member string) {
	for _, s := range w.way {
		if !s.at.After(at) {
			member = s.with
		}
	}
	return member
}

// spent is the time on a clock at an instant: all that passed since its start, without
// that in which it stands still.
func (w *walk) spent(r *run, until time.Time, away map[string][]Span) (sum time.Duration) {
	passes := func(s Span) time.Duration {
		switch {
		case !r.clock.Working:
			return s.To.Sub(s.From)
		case r.hours == nil:
			return 0
		}
		return r.hours.between(s.From, s.To)
	}
	for i, s := range w.way {
		to := until
		if i+1 < len(w.way) {
			to = w.way[i+1].at
		}
		part, ok := overlap(Span{s.at, to}, Span{r.started, until})
		if !ok || slices.Contains(r.clock.Pauses, s.how) {
			continue
		}
		sum += passes(part)
		if s.how == "owned" && slices.Contains(r.clock.Pauses, "away") {
			for _, a := range away[s.with] {
				if still, ok := overlap(part, a); ok {
					sum -= passes(still)
				}
			}
		}
	}
	return sum
}
