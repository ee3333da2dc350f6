package agreement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// What pools, people, rules and calendars mean together.

func (c *completeness) routing() {
	c.fallbacks()
	for i := range c.agreement.pools {
		c.quiet(&c.pools[i], &c.agreement.pools[i])
		c.silent(&c.pools[i], &c.agreement.pools[i])
	}
	c.skilled()
	c.needs()
	c.holidays()
}

// fallbacks refuses pools that stand in for each other in a circle.
func (c *completeness) fallbacks() {
	pools := c.agreement.pools
	index := func(id string) int { return slices.IndexFunc(pools, func(p Pool) bool { return p.ID == id }) }
	for i := range pools {
		circle := []string{fmt.Sprintf("%q", pools[i].ID)}
		last := i
		at := index(pools[i].Fallback.Pool)
		for at >= 0 && at != i && len(circle) <= len(pools) {
			circle = append(circle, fmt.Sprintf("%q", pools[at].ID))
			last = max(last, at)
			at = index(pools[at].Fallback.Pool)
		}
		// A circle is said once, where it closes.
		if at == i && last == i && len(circle) > 1 {
			c.add(c.pools[i].fallback.place, "the pools %s stand in for each other in a circle, so that a lead that nobody can take would end with nobody; let one of them hand it to a person", allOf(circle))
		}
	}
}

// shift is a stretch of working hours on a day.
type shift struct {
	day  time.Weekday
	span span
}

// shifts are the stretches of a week. What goes on over midnight is none that ends.
func (c *Calendar) shifts() []shift {
	var out []shift
	for i := range c.week {
		day := (i + 1) % 7
		for _, s := range c.week[day] {
			next := c.week[(day+1)%7]
			if s.to < daySeconds || len(next) == 0 || next[0].from > 0 {
				out = append(out, shift{time.Weekday(day), s})
			}
		}
	}
	return out
}

// quiet looks for shifts that are over before a lead can be handed out.
func (c *completeness) quiet(at *poolPlaces, p *Pool) {
	if p.QuietBeforeEnd == 0 {
		return
	}
	said, _ := at.at("quiet_before_end")
	quiet := int64(p.QuietBeforeEnd / time.Second)
	var looked []string
	for _, m := range p.Members {
		id := m.Calendar
		if id == "" {
			id = p.Calendar
		}
		calendar, ok := c.agreement.Calendar(id)
		if slices.Contains(looked, id) || !ok {
			continue
		}
		looked = append(looked, id)
		var short []shift
		all := calendar.shifts()
		for _, s := range all {
			if s.span.to-s.span.from <= quiet {
				short = append(short, s)
			}
		}
		switch {
		case len(short) == 0:
		case len(short) == len(all):
			c.add(said.value, "no shift of the calendar %q is longer than %s, so that nobody who works by it would ever get a lead; write a shorter time", id, spelled(p.QuietBeforeEnd))
		default:
			c.notices.add(said.value, "no lead is handed out in the shift %s of the calendar %q on %s, which is not longer than that", hoursText([]span{short[0].span}), id, short[0].day)
		}
	}
}

// idle are the keys that say nothing where leads are given in a certain way.
var idle = map[string][]string{
	ByLoad:  {"counts", "after_leave", "catch_up_at_most"},
	ByOrder: {"counts", "after_leave", "catch_up_at_most", "weight"},
	ByClaim: {"counts", "after_leave", "catch_up_at_most", "weight", "remind_before"},
}

// silent looks for what a pool states and nobody asks.
func (c *completeness) silent(at *poolPlaces, p *Pool) {
	for _, name := range idle[p.GivesBy] {
		if s, stated := at.at(name); stated {
			c.notices.add(s.key, "%q says nothing in a pool with `gives_by: %s`; remove it", name, p.GivesBy)
		}
	}
	if counts, stated := at.at("counts"); stated && p.GivesBy == ByRotation && !p.Counts(leadv1.TurnKind_TURN_KIND_CREDIT) {
		for _, r := range c.agreement.reasons {
			if r.Credit {
				c.notices.add(counts.value, "the reason %q gives credits, and this pool does not count them, so that they bring nobody a lead here", r.ID)
				break
			}
		}
	}
	if remind, _ := at.at("remind_before"); p.RemindBefore > 0 && p.GivesBy != ByClaim {
		for _, s := range c.agreement.signals {
			if s.TakeWithin > 0 && s.TakeWithin <= p.RemindBefore {
				c.notices.add(remind.value, "leads with the signal %q are to be taken within %s, so that nobody is reminded of them", s.ID, spelled(s.TakeWithin))
			}
		}
	}
}

// knows says whether somebody of the pool knows all these words.
func (p *Pool) knows(words ...string) bool {
	return slices.ContainsFunc(p.Members, func(m PoolMember) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(m.Knows, word) })
	})
}

// until says what becomes of leads of a pool that nobody can take.
func (p *Pool) until() string {
	if p.Fallback.After > 0 {
		return "until the fallback gets them"
	}
	return "for ever"
}

// skilled looks for skills that a rule asks for and nobody of its pool has.
func (c *completeness) skilled() {
	for i := range c.agreement.handoffs {
		h := &c.agreement.handoffs[i]
		p, ok := c.agreement.Pool(h.Pool)
		if !ok {
			continue
		}
		alone := true
		var last place
		for _, s := range c.skills {
			if s.handoff != h {
				continue
			}
			if last = s.place; !p.knows(s.id) {
				alone = false
				c.notices.add(s.place, "nobody in pool %q knows %q: such leads would wait %s", p.ID, s.id, p.until())
			}
		}
		if alone && !p.knows(h.Skills...) {
			c.notices.add(last, "nobody in pool %q knows all of %s: such leads would wait %s", p.ID, strings.Join(h.Skills, ", "), p.until())
		}
	}
}

// needs looks for agreed words of the facts that a rule names of which nobody of its
// pool knows, though a lead of that rule can state them.
func (c *completeness) needs() {
	for _, n := range c.needed {
		p, ok := c.agreement.Pool(n.handoff.Pool)
		group, field, _ := strings.Cut(n.id, ".")
		fact := c.agreement.vocabulary.group(group).find(field)
		if !ok || fact == nil {
			continue
		}
		if open, of := coded[n.id]; of && !slices.ContainsFunc(p.Members, func(m PoolMember) bool { return slices.ContainsFunc(m.Knows, open) }) {
			c.notices.add(n.place, "nobody in pool %q knows a %s: leads that state one would wait %s", p.ID, fact.words, p.until())
		}
		var unknown []string
		for _, word := range fact.agreed {
			if !p.knows(append(slices.Clone(n.handoff.Skills), word)...) && c.states(n, word) {
				unknown = append(unknown, word)
			}
		}
		if len(unknown) > 0 {
			c.notices.add(n.place, "nobody in pool %q knows %s: leads that state it as %s would wait %s", p.ID, oneOf(unknown), fact.words, p.until())
		}
	}
}

// coded are facts with more words than anybody lists; a word of two letters is one of
// them.
var coded = map[string]func(string) bool{
	"lead.language": func(word string) bool { return len(word) == 2 && languageCode(word) == "" },
	"lead.country":  func(word string) bool { return len(word) == 2 && countryCode(word) == "" },
}

// states says whether a lead that comes to a rule can state a fact so.
func (c *completeness) states(n needed, word string) bool {
	is, _ := c.agreement.vocabulary.compile(fmt.Sprintf("%s == %q", n.id, word))
	if is == nil {
		return false
	}
	q := query{hold: []int{0, 1}}
	tests := []test{is.test(), n.handoff.when.test()}
	for i := range c.agreement.handoffs {
		h := &c.agreement.handoffs[i]
		if h == n.handoff {
			break
		}
		if h.Stage == n.handoff.Stage {
			q.fail = append(q.fail, len(tests))
			tests = append(tests, h.when.test())
		}
	}
	return !c.ask(c.agreement.newSolver(tests, maybeCall, 0), q).never
}

// holidays looks for sets that nobody uses and for days that are taken out of none.
func (c *completeness) holidays() {
	used := map[string]bool{}
	for _, at := range c.calendarPlaces {
		for _, set := range at.calendar.sets {
			used[set] = true
		}
		for _, one := range at.removed {
			if !slices.ContainsFunc(c.agreement.holidaySets, func(s holidaySet) bool {
				_, there := slices.BinarySearch(s.days, one.day)
				return there && slices.Contains(at.calendar.sets, s.id)
			}) {
				c.notices.add(one.place, "%s is in none of the calendar's sets, so that it changes nothing", dayText(one.day))
			}
		}
	}
	for i, set := range c.agreement.holidaySets {
		if !used[set.id] {
			c.notices.add(c.setsAt[i], "no calendar names the holidays %q, so that they are none", set.id)
		}
	}
}
