package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// What managers do where nobody says otherwise.
const (
	managerActs  = 70
	managerDelay = 45 * time.Minute
)

// managersOf are those who watch a pool, and whom a clock's step names, in order.
func managersOf(a *agreement.Agreement) (out []string) {
	for _, pool := range a.Pools() {
		out = append(out, pool.Manager)
	}
	for _, c := range a.Clocks() {
		for _, step := range c.Steps {
			for _, who := range step.Tell {
				if who != agreement.ToOwner && who != agreement.ToManager {
					out = append(out, who)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// escalate lets those act who are told that a clock ran out: whoever has the lead, and
// managers.
func (w *week) escalate(id string, t *simTrack, said *leadv1.ClockEscalated) {
	for _, who := range said.GetTell() {
		if who != t.holder {
			w.manage(id, t, who, fmt.Sprintf("acts on step %d of %s", said.GetStep(), said.GetClock().GetClock()))
			continue
		}
		switch p := w.person(who); {
		case p == nil:
		case !t.taken:
			w.remind(id, t)
		case t.sits && p.heeds(w.cfg.seed, t.number, "asked", p.asked):
			t.calling = true
			w.call(id, t, w.clock.Now().Add(time.Hour))
		}
	}
}

// manage lets a manager who was told of a lead do something about it, if they do, unless
// it was done meanwhile, or is about to be. A lead that waits in line is with nobody: its rule has to change.
func (w *week) manage(id string, t *simTrack, manager, of string) {
	holder, offer := t.holder, t.offers
	if holder == "" || chance(w.cfg.seed, t.number, manager, of)*100 >= float64(w.cfg.acts) {
		return
	}
	after := time.Duration((0.5 + chance(w.cfg.seed, t.number, manager, of+", when")) * float64(w.cfg.delay))
	w.at(w.atWork(w.clock.Now().Add(after)), func(ctx context.Context) error {
		if t.holder != holder || t.offers != offer || t.calling || !t.answered.IsZero() {
			return nil
		}
		p := w.person(holder)
		if t.taken && p != nil && !w.away(p) && p.heeds(w.cfg.seed, t.number, "asked by "+manager, p.asked) {
			w.asked++
			t.calling = true
			w.call(id, t, w.clock.Now().Add(time.Hour))
			return nil
		}
		_, err := routingv1.NewRoutingServiceClient(w.conn()).Reassign(w.as(ctx, manager), &routingv1.ReassignRequest{LeadId: id, Reason: w.moveReason()})
		if err = access.FaultOf(err); err != nil && !fault.Is(err, fault.State) {
			return err
		}
		if err == nil {
			w.moved++
		}
		return nil
	})
}

// away says whether somebody is on leave now.
func (w *week) away(p *simPerson) bool {
	day := int(w.clock.Now().Sub(w.cfg.start)/(24*time.Hour)) + 1
	return p.awayFrom > 0 && p.awayFrom <= day && day <= p.awayUntil
}

// moveReason is why managers move leads: too much to do, where that is agreed.
func (w *week) moveReason() string {
	reasons, _ := w.agreed.Moves()
	if slices.ContainsFunc(reasons, func(r agreement.Term) bool { return r.Name == "overload" }) {
		return "overload"
	}
	return reasons[0].Name
}
