package feedback

import (
	"maps"
	"math/bits"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What the rows of the ledger can be.
const (
	byWeek   = "week"
	byTeam   = "team"
	byPerson = "person"
)

// Account is one target of the count, part by part. In every column the rows add up to
// the total. What was agreed is shared out in whole numbers: over weeks by their days,
// over people by an even share among those who were offered something, over teams by the
// shares of their people; where nobody was offered anything, it is nobody's.
func (c *Count) Account(target int, by string, year agreement.Year) *feedbackv1.TargetAccount {
	a := &c.aims[target]
	rows := map[string]*feedbackv1.TargetRow{}
	row := func(key string) *feedbackv1.TargetRow {
		if rows[key] == nil {
			rows[key] = &feedbackv1.TargetRow{Key: key, Result: &feedbackv1.TargetResult{TargetId: a.GetTargetId()}}
		}
		return rows[key]
	}
	total := &feedbackv1.TargetRow{Result: &feedbackv1.TargetResult{TargetId: a.GetTargetId(), Agreed: a.GetCount()}}
	// offered are those who were offered something, each with the last time of it.
	offered := map[string]time.Time{}
	for i := range c.hits {
		h := &c.hits[i]
		if h.aim != target {
			continue
		}
		h.into(total)
		h.into(row(c.key(h, by, year)))
		if h.column == columnOffers && h.at.After(offered[h.member]) {
			offered[h.member] = h.at
		}
	}
	total.Result.Missed = total.GetResult().GetResult() < a.GetCount()
	if by == byWeek {
		whole := int64(c.to.Sub(c.from) / time.Second)
		for at := c.from; at.Before(c.to); {
			_, next := year.Begin(at, byWeek)
			if next.After(c.to) {
				next = c.to
			}
			// What is due until the end of the week less what was due before it: the parts
			// add up to the whole, whatever is rounded.
			due := func(t time.Time) int64 { return share(a.GetCount(), int64(t.Sub(c.from)/time.Second), whole) }
			row(dateOf(at, year)).Result.Agreed = due(next) - due(at)
			at = next
		}
	} else {
		people := slices.Sorted(maps.Keys(offered))
		for i, member := range people {
			mine := share(a.GetCount(), int64(i+1), int64(len(people))) - share(a.GetCount(), int64(i), int64(len(people)))
			key := member
			if by == byTeam {
				key = c.team(member, offered[member])
			}
			row(key).Result.Agreed += mine
		}
		if len(people) == 0 {
			row("").Result.Agreed = a.GetCount()
		}
	}
	out := &feedbackv1.TargetAccount{Target: a.Target, Total: total}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		out.Rows = append(out.Rows, rows[key])
	}
	return out
}

// share is part/whole of n, rounded down. Values of a year's business times its seconds
// do not fit 64 bits.
func share(n, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(n), uint64(part))
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(quotient)
}

// key is the row that a hit belongs to.
func (c *Count) key(h *hit, by string, year agreement.Year) string {
	switch by {
	case byTeam:
		return c.team(h.member, h.at)
	case byPerson:
		return h.member
	}
	begins, _ := year.Begin(h.at, byWeek)
	if begins.Before(c.from) {
		begins = c.from
	}
	return dateOf(begins, year)
}

func dateOf(t time.Time, year agreement.Year) string { return t.In(year.Zone).Format(time.DateOnly) }

// team is where somebody worked at an instant; empty = in no team.
func (c *Count) team(member string, at time.Time) (team string) {
	var since time.Time
	for _, p := range c.placed[member] {
		if !p.at.After(at) && !p.at.Before(since) {
			team, since = p.team, p.at
		}
	}
	return team
}
