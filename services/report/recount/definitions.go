package recount

import (
	"sort"
	"strconv"
	"time"
)

var definitions = &recipe{
	counts:    []string{"leads", "mql", "sal", "sql", "handoffs", "accepted", "returned"},
	shares:    map[string][]string{"mql_rate": {"mql", "leads"}, "sql_rate": {"sql", "mql"}, "accept_rate": {"accepted", "handoffs"}, "returned_rate": {"returned", "mql"}},
	bounded:   true,
	quotients: map[string][2]string{"handoffs_per_sql": {"handoffs", "sql"}},
	samples:   map[string][2]string{"median_take_seconds": {"take", "median"}},
	cases: func(v *view) []*found {
		s, c := v.s, newCase()
		if s.decidedBy == 0 || !v.kept() {
			return nil
		}
		c.words[""] = strconv.FormatInt(s.decidedBy, 10)
		c.counts["leads"] = 1
		for name, t := range map[string]time.Time{"mql": s.mql, "sal": s.sal, "sql": s.sql, "handoffs": s.offered, "accepted": s.accepted, "returned": s.returned} {
			c.note(name, !t.IsZero())
		}
		if !s.offered.IsZero() && !s.accepted.IsZero() {
			c.samples["take"] = max(0, s.accepted.Sub(s.offered).Seconds())
		}
		return []*found{c}
	},
	own: true,
	always: func(l *Log, q Question) (keys []string) {
		for _, v := range l.versions(q.now()) {
			if q.By == "" && (q.To.IsZero() || v.from.Before(q.To)) && (v.to.IsZero() || v.to.After(q.From)) {
				keys = append(keys, v.name)
			}
		}
		return keys
	},
}

// version is a version of the agreement while it was in force; a zero end is none.
type version struct {
	name     string
	number   int64
	from, to time.Time
}

// versions are those that came into force by an instant. Of two that came at once the
// later one is in force.
func (l *Log) versions(by time.Time) (out []version) {
	for _, e := range l.all {
		from := e.body.time("in_force_from")
		if e.kind != "AgreementSigned" || from.IsZero() || from.After(by) {
			continue
		}
		out = append(out, version{name: strconv.FormatInt(e.body.number("version"), 10), number: e.body.number("version"), from: from})
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].from.Equal(out[j].from) {
			return out[i].from.Before(out[j].from)
		}
		return out[i].number < out[j].number
	})
	for i := len(out) - 2; i >= 0; i-- {
		if out[i].to = out[i+1].from; out[i].to.Equal(out[i].from) {
			out = append(out[:i], out[i+1:]...)
		}
	}
	return out
}
