package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

const (
	assignConnections = 64
	assignRate        = 300
	// assignEach is how many leads a second of measuring stands for when they
	// are worked as fast as they can be.
	assignEach = 1000
	// assignPatience is how long the last lead may take to be assigned.
	assignPatience = 90 * time.Second
)

// offers notes when each lead was offered to somebody, as a follower of the log
// hears of it.
type offers struct {
	mu   sync.Mutex
	at   map[string]time.Time
	last time.Time
	more chan struct{}
	err  error
}

func (w *world) follow(ctx context.Context) *offers {
	o := &offers{at: map[string]time.Time{}, more: make(chan struct{}, 1)}
	go func() {
		// The type stands in the envelope: bodies are not decoded, so that the
		// one who measures costs little.
		err := w.log.Read(ctx, ledger.StreamLedger, w.log.Follower().Pos()+1, 0, func(r *ledger.Record) error {
			if typ := r.Header["ce-type"]; len(typ) == 1 && typ[0] == "baton.lead.v1.LeadOffered" {
				o.hear(r.Subject)
			}
			return nil
		}, func(seq uint64, why string) error { return fmt.Errorf("record %d cannot be read: %s", seq, why) })
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = err
	}()
	return o
}

func (o *offers) hear(subject string) {
	id, _ := lead.FromSubject(subject)
	now := time.Now()
	o.mu.Lock()
	o.at[id], o.last = now, now
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// await returns once so many leads were offered since the last forget. It gives up
// where for a while none more is.
func (o *offers) await(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(assignPatience, func() { cancel(errors.New("leads were not assigned in time")) })
	defer patience.Stop()
	before := 0
	for {
		o.mu.Lock()
		have, err := len(o.at), o.err
		o.mu.Unlock()
		if err != nil {
			return err
		}
		if have > before {
			patience.Reset(assignPatience)
			before = have
		}
		if have >= n {
			return nil
		}
		select {
		case <-o.more:
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "%d of %d leads were assigned: %w", have, n, context.Cause(ctx))
		}
	}
}

func (o *offers) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = map[string]time.Time{}
}

// sent is one webhook on its way.
type sent struct {
	at         time.Time
	submission string
}

// benchAssign measures the whole way: from a webhook to somebody who has the
// lead, every step synced.
func benchAssign(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: fmt.Sprintf("from a webhook to the one of %d people who gets the lead, every step synced", benchPeople)}
	d, err := newDoors(ctx, b.place("assign-doors"))
	if err != nil {
		return nil, err
	}
	defer d.close()
	w, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	follow, stop := context.WithCancel(ctx)
	defer stop()
	o := w.follow(follow)
	if _, err := b.rush(ctx, m, w, o, assignEach/5); err != nil { // warm up
		return nil, err
	}

	for round := range b.rounds {
		if err := b.assignRound(ctx, m, d, w, o, round); err != nil {
			return nil, err
		}
	}
	m.Notes = append(m.Notes, w.logs.notes()...)
	return m, nil
}

func (b *bench) assignRound(ctx context.Context, m *measured, d *doors, w *world, o *offers, round int) error {
	b.say("assign", round, "a door that stores nothing")
	ps, err := dialAll(ctx, d.Nothing, assignConnections)
	if err != nil {
		return err
	}
	nothing, err := saturate(ctx, assignConnections, b.length/2, ps.send)
	ps.close()
	if err != nil {
		return err
	}
	b.say("assign", round, "as fast as they are assigned")
	stop := b.profile(round)
	rush, err := b.rush(ctx, m, w, o, int(float64(assignEach)*b.length.Seconds()))
	stop()
	if err != nil {
		return err
	}
	m.add("nothing", "a door that stores nothing", "/s", "nothing", nothing.perSecond())
	m.add("assigned", "webhook to assignment, to the last lead", "/s", "nothing", rush.perSecond())
	m.add("nothing-cpu", "processor: a door that stores nothing (load included)", "us each", "nothing-cpu", nothing.cpuEach())
	m.add("assigned-cpu", "processor: webhook to assignment", "us each", "nothing-cpu", rush.cpuEach())
	m.want("the whole way costs at most 3 x the processor of a door that stores nothing", 0, 3, quotient(rush.cpuEach(), nothing.cpuEach()))

	b.say("assign", round, fmt.Sprintf("%d a second: a hop", assignRate))
	hop, err := steady(ctx, m, d.Nothing, "a door that stores nothing", assignRate, b.length)
	if err != nil {
		return err
	}
	b.say("assign", round, fmt.Sprintf("%d a second: a synced publish", assignRate))
	publish, err := paced(ctx, lonelyWorkers, assignRate, b.length, d.publish)
	if err != nil {
		return err
	}
	b.say("assign", round, fmt.Sprintf("%d a second: webhook to assignment", assignRate))
	lag, err := w.lag(ctx)
	if err != nil {
		return err
	}
	acked, assigned, err := b.calm(ctx, m, w, o)
	if err != nil {
		return err
	}
	heard, seen, err := lag.end(ctx)
	if err != nil {
		return err
	}
	for _, q := range []struct {
		name string
		at   float64
		most float64
	}{{"p50", 0.5, 0.85}, {"p99", 0.99, 1.25}} {
		sum := hop.wait(q.at) + 2*publish.wait(q.at)
		m.add("sum-"+q.name, "300 a second: an HTTP hop and two synced publishes, "+q.name, "ms", "sum-"+q.name, sum)
		m.add("acked-"+q.name, "300 a second: webhook to acknowledgement, "+q.name, "ms", "sum-"+q.name, acked.wait(q.at))
		m.add("assigned-"+q.name, "300 a second: webhook to assignment, "+q.name, "ms", "sum-"+q.name, assigned.wait(q.at))
		m.want(fmt.Sprintf("from webhook to assignment at 300 a second takes at most %.2f x an HTTP hop and two synced publishes (%s)", q.most, q.name), 0, q.most, quotient(assigned.wait(q.at), sum))
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		m.add("heard-"+q.name, "300 a second: from the log to a follower that only reads, "+q.name, "ms", "heard-"+q.name, heard.wait(q.at))
		m.add("seen-"+q.name, "300 a second: from the log to the tables of the reports, "+q.name, "ms", "heard-"+q.name, seen.wait(q.at))
	}
	return nil
}

// rush sends so many webhooks as fast as they are acknowledged and waits until
// the last lead is assigned.
func (b *bench) rush(ctx context.Context, m *measured, w *world, o *offers, n int) (load, error) {
	o.forget()
	ps, err := dialAll(ctx, w.HTTPAddr, assignConnections)
	if err != nil {
		return load{}, err
	}
	defer ps.close()
	var next atomic.Int64
	began, before := time.Now(), cpuTime()
	err = each(assignConnections, func(i int) error {
		for next.Add(1) <= int64(n) {
			body := webhook()
			for {
				_, err := ps[i].post(body)
				if err == nil {
					break
				}
				if !errors.Is(err, errNotKept) || ctx.Err() != nil {
					return err
				}
				pauseUntil(ctx, time.Now().Add(50*time.Millisecond))
			}
		}
		return nil
	}, nil)
	m.refusals("the door", ps)
	if err != nil {
		return load{}, err
	}
	if err := o.await(ctx, n); err != nil {
		return load{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return load{done: n, took: o.last.Sub(began), cpu: cpuTime() - before}, nil
}

// calm sends webhooks at a steady rate and answers what they waited for their
// acknowledgement, and until somebody had the lead.
func (b *bench) calm(ctx context.Context, m *measured, w *world, o *offers) (acked, assigned load, err error) {
	o.forget()
	ps, err := dialAll(ctx, w.HTTPAddr, lonelyWorkers)
	if err != nil {
		return load{}, load{}, err
	}
	defer ps.close()
	lists := make([][]sent, lonelyWorkers)
	acked, err = paced(ctx, lonelyWorkers, assignRate, b.length, func(_ context.Context, i int, began time.Time) error {
		s := sent{at: began}
		body := webhook()
		var err error
		if s.submission, err = ps[i].post(body); err != nil {
			return err
		}
		lists[i] = append(lists[i], s)
		return nil
	})
	m.refusals("the door", ps)
	if err != nil {
		return load{}, load{}, err
	}
	all := slices.Concat(lists...)
	if err := o.await(ctx, len(all)); err != nil {
		return load{}, load{}, err
	}
	slices.SortFunc(all, func(a, b sent) int { return a.at.Compare(b.at) })
	ids := intake.Ids{Keys: w.keys}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range all[len(all)/11:] { // the same tenth as paced leaves out
		at, ok := o.at[ids.Lead(s.submission)]
		if !ok {
			return load{}, load{}, fault.New(fault.Corrupt, "a lead was acknowledged and never assigned")
		}
		assigned.waits = append(assigned.waits, at.Sub(s.at))
	}
	slices.Sort(assigned.waits)
	assigned.done = len(assigned.waits)
	return acked, assigned, nil
}
