package recount

import (
	"math"
	"slices"
	"time"
)

// people makes rows that are counted under people, with all figures there are.
func people(counts []string) (rows map[string]*Row, of func(string) map[string]float64) {
	rows = map[string]*Row{}
	of = func(key string) map[string]float64 {
		if rows[key] == nil {
			rows[key] = &Row{Figures: map[string]float64{}}
			for _, name := range counts {
				rows[key].Figures[name] = 0
			}
		}
		return rows[key].Figures
	}
	of(Total)
	return rows, of
}

// load counts who has had which leads.
func (l *Log) load(q Question) map[string]*Row {
	rows, of := people([]string{"with_leads", "leads", "changes", "handed_on", "open", "offers"})
	for _, member := range l.sales(q) {
		of(member)
	}
	total := of(Total)
	l.each(q, func(v *view) {
		s := v.s
		owners := l.owners(s.id, v.until)
		for i, member := range owners {
			if i == 0 {
				total["leads"]++
			} else {
				of(member)["changes"]++
				of(owners[i-1])["handed_on"]++
				total["changes"]++
				total["handed_on"]++
			}
			if !slices.Contains(owners[:i], member) {
				of(member)["leads"]++
			}
		}
		switch {
		case s.state == "won" || s.state == "lost" || s.state == "refused":
		case s.owner != "":
			of(s.owner)["open"]++
			total["open"]++
		case s.offeredTo != "":
			of(s.offeredTo)["offers"]++
			total["offers"]++
		}
	})
	for key, row := range rows { // any order: each by itself
		if key != Total && row.Figures["leads"] > 0 {
			row.Figures["with_leads"] = 1
			total["with_leads"]++
		}
	}
	return rows
}

// owners are those who had a lead by an instant, one after the other, by what became known
// of it: what is told late of something else makes nobody its owner earlier.
func (l *Log) owners(id string, until time.Time) (out []string) {
	s, last := &lead{id: id}, ""
	for _, e := range l.events[id] {
		s.take(e)
		if s.owner == "" || s.owner == last {
			continue
		}
		last = s.owner
		if n := len(out); !e.at.After(until) && (n == 0 || out[n-1] != last) {
			out = append(out, last)
		}
	}
	return out
}

// sales are those of sales who were there at the question's instant.
func (l *Log) sales(q Question) (members []string) {
	there := map[string]bool{}
	for _, e := range l.all {
		if e.at.After(q.now()) {
			continue
		}
		switch e.kind {
		case "MemberAdded":
			there[e.body.text("member")] = slices.Contains(e.body.texts("roles"), "sales")
		case "MemberDeactivated":
			there[e.body.text("member")] = false
		}
	}
	for member, is := range there { // any order: rows are by their keys
		if is {
			members = append(members, member)
		}
	}
	return members
}

// secondChance counts leads that one declined and another took.
func (l *Log) secondChance(q Question) map[string]*Row {
	counts := []string{"declined", "taken", "sql", "won"}
	rows, of := people(counts)
	worth := map[string]map[string]int64{}
	l.each(q, func(v *view) {
		s := v.s
		keys, best := []string{}, map[string]bool{}
		for _, d := range s.declined {
			if slices.Contains(keys, d.who) || q.Pool != "" && q.Pool != d.pool {
				continue // of one lead a person counts once
			}
			keys = append(keys, d.who)
			// Somebody else accepted it afterwards, and has had it since.
			n := len(s.acceptances)
			taken := n > d.after && s.owner != "" && s.acceptances[n-1].member == s.owner && s.owner != d.who
			is := map[string]bool{"declined": true, "taken": taken, "sql": taken && s.sql.After(d.at), "won": taken && s.state == "won"}
			for _, name := range counts {
				if is[name] {
					of(d.who)[name]++
					best[name] = true
				}
			}
			if is["won"] {
				add(worth, d.who, s)
			}
		}
		for name := range best { // any order: each by itself
			of(Total)[name]++
		}
		if best["won"] {
			add(worth, Total, s)
		}
	})
	currency := (&Row{money: worth[Total]}).currency()
	for key, row := range rows { // any order: each by itself
		f := row.Figures
		row.Cases = int(f["declined"])
		f["value"] = math.NaN()
		if minor := minorOf[currency]; minor != 0 && f["declined"] > 0 {
			f["value"] = float64(worth[key][currency]) / minor
		}
		for name, parts := range map[string][2]string{"taken_rate": {"taken", "declined"}, "won_rate": {"won", "taken"}} { // any order: each by itself
			k, n := f[parts[0]], f[parts[1]]
			f[name] = k / n
			f[name+"_low"], f[name+"_high"] = bounds(k, n)
		}
	}
	return rows
}

func add(worth map[string]map[string]int64, key string, s *lead) {
	if worth[key] == nil {
		worth[key] = map[string]int64{}
	}
	if s.value != 0 {
		worth[key][s.currency] += s.value
	}
}
