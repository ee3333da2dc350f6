package routing

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// ListClocks lists the clocks of one lead, or the running ones of all leads, the one
// first that runs out first.
func (s *Server) ListClocks(ctx context.Context, req *routingv1.ListClocksRequest) (*routingv1.ListClocksResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	out := &routingv1.ListClocksResponse{}
	if req.GetLeadId() != "" {
		state, err := s.state(ctx, req.GetLeadId())
		if err != nil {
			return nil, err
		}
		s.Log.Follower().View(func(v *ledger.View) {
			for _, one := range s.Clocks.shown(state.ID, &state.Course, v.Now) {
				if !req.GetBreached() || one.GetBreached() {
					out.Clocks = append(out.Clocks, one)
				}
			}
			runs := s.Clocks.Runs(&state.Course)
			out.WaitedMarketing = durationpb.New(agreement.Waited(runs, agreement.Marketing, v.Now))
			out.WaitedSales = durationpb.New(agreement.Waited(runs, agreement.Sales, v.Now))
		})
		out.Clocks = out.Clocks[:min(size, len(out.Clocks))]
		return out, nil
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	s.Log.Follower().View(func(v *ledger.View) {
		for _, id := range s.Clocks.running(v.Now, req.GetBreached(), size) {
			for _, one := range s.Clocks.open(id, v.Now) {
				if one.GetStoppedAt() == nil && one.GetDueAt() != nil && (!req.GetBreached() || one.GetBreached()) {
					out.Clocks = append(out.Clocks, one)
				}
			}
		}
	})
	slices.SortStableFunc(out.Clocks, soonest)
	out.Clocks = out.Clocks[:min(size, len(out.Clocks))]
	s.looked(ctx, "")
	return out, nil
}

func soonest(a, b *routingv1.Clock) int {
	return cmp.Or(a.GetDueAt().AsTime().Compare(b.GetDueAt().AsTime()), strings.Compare(a.GetLeadId(), b.GetLeadId()))
}

// open answers the clocks of an open lead as they stand.
func (c *Clocks) open(id string, now time.Time) []*routingv1.Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.leads[id]; t != nil {
		return c.shown(id, &t.course, now)
	}
	return nil
}

// shown are the clocks of a lead as they stand.
func (t *Times) shown(id string, c *lead.Course, now time.Time) []*routingv1.Clock {
	var out []*routingv1.Clock
	for _, r := range t.Runs(c) {
		one := &routingv1.Clock{
			LeadId: id, Ref: refOf(&r), Title: r.Clock.Title, Limit: durationpb.New(r.Clock.Limit), Spent: durationpb.New(r.Spent(now)),
			StoppedAt: stamped(r.Stopped), Paused: r.Paused(now), Breached: r.Breached(now), Working: r.Clock.Working, Department: r.Clock.Department,
		}
		one.Member, _ = r.At(now)
		if due, ok := r.Due(); ok && (!one.Paused || one.Breached) {
			one.DueAt = stamped(due)
		}
		for _, s := range c.Said {
			if s.Clock != r.Clock.ID || !s.Started.Equal(r.Started) {
				continue
			}
			switch s.Kind {
			case lead.ClockEscalated:
				one.Step = max(one.GetStep(), s.Step)
			case lead.ClockRestated:
				if one.GetFirstSpent() == nil {
					one.FirstSpent = durationpb.New(s.Was)
				}
			}
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, soonest)
	return out
}

// looked notes that a pool's manager looks at it, or at all of theirs where none is
// named. It is a note: where it cannot be taken, nothing else is held up.
func (s *Server) looked(ctx context.Context, pool string) {
	actor, ok := access.From(ctx)
	if !ok || s.Clocks == nil || s.Log.ReadOnly() != "" {
		return
	}
	looks := func(v *ledger.View) (drafts []ledger.Draft) {
		version := s.Register.InForce(v.Now)
		if version == nil {
			return nil
		}
		for _, p := range version.Agreement.Pools() {
			if pool != "" && p.ID != pool {
				continue
			}
			if body := s.Clocks.looks(p, version.Agreement, actor.Handle, v.Now); body != nil {
				subject := subjectPool + p.ID
				drafts = append(drafts, ledger.Draft{Subject: subject, Body: body, Cause: "look:" + p.ID + ":" + v.Now.Format(time.RFC3339Nano), Correlation: subject, Actor: actor.Handle})
			}
		}
		return drafts
	}
	var any bool
	s.Log.Follower().View(func(v *ledger.View) { any = len(looks(v)) > 0 })
	if any {
		_, _ = s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) { return looks(v), nil })
	}
}

// looks answers that a manager looked at a pool, where that has to be said.
func (c *Clocks) looks(p agreement.Pool, by *agreement.Agreement, who string, now time.Time) *routingv1.PoolLooked {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look(p, by, who, now)
}
