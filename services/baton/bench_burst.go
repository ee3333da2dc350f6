package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

const (
	burstRate = 2000
	// burstConnections is how many senders there are: more than a door that
	// keeps up ever has under way, so that the rate is kept when it does not.
	burstConnections = 1024
	// burstPatience is how long the program may take to work what came.
	burstPatience = 15 * time.Minute
)

// benchBurst measures the door of the whole program while it works what it took:
// at a steady rate, and when far more comes than it can work. One round.
func benchBurst(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: fmt.Sprintf("the door of the whole program at %d a second, and at %d a second for %s", assignRate, burstRate, b.burst)}
	w, err := newWorld(ctx, b.place("burst"))
	if err != nil {
		return nil, err
	}
	err = b.burstRound(ctx, m, w)
	m.Notes = append(m.Notes, w.logs.notes()...)
	return m, errors.Join(err, w.close(ctx))
}

func (b *bench) burstRound(ctx context.Context, m *measured, w *world) error {
	b.say("burst", 0, fmt.Sprintf("%d a second", assignRate))
	calm, err := w.burst(ctx, lonelyWorkers, assignRate, b.burst/3)
	if err != nil {
		return err
	}
	if err := w.worked(ctx, calm.acked); err != nil {
		return err
	}
	m.add("calm-p50", "300 a second: acknowledged, p50", "ms", "", calm.wait(0.5))
	m.add("calm-p99", "300 a second: acknowledged, p99", "ms", "", calm.wait(0.99))
	m.add("calm-refused", "300 a second: asked to come again (429 or 503)", "", "", float64(calm.again))

	b.say("burst", 0, fmt.Sprintf("%d a second", burstRate))
	began := time.Now()
	stop := b.profile(b.rounds - 1)
	all, err := w.burst(ctx, burstConnections, burstRate, b.burst)
	stop()
	if err != nil {
		return err
	}
	sent := time.Since(began)
	b.say("burst", 0, "until the last one is worked")
	if err := w.worked(ctx, all.acked); err != nil {
		return err
	}
	m.add("sent", "burst: webhooks answered", "", "", float64(len(all.acked)+all.again+all.other))
	m.add("rate", "burst: webhooks answered a second", "/s", "", float64(len(all.acked)+all.again+all.other)/sent.Seconds())
	m.add("acked", "burst: acknowledged (200)", "", "", float64(len(all.acked)))
	m.add("again", "burst: asked to come again (429 or 503)", "", "", float64(all.again))
	m.add("other", "burst: answered anything else", "", "", float64(all.other))
	m.add("lost", "burst: acknowledged and not in the log", "", "", 0)
	m.add("p50", "burst: acknowledged, p50", "ms", "", all.wait(0.5))
	m.add("p99", "burst: acknowledged, p99", "ms", "", all.wait(0.99))
	m.add("last", "burst: from its begin until the last lead is assigned", "s", "", time.Since(began).Seconds())
	return nil
}

// burst is what became of webhooks that came at a rate.
type burst struct {
	load
	// acked are the submissions that were acknowledged. again counts the answers
	// 429 and 503 that say when to come again, other every other answer.
	acked        []string
	again, other int
}

// burst sends webhooks at a rate, each when it is due, or when one of so many
// connections is free.
func (w *world) burst(ctx context.Context, connections, rate int, d time.Duration) (burst, error) {
	ps, err := dialAll(ctx, w.HTTPAddr, connections)
	if err != nil {
		return burst{}, err
	}
	defer ps.close()
	acked := make([][]string, connections)
	var out burst
	out.load, err = paced(ctx, connections, rate, d, func(_ context.Context, i int, _ time.Time) error {
		id, err := ps[i].post(webhook())
		if err == nil {
			acked[i] = append(acked[i], id)
		}
		return err
	})
	out.acked = slices.Concat(acked...)
	refused := ps.refused()
	for _, status := range slices.Sorted(maps.Keys(refused)) {
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			out.again += refused[status]
		} else {
			out.other += refused[status]
		}
	}
	for _, p := range ps {
		// Who is not told when to come again is answered otherwise.
		out.again, out.other = out.again-p.forever, out.other+p.forever
	}
	return out, err
}

// worked returns once nothing is left to do and every submission that was
// acknowledged was received, as the log itself says.
func (w *world) worked(ctx context.Context, acked []string) error {
	patient, cancel := context.WithTimeout(ctx, burstPatience)
	defer cancel()
	if err := w.Settle(patient); err != nil {
		return fault.New(fault.Unavailable, "what came was not worked within %s: %w", burstPatience, err)
	}
	last, err := w.log.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return err
	}
	received := map[string]bool{}
	err = w.log.Read(ctx, ledger.StreamLedger, 1, last, func(r *ledger.Record) error {
		if typ := r.Header["ce-type"]; len(typ) != 1 || typ[0] != "baton.lead.v1.LeadReceived" {
			return nil
		}
		e, err := r.Decode()
		if err == nil {
			received[e.Body.(*leadv1.LeadReceived).GetSubmissionId()] = true
		}
		return err
	}, func(seq uint64, why string) error { return fmt.Errorf("record %d cannot be read: %s", seq, why) })
	if err != nil {
		return err
	}
	lost := 0
	for _, id := range acked {
		if !received[id] {
			lost++
		}
	}
	if lost > 0 {
		return fault.New(fault.Corrupt, "%d of %d webhooks were acknowledged and are not in the log", lost, len(acked))
	}
	return nil
}
