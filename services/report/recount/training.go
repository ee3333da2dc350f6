package recount

import "time"

var training = &recipe{
	counts:    []string{"requested", "held", "open"},
	shares:    map[string][]string{"held_rate": {"held", "requested"}},
	bounded:   true,
	different: []string{"leads"},
	cases: func(v *view) (out []*found) {
		for _, e := range v.l.events[v.s.id] {
			if e.kind != "RideAlongRequested" || e.at.After(v.until) || !v.did(e.at) {
				continue
			}
			c := newCase()
			c.at = e.at
			c.counts["requested"] = 1
			if v.held(e.body.text("ride_id")) {
				c.counts["held"], c.different["leads"] = 1, v.s.id
			} else {
				c.counts["open"] = 1
			}
			out = append(out, c)
		}
		return out
	},
	happenings: true,
}

// held says whether a ride along was held by the question's instant.
func (v *view) held(ride string) bool {
	var at time.Time
	for _, e := range v.l.events[v.s.id] {
		if e.kind == "RideAlongHeld" && e.body.text("ride_id") == ride {
			earliest(&at, e.at)
		}
	}
	return !at.IsZero() && !at.After(v.until)
}
