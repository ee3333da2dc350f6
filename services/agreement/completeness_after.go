package agreement

import (
	"slices"
	"strings"
)

// What the parts on what comes after the handoff mean together.

func (c *completeness) afterwards() {
	c.reachable()
	c.asks()
	c.judges()
	c.purposes()
}

// reachable looks for who is said to be out of reach without a try, and for touches that
// never reach anybody.
func (c *completeness) reachable() {
	for i, r := range c.agreement.reasons {
		if r.Attempts == 0 && strings.Contains(strings.ToLower(r.ID+" "+r.Title), "reach") {
			c.notices.add(c.after.reasons[i], "the reason %q can be given without an attempt to reach the person; if that is not meant, say how many there must be with `attempts:`", r.ID)
		}
	}
	list := c.agreement.dispositions
	if len(list) > 0 && !slices.ContainsFunc(list, func(d Disposition) bool { return d.Reached }) {
		c.notices.add(c.after.dispositions, "no disposition has `reached: true`, so that by these words nobody is ever reached")
	}
}

// asks looks for times of the feedback that bind nobody.
func (c *completeness) asks() {
	f := c.agreement.feedback
	switch {
	case f.Within > 0 && len(f.Required) == 0:
		c.notices.add(c.after.within, "no question is `required`, so that nothing is ever answered too late")
	case f.Within == 0 && f.Calendar != "":
		c.notices.add(c.after.calendar, "\"calendar\" says nothing without `within`; add it, or remove this line")
	}
}

// judges looks for an arbiter who is a party, and for people who are told twice.
func (c *completeness) judges() {
	d, ok := c.agreement.Disputes()
	if !ok {
		return
	}
	for _, p := range c.agreement.pools {
		switch {
		case p.Manager == d.Arbiter:
			c.notices.add(c.after.arbiter, "%q decides disputes and manages the pool %q, and so decides about their own people; somebody of neither department is trusted by both", d.Arbiter, p.ID)
		case slices.ContainsFunc(p.Members, func(m PoolMember) bool { return m.Member == d.Arbiter }):
			c.notices.add(c.after.arbiter, "%q decides disputes and gets leads of the pool %q, and so decides about their own leads; somebody of neither department is trusted by both", d.Arbiter, p.ID)
		default:
			continue
		}
		break
	}
	told := []string{d.Arbiter}
	for _, one := range c.after.then {
		if slices.Contains(told, one.id) {
			c.notices.add(one.place, "%q is told of the case before already; name somebody else, or nobody", one.id)
		}
		told = append(told, one.id)
	}
}

// purposes looks for a lead of each purpose. A lead has one before anybody has called,
// and may have another one after that.
func (c *completeness) purposes() {
	var rules []rule
	var tests []test
	for i := range c.agreement.purposes {
		p := &c.agreement.purposes[i]
		at := c.after.purposes[i]
		if written, ok := find(c.conditions, func(one pending) bool { return one.into == &p.when }); ok {
			at = written.value.place
		}
		rules = append(rules, rule{p.ID, at, p.when, i})
		tests = append(tests, p.when.test())
	}
	if len(rules) == 0 {
		return
	}
	// That a lead fits two of them is no surprise: it is for one thing more than another.
	c.order(c.agreement.newSolver(tests, maybeCall, 0), rules, "purpose")
}
