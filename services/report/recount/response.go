package recount

import "time"

var response = &recipe{
	counts: []string{"leads", "up_to_1h", "from_1h_to_24h", "over_24h", "never", "open"},
	shares: map[string][]string{
		"up_to_1h_share": {"up_to_1h", "leads"}, "from_1h_to_24h_share": {"from_1h_to_24h", "leads"}, "over_24h_share": {"over_24h", "leads"},
		"never_share": {"never", "leads"}, "open_share": {"open", "leads"},
	},
	samples: map[string][2]string{
		"mean_seconds": {"clock", "mean"}, "median_seconds": {"clock", "median"}, "p90_seconds": {"clock", "p90"},
		"work_mean_seconds": {"work", "mean"}, "work_median_seconds": {"work", "median"}, "work_p90_seconds": {"work", "p90"},
	},
	cases: func(v *view) []*found {
		answer, ok := v.answer()
		if !ok {
			return nil
		}
		c := newCase()
		c.counts["leads"], c.counts[answer] = 1, 1
		if answer != "never" && answer != "open" {
			s := v.s
			c.samples["clock"] = max(0, s.touched.Sub(s.received).Seconds())
			if a := v.q.inForce(s.received); a != nil {
				if hours := a.Hours[a.Pools[s.pool]]; hours != nil {
					c.samples["work"] = hours.between(s.received, s.touched).Seconds()
				}
			}
		}
		return []*found{c}
	},
}

// answer says how soon a lead was first answered. It belongs to the period of the touch;
// that there was none to that of the end of the horizon, and that there may be one yet to
// that of receipt.
func (v *view) answer() (answer string, ok bool) {
	s, now := v.s, v.q.now()
	if !v.kept() {
		return "", false
	}
	end := s.received.Add(v.q.Horizon)
	at := s.touched
	switch answered := !s.touched.IsZero() && !s.touched.After(now); {
	case answered && !s.touched.After(end):
		switch took := s.touched.Sub(s.received); {
		case took <= time.Hour:
			answer = "up_to_1h"
		case took <= 24*time.Hour:
			answer = "from_1h_to_24h"
		default:
			answer = "over_24h"
		}
	case answered || !now.Before(end):
		answer, at = "never", end
	default:
		answer, at = "open", s.received
	}
	return answer, !v.q.Activity || v.in(at)
}

var scoreboard = &recipe{
	counts:  []string{"offered", "followed_up", "never_touched", "open", "accepted_untouched", "rejected", "rejected_untouched"},
	shares:  map[string][]string{"follow_up_rate": {"followed_up", "offered"}, "reject_rate": {"rejected", "offered"}},
	bounded: true,
	cases: func(v *view) []*found {
		if !v.kept() || !v.did(v.s.offered) {
			return nil
		}
		c := newCase()
		c.counts["offered"] = 1
		answer, ok := v.answer()
		untouched := ok && (answer == "never" || answer == "open")
		c.note("followed_up", ok && !untouched)
		c.note("never_touched", ok && answer == "never")
		c.note("open", ok && answer == "open")
		c.note("accepted_untouched", untouched && v.did(v.s.accepted))
		c.note("rejected", v.did(v.s.rejected))
		c.note("rejected_untouched", untouched && v.did(v.s.rejected))
		return []*found{c}
	},
}

var leak = &recipe{
	counts:  []string{"qualified", "offered", "told", "accepted", "leaked", "leaked_told", "leaked_untold"},
	shares:  map[string][]string{"leak_rate": {"leaked", "offered"}},
	bounded: true,
	cases: func(v *view) []*found {
		s, c := v.s, newCase()
		if s.mql.IsZero() || !v.kept() {
			return nil
		}
		qualified, offered := v.did(s.mql), v.did(s.mql) && v.did(s.offered)
		c.note("qualified", qualified)
		c.note("offered", offered)
		c.note("told", offered && v.did(s.told))
		c.note("accepted", offered && v.did(s.accepted))
		if !s.offered.IsZero() && s.accepted.IsZero() && s.rejected.IsZero() {
			over := s.offered.Add(v.q.Horizon)
			leaked := !over.After(v.q.now()) && (!v.q.Activity || v.in(over))
			c.note("leaked", leaked)
			c.note("leaked_told", leaked && !s.told.IsZero())
			c.note("leaked_untold", leaked && s.told.IsZero())
		}
		return v.lead(c)
	},
}
