package recount

import (
	"math"
	"sort"
	"time"
)

// What the tests of chance hold: the end of a quarter, how many MQL and how long a quarter
// that is tested must have, how many a source and all others, and how improbable a number
// must be in all.
const (
	endOfQuarter   = 14 * 24 * time.Hour
	quarterOf      = 20
	quarterLong    = 42 * 24 * time.Hour
	sourceOf       = 10
	othersOf       = 20
	improbableMark = 0.005
)

// become is how a lead became an MQL.
type become struct {
	id, source, person string
	at, recorded       time.Time
	version            int64
	points, needed     int64
	historical, fails  bool
}

// hair says that it has what it needs, and at most a twentieth more.
func (m *become) hair() bool { return m.points >= m.needed && 20*m.points <= 21*m.needed }

// padding marks the MQL of the whole log first; its cases are those that are asked for.
func (l *Log) padding(q Question) *recipe {
	marks := map[string]map[string]bool{}
	mark := func(m *become, name string) {
		if marks[m.id] == nil {
			marks[m.id] = map[string]bool{}
		}
		marks[m.id][name] = true
	}
	all := l.become(q)
	q.By = "quarter"
	byTime := func(a, b *become) bool { return a.at.Before(b.at) || a.at.Equal(b.at) && a.id < b.id }
	for _, m := range all {
		for _, o := range all {
			if m.person != "" && o.person == m.person && q.period(o.at) == q.period(m.at) && byTime(o, m) {
				mark(m, "repeated")
			}
		}
		if m.fails {
			mark(m, "failing")
		}
		if m.historical {
			continue
		}
		if m.recorded.After(m.at.Add(24 * time.Hour)) {
			mark(m, "late")
		}
		if m.recorded.After(m.at.Add(time.Hour)) && q.period(m.recorded) != q.period(m.at) {
			mark(m, "other_quarter")
		}
	}
	sort.Slice(all, func(i, j int) bool { return byTime(all[i], all[j]) })
	for _, m := range q.bursts(all) {
		mark(m, "burst")
	}
	for _, m := range q.hugs(all) {
		mark(m, "hugging")
	}
	became := map[string]*become{}
	for _, m := range all {
		became[m.id] = m
	}
	return &recipe{
		counts:  []string{"mql", "repeated", "failing", "redated", "late", "other_quarter", "burst", "hugging", "flagged"},
		shares:  map[string][]string{"flagged_rate": {"flagged", "mql"}},
		bounded: true,
		cases: func(v *view) []*found {
			m := became[v.s.id]
			if m == nil || !v.did(m.at) {
				return nil
			}
			c := newCase()
			c.at = m.at
			c.counts["mql"] = 1
			of := marks[m.id]
			for name := range of { // any order: each by itself
				c.counts[name] = 1
			}
			c.note("redated", of["late"] || of["other_quarter"])
			c.note("flagged", len(of) > 0)
			return []*found{c}
		},
		happenings: true,
	}
}

// become are the leads that had become MQL by the question's instant, and were not refused
// by then, however the question is limited.
func (l *Log) become(q Question) (out []*become) {
	into := map[string]string{}
	for _, e := range l.all {
		switch e.kind {
		case "PersonMerged":
			into[e.body.text("from_id")] = e.body.text("into_id")
		case "PersonUnmerged":
			delete(into, e.body.text("from_id"))
		}
	}
	q.From, q.To, q.Activity = time.Time{}, time.Time{}, false
	l.each(q, func(v *view) {
		if v.s.mql.IsZero() || !v.kept() {
			return
		}
		m := &become{id: v.s.id, source: v.s.source, historical: v.s.historical}
		var features object
		calls, person := 0, ""
		for _, e := range l.events[m.id] {
			b := e.body
			switch e.kind {
			case "LeadReceived", "LeadRemapped":
				features = b.under("features")
			case "SubmissionRevised":
				if !b.yes("conflict") {
					features = b.under("features")
				}
			case "CallRecorded":
				calls++
			case "PersonAttached":
				person = b.text("person_id")
			case "LeadQualified":
				if !e.at.Equal(v.s.mql) || !m.at.IsZero() || b.text("stage") == "STAGE_LEAD" {
					continue
				}
				m.at, m.recorded, m.version = e.at, e.recorded, b.number("agreement_version")
				m.points, m.needed = b.under("explanation").number("points"), b.under("explanation").number("points_needed")
				if makes := q.Makes[m.version]; makes != nil {
					m.fails = !makes(features, calls)
				}
			}
		}
		for into[person] != "" {
			person = into[person]
		}
		m.person = person
		out = append(out, m)
	})
	return out
}

// bursts are the MQL at the ends of quarters that have far too many there.
func (q Question) bursts(all []*become) (out []*become) {
	type tested struct {
		end   []*become
		n     int
		whole time.Duration
	}
	var tests []tested
	quarters := map[string][]*become{}
	for _, m := range all {
		quarters[q.period(m.at)] = append(quarters[q.period(m.at)], m)
	}
	for _, of := range quarters { // any order: each is tested by itself
		from := q.quarterOf(of[0].at)
		to := from.AddDate(0, 3, 0)
		if from.Before(all[0].at) {
			from = all[0].at
		}
		if len(of) < quarterOf || to.Sub(from) < quarterLong || to.After(q.now()) {
			continue
		}
		t := tested{n: len(of), whole: to.Sub(from)}
		for _, m := range of {
			if !m.at.Add(endOfQuarter).Before(to) {
				t.end = append(t.end, m)
			}
		}
		tests = append(tests, t)
	}
	for _, t := range tests {
		part := float64(endOfQuarter) / float64(t.whole)
		chance := 0.0
		for k := len(t.end); k <= t.n; k++ {
			chance += math.Exp(choose(t.n, k) + float64(k)*math.Log(part) + float64(t.n-k)*math.Log(1-part))
		}
		if far(len(t.end), float64(t.n)*part) && chance <= improbableMark/float64(len(tests)) {
			out = append(out, t.end...)
		}
	}
	return out
}

// hugs are the MQL by a hair of sources that have far too many such.
func (q Question) hugs(all []*become) (out []*become) {
	type cell struct {
		version         int64
		source, quarter string
	}
	type number struct{ all, hair int }
	of := func(is func(*become) bool) (n number) {
		for _, m := range all {
			if m.needed == 0 || !is(m) {
				continue
			}
			if n.all++; m.hair() {
				n.hair++
			}
		}
		return n
	}
	in := func(m *become, c cell) bool {
		return m.needed > 0 && m.version == c.version && m.source == c.source && q.period(m.at) == c.quarter
	}
	tests := map[cell][2]number{}
	for _, m := range all {
		c := cell{m.version, m.source, q.period(m.at)}
		if _, done := tests[c]; done {
			continue
		}
		own := of(func(m *become) bool { return in(m, c) })
		others := of(func(m *become) bool { return m.version == c.version && !in(m, c) })
		if own.all >= sourceOf && others.all >= othersOf {
			tests[c] = [2]number{own, others}
		}
	}
	for c, t := range tests { // any order: each by itself
		own, others := t[0], t[1]
		good, n := own.hair+others.hair, own.all+others.all
		chance := 0.0
		for k := own.hair; k <= min(own.all, good); k++ {
			chance += math.Exp(choose(good, k) + choose(n-good, own.all-k) - choose(n, own.all))
		}
		if !far(own.hair, float64(own.all*others.hair)/float64(others.all)) || chance > improbableMark/float64(len(tests)) {
			continue
		}
		for _, m := range all {
			if in(m, c) && m.hair() {
				out = append(out, m)
			}
		}
	}
	return out
}

// far says that a number is at least twice what was expected, and three more.
func far(got int, expected float64) bool {
	return float64(got) >= 2*expected && float64(got) >= expected+3
}

// choose is the logarithm of the number of ways to take k out of n; of none it is less
// than any.
func choose(n, k int) (log float64) {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	for i := range k {
		log += math.Log(float64(n-i)) - math.Log(float64(k-i))
	}
	return log
}
