package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// The most leads that somebody is given in a day, a week and a month: hard, whatever
// pool of the group they come from.

// Given counts the leads that a member was given, by the periods in which they were:
// of each kind the two that began last, the latest first. Two, because pools of one
// group may be in zones whose dates differ.
type Given [len(agreement.Periods)][2]Spell

// Spell is the leads of one period, by the local date on which it began.
type Spell struct {
	Began string `json:"began,omitempty"`
	Leads int64  `json:"leads,omitempty"`
}

// in answers how many leads were given in the period that began on a date.
func (g *Given) in(p agreement.Period, began string) int64 {
	for _, s := range g[p] {
		if s.Began == began {
			return s.Leads
		}
	}
	return 0
}

// add counts one lead in the periods that began on these dates.
func (g *Given) add(began []string) {
	for i, date := range began[:min(len(began), len(g))] {
		spells := &g[i]
		switch {
		case date == spells[0].Began:
			spells[0].Leads++
		case date == spells[1].Began:
			spells[1].Leads++
		case date > spells[0].Began:
			spells[1], spells[0] = spells[0], Spell{date, 1}
		case date > spells[1].Began:
			spells[1] = Spell{date, 1}
		}
	}
}

// periods are the periods in which a lead that a member is given now counts; none
// where no pool of the group limits them.
func periods(in Input, pool agreement.Pool, member string) []string {
	limited := slices.ContainsFunc(in.pools(), func(p agreement.Pool) bool {
		if p.Group != pool.Group {
			return false
		}
		i, is := in.crowds.place(p, member)
		return is && p.Members[i].AtMost.Any()
	})
	if !limited {
		return nil
	}
	calendar := calendarOf(in, pool, member)
	var out []string
	for _, p := range agreement.Periods {
		out = append(out, calendar.Began(in.Now, p))
	}
	return out
}

// calendarOf is the calendar by which a member of a pool works.
func calendarOf(in Input, pool agreement.Pool, member string) *agreement.Calendar {
	id := pool.Calendar
	if i, is := in.crowds.place(pool, member); is && pool.Members[i].Calendar != "" {
		id = pool.Members[i].Calendar
	}
	calendar, _ := in.Agreement.Calendar(id)
	return calendar
}

// bounded says why somebody is not given a lead whom nothing else keeps from it, or
// who could not work it at any other time either: they lack what it needs, or were
// given as many as agreed.
func bounded(in Input, pool agreement.Pool, seat agreement.PoolMember, counts *Counts, c *leadv1.Candidate) (reason, text string) {
	reason, text = capped(in, pool, seat, counts, c)
	missing := lacks(in, seat)
	switch {
	case c.GetReason() == "not-known" || c.GetReason() == "deactivated":
		return c.GetReason(), c.GetText()
	case missing != "":
		return "lacks", "does not know " + missing
	case c.GetReason() != "":
		return c.GetReason(), c.GetText()
	}
	return reason, text
}

// lacks is what somebody does not know of what the lead needs; empty = they know all.
func lacks(in Input, seat agreement.PoolMember) string {
	var missing []string
	for _, need := range in.needs {
		if !slices.ContainsFunc(seat.Knows, func(known string) bool { return strings.EqualFold(known, need) }) {
			missing = append(missing, need)
		}
	}
	return strings.Join(missing, ", ")
}

// capped says how many leads a member was given in the period of their tightest limit,
// and why they are not given another one; no reason = they may be.
func capped(in Input, pool agreement.Pool, seat agreement.PoolMember, counts *Counts, c *leadv1.Candidate) (reason, text string) {
	if !seat.AtMost.Any() {
		return "", ""
	}
	calendar := calendarOf(in, pool, seat.Member)
	tight := agreement.Day
	for _, p := range agreement.Periods {
		most := seat.AtMost.Of(p)
		if most == 0 {
			continue
		}
		given := counts.given(seat.Member)
		n := given.in(p, calendar.Began(in.Now, p))
		if c.GetAtMost() == 0 || most-n < c.GetAtMost()-c.GetGiven() {
			c.Given, c.AtMost, tight = n, most, p
		}
	}
	if c.GetGiven() < c.GetAtMost() {
		return "", ""
	}
	return "capped", fmt.Sprintf("was given %d of at most %d leads of the %s", c.GetGiven(), c.GetAtMost(), tight)
}

// uncapped is the first instant at which a member whom a limit keeps from leads is free
// of it.
func uncapped(in Input, pool agreement.Pool, seat agreement.PoolMember) (free time.Time) {
	calendar := calendarOf(in, pool, seat.Member)
	given := in.Counts(pool.Group).given(seat.Member)
	for _, p := range agreement.Periods {
		if most := seat.AtMost.Of(p); most > 0 && given.in(p, calendar.Began(in.Now, p)) >= most {
			if ends := calendar.Ends(in.Now, p); ends.After(free) {
				free = ends
			}
		}
	}
	return free
}
