package routing

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// subjectPool is whose events the looks at a pool are.
const subjectPool = lead.SubjectOrg + "pool."

// Watched is the fold of who looked at the pools, and of what ran out since.
type Watched struct {
	pools map[string]*watched
	names []string
}

type watched struct {
	// looked is when the manager looked last, by whom; zero = never.
	looked time.Time
	by     string
	// breaches have come to light since, the first of them at the instant.
	breaches int64
	first    time.Time
	// escalated says that somebody has heard of it since.
	escalated bool
}

func newWatched() *Watched { return &Watched{pools: map[string]*watched{}} }

func (w *Watched) of(pool string) *watched {
	one := w.pools[pool]
	if one == nil {
		one = &watched{}
		w.pools[pool] = one
		w.names = append(w.names, pool)
		slices.Sort(w.names)
	}
	return one
}

func (w *Watched) apply(e *ledger.Event, pool func(leadID string) string) {
	switch body := e.Body.(type) {
	case *leadv1.ClockBreached:
		id, _ := lead.FromSubject(e.Subject)
		name := pool(id)
		if name == "" {
			return
		}
		one := w.of(name)
		if one.breaches++; one.breaches == 1 {
			one.first = e.Recorded
		}
	case *routingv1.PoolLooked:
		*w.of(body.GetPool()) = watched{looked: e.Recorded, by: body.GetMember()}
	case *routingv1.OversightEscalated:
		w.of(body.GetPool()).escalated = true
	}
}

// oversight answers what has to be said of a pool now, and when otherwise; zero =
// never, as things are.
func (t *Times) oversight(pool string, now time.Time) (told *Told, due time.Time) {
	one := t.pools.pools[pool]
	if one == nil || one.breaches == 0 || one.escalated {
		return nil, time.Time{}
	}
	v := t.Register.InForce(now)
	if v == nil {
		return nil, time.Time{}
	}
	p, ok := v.Agreement.Pool(pool)
	if !ok || p.LookEvery == 0 {
		return nil, time.Time{}
	}
	since := one.looked
	if since.IsZero() {
		since = t.agreed(pool)
	}
	due = since.Add(p.LookEvery)
	if one.first.After(due) {
		due = one.first
	}
	if due.After(now) {
		return nil, due
	}
	return &Told{
		Occurred: due, Version: v.Number, Cause: fmt.Sprintf("oversight:%s:%d", pool, since.UnixNano()),
		Body: &routingv1.OversightEscalated{
			Pool: pool, Manager: p.Manager, Tell: p.Next, LookedAt: stamped(one.looked), Breaches: one.breaches,
			DueAt: timestamppb.New(due), FiredAt: timestamppb.New(now),
		},
	}, due
}

// agreed is when it was first agreed that somebody looks at the pool: until they
// look for the first time, it counts from there.
func (t *Times) agreed(pool string) (at time.Time) {
	for _, v := range t.Register.Versions() {
		if v.Agreement == nil || v.InForceFrom.IsZero() {
			continue
		}
		if p, ok := v.Agreement.Pool(pool); ok && p.LookEvery > 0 && (at.IsZero() || v.InForceFrom.Before(at)) {
			at = v.InForceFrom
		}
	}
	return at
}

// look answers that a manager looked, or nil where that is said of the day already
// and nobody has heard since that they did not. The day is that of the pool's
// calendar.
func (t *Times) look(pool agreement.Pool, by *agreement.Agreement, who string, now time.Time) *routingv1.PoolLooked {
	if pool.Manager != who || who == "" {
		return nil
	}
	if one := t.pools.pools[pool.ID]; one != nil && one.by == who && !one.escalated {
		if c, ok := by.Calendar(pool.Calendar); ok && c.SameDate(one.looked, now) {
			return nil
		}
	}
	return &routingv1.PoolLooked{Pool: pool.ID, Member: who}
}
