package recount

import "time"

var funnel = &recipe{
	counts: []string{"received", "refused", "duplicates", "mql", "sal", "sql", "offered", "accepted", "rejected", "won", "lost", "open"},
	shares: map[string][]string{
		"mql_rate": {"mql", "received"}, "sal_rate": {"sal", "mql"}, "sql_rate": {"sql", "mql"},
		"accept_rate": {"accepted", "offered"}, "reject_rate": {"rejected", "offered"}, "win_rate": {"won", "won", "lost"},
	},
	bounded: true,
	cases: func(v *view) []*found {
		c := v.stages()
		c.note("refused", v.did(v.s.received) && !v.kept())
		for _, t := range v.s.again {
			c.note("duplicates", v.did(t))
		}
		return v.lead(c)
	},
}

// stages is a lead with how far it came.
func (v *view) stages() *found {
	s, c := v.s, newCase()
	came := v.did(s.received) && v.kept()
	c.note("received", came)
	for name, t := range map[string]time.Time{"mql": s.mql, "sal": s.sal, "sql": s.sql, "offered": s.offered, "accepted": s.accepted, "rejected": s.rejected} {
		c.note(name, v.kept() && v.did(t))
	}
	c.won = s.state == "won" && v.did(s.closed)
	c.note("won", c.won)
	c.minor, c.currency = s.value, s.currency
	c.note("lost", s.state == "lost" && v.did(s.closed))
	c.note("open", came && s.state != "won" && s.state != "lost")
	return c
}

// only leaves a case the figures of one report.
func (c *found) only(names ...string) *found {
	kept := map[string]float64{}
	for _, name := range names {
		if n := c.counts[name]; n != 0 {
			kept[name] = n
		}
	}
	c.counts = kept
	return c
}

var quality = &recipe{
	counts:  []string{"received", "mql", "offered", "accepted", "sql"},
	shares:  map[string][]string{"accept_rate": {"accepted", "offered"}, "sql_rate": {"sql", "mql"}},
	bounded: true,
	cases: func(v *view) []*found {
		if !v.kept() {
			return nil
		}
		return v.lead(v.stages().only("received", "mql", "offered", "accepted", "sql"))
	},
}

var conversion = &recipe{
	counts: []string{"mql", "sal", "sql", "won"},
	shares: map[string][]string{
		"mql_to_sal": {"sal", "mql"}, "sal_to_sql": {"sql", "sal"}, "sql_to_won": {"won", "sql"}, "mql_to_sql": {"sql", "mql"}, "mql_to_won": {"won", "mql"},
	},
	bounded: true,
	cases: func(v *view) []*found {
		if v.s.mql.IsZero() || !v.kept() {
			return nil
		}
		return v.lead(v.stages().only("mql", "sal", "sql", "won"))
	},
}

var cycle = &recipe{
	counts: []string{"won", "lost"},
	samples: map[string][2]string{
		"won_mean_days": {"won", "mean"}, "won_median_days": {"won", "median"}, "won_p90_days": {"won", "p90"},
		"lost_mean_days": {"lost", "mean"}, "lost_median_days": {"lost", "median"}, "lost_p90_days": {"lost", "p90"},
	},
	cases: func(v *view) []*found {
		c := v.stages().only("won", "lost")
		for way := range c.counts { // any order: there is one
			c.samples[way] = max(0, v.s.closed.Sub(v.s.received).Hours()/24)
		}
		return v.closed(c)
	},
}

var value = &recipe{
	counts:  []string{"won", "lost"},
	shares:  map[string][]string{"win_rate": {"won", "won", "lost"}},
	bounded: true,
	money:   []string{"value", "mean_value"},
	cases:   func(v *view) []*found { return v.closed(v.stages().only("won", "lost")) },
}

// closed makes a case of a lead that is won or lost.
func (v *view) closed(c *found) []*found {
	if len(c.counts) == 0 {
		return nil
	}
	return []*found{c}
}

var purpose = &recipe{
	counts: []string{"received", "mql", "sql", "won"},
	money:  []string{"value"},
	cases: func(v *view) []*found {
		if !v.kept() {
			return nil
		}
		return v.lead(v.stages().only("received", "mql", "sql", "won"))
	},
}

var segments = &recipe{
	counts:  []string{"received", "offered", "won", "lost", "rated"},
	shares:  map[string][]string{"accept_rate": {"accepted", "offered"}, "win_rate": {"won", "won", "lost"}},
	bounded: true,
	samples: map[string][2]string{"ease": {"ease", "mean"}},
	cases: func(v *view) []*found {
		if !v.kept() {
			return nil
		}
		c := v.stages()
		// A lead that was accepted in the period and offered before counts for no figure.
		if c.counts["offered"] == 0 {
			delete(c.counts, "accepted")
		}
		c.only("received", "offered", "accepted", "won", "lost")
		for _, f := range v.s.feedback {
			if ease := f.body.number("ease"); ease > 0 && v.did(f.at) {
				c.counts["rated"], c.samples["ease"] = 1, float64(ease)
			}
		}
		return v.lead(c)
	},
}
