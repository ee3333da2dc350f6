package recount

import (
	"math"
	"strings"
)

var turnCounts = []string{"eligible", "offered", "accepted", "declined", "timed_out", "by_rotation", "by_ownership", "by_override", "by_credit", "credits", "adjustments"}

// fairness goes through the turns of all pools one by one. A row is a pool and a person.
func (l *Log) fairness(q Question) map[string]*Row {
	rows, of := people(turnCounts)
	until := q.now()
	last := map[string]map[string]float64{}
	leads := map[string]*lead{}
	for _, s := range l.steps {
		pool := s.body.text("pool")
		there := s.there(last)
		if s.at.After(until) || !q.To.IsZero() && !s.at.Before(q.To) || q.Pool != "" && q.Pool != pool {
			continue
		}
		asked := !s.at.Before(q.From)
		note := func(member, name string, n float64) { of(pool + "/" + member)[name] += n }
		// What counts for the whole books counts for those of the period as well.
		books := func(member string, n float64) {
			note(member, "off_quota_ever", n)
			if asked {
				note(member, "off_quota", n)
			}
		}
		member := s.body.text("member")
		if s.is("ADJUSTED", "") {
			n := float64(s.body.number("leads"))
			if asked {
				note(member, map[bool]string{true: "credits", false: "adjustments"}[s.is("ADJUSTED", "CREDIT")], n)
			}
			others := there.sum(false)
			if others == 0 {
				continue
			}
			books(member, -n)
			for name, weight := range there.here { // any order: each by itself
				books(name, n*weight/others)
			}
			continue
		}
		if !s.is("OFFERED", "") {
			continue
		}
		id := s.body.text("lead_id")
		if leads[id] == nil {
			leads[id] = l.fold(id, forever)
		}
		if len(there.here)+len(there.owed) == 0 {
			there.here = l.considered(id, s.body.number("offer"))
		}
		counted := s.body.yes("counted") || s.is("OFFERED", "ROTATION")
		if counted {
			books(member, 1)
		}
		if asked {
			note(member, "offered", 1)
			note(member, "ahead", 1)
			note(member, "by_"+strings.ToLower(strings.TrimPrefix(s.body.text("turn"), "TURN_KIND_")), 1)
			if f := leads[id].fates[s.body.number("offer")]; f.word != "" && !f.at.After(until) {
				note(member, f.word, 1)
			}
		}
		here, all := there.sum(false), there.sum(true)
		if here == 0 {
			continue
		}
		quota := func(name string, weight float64) {
			if counted {
				books(name, -weight/all)
				if asked {
					note(name, "quota", weight/all)
				}
			}
		}
		for name, weight := range there.here { // any order: each by itself
			quota(name, weight)
			if asked {
				note(name, "eligible", 1)
				note(name, "share", weight/here)
				note(name, "ahead", -weight/here)
			}
		}
		for name, weight := range there.owed { // any order: each by itself
			quota(name, weight)
		}
	}
	return fair(rows)
}

// fair makes the figures of the rows, and the total out of them.
func fair(rows map[string]*Row) map[string]*Row {
	total := rows[Total].Figures
	for key, row := range rows { // any order: each is added
		f := row.Figures
		if key == Total {
			continue
		}
		moved := false
		for name, n := range f { // any order: whether any is
			moved = moved || name != "off_quota_ever" && math.Abs(n) > 1e-9
		}
		if !moved {
			delete(rows, key) // was there before the time that is asked about only
			continue
		}
		for name, n := range f { // any order: each by itself
			total[name] += n
		}
	}
	for _, row := range rows { // any order: each by itself
		f := row.Figures
		for _, name := range []string{"share", "ahead", "quota", "off_quota", "off_quota_ever"} {
			if f[name] += 0; len(rows) == 1 {
				f[name] = math.NaN() // nobody had a turn
			}
		}
		for _, name := range []string{"rotation", "ownership", "override", "credit"} {
			f["by_"+name+"_share"] = f["by_"+name] / f["offered"]
		}
	}
	return rows
}

// seats are who was there at a turn, and whose share of it was kept, with their weights.
type seats struct{ here, owed map[string]float64 }

func (s seats) sum(all bool) (sum float64) {
	for _, w := range s.here { // any order: whole numbers
		sum += w
	}
	if all {
		for _, w := range s.owed { // any order: whole numbers
			sum += w
		}
	}
	return sum
}

// there says who was there at a step. One that says what has changed since the last such
// step of the pool is added to that.
func (s step) there(last map[string]map[string]float64) (out seats) {
	named := func(names, weights string) map[string]float64 {
		found := map[string]float64{}
		w := s.body.numbers(weights)
		for i, name := range s.body.texts(names) {
			if i < len(w) && w[i] > 0 {
				found[name] = float64(w[i])
			}
		}
		return found
	}
	out = seats{named("eligible", "weights"), named("owed", "owed_weights")}
	if !s.body.yes("since_last") || !s.is("OFFERED", "") {
		return out
	}
	pool := s.body.text("pool")
	now := map[string]float64{}
	for name, weight := range last[pool] { // any order: a map again
		now[name] = weight
	}
	for _, name := range append(s.body.texts("left"), s.body.texts("eligible")...) {
		delete(now, name)
	}
	for name, weight := range out.here { // any order: a map again
		now[name] = weight
	}
	last[pool] = now
	out.here = map[string]float64{}
	for name, weight := range now { // any order: a map again
		out.here[name] = weight
	}
	return out
}

// considered are those who could have got an offer, as the decision itself says; nobody
// where it does not name all.
func (l *Log) considered(id string, offer int64) map[string]float64 {
	out := map[string]float64{}
	for _, e := range l.events[id] {
		if e.kind != "LeadOffered" || e.body.number("offer") != offer || e.body["counts"] != nil {
			continue
		}
		for _, c := range e.body.objects("considered") {
			if w := c.number("weight"); c.yes("eligible") && w > 0 {
				out[c.text("member")] = float64(w)
			}
		}
	}
	return out
}
