package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

const (
	doorConnections = 256
	lonelyRate      = 200
	// lonelyWorkers is how many may be under way at once at a steady rate,
	// before one has to wait for another.
	lonelyWorkers = 64
)

// benchDoor measures what the door takes, and what a lonely webhook waits.
func benchDoor(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: fmt.Sprintf("webhooks that are acknowledged once they are on disk, %d connections", doorConnections)}
	d, err := newDoors(ctx, b.place("doors"))
	if err != nil {
		return nil, err
	}
	defer d.close()
	for round := range b.rounds {
		if err := b.doorRound(ctx, m, d, round); err != nil {
			return nil, err
		}
	}
	m.Notes = append(m.Notes, d.logs.notes()...)
	return m, nil
}

func (b *bench) doorRound(ctx context.Context, m *measured, d *doors, round int) error {
	b.say("door", round, "a door that stores nothing")
	nothing, err := b.webhooks(ctx, m, d.Nothing, "a door that stores nothing")
	if err != nil {
		return err
	}
	m.add("nothing", "a door that stores nothing", "/s", "nothing", nothing.perSecond())

	b.say("door", round, "the door, synced")
	stop := b.profile(round)
	kept, err := b.webhooks(ctx, m, d.Kept, "the door alone")
	stop()
	if err != nil {
		return err
	}
	m.add("kept", "the door, synced", "/s", "nothing", kept.perSecond())

	b.say("door", round, "the door of the whole program")
	whole, err := b.wholeDoor(ctx, m, round)
	if err != nil {
		return err
	}
	m.add("whole", "the door, synced, while the program works the leads", "/s", "nothing", whole.perSecond())

	b.say("door", round, "one synced publish each")
	raw, err := saturate(ctx, doorConnections, b.length, d.publish)
	if err != nil {
		return err
	}
	m.add("publish", fmt.Sprintf("one synced publish each, %d publishers, no HTTP", doorConnections), "/s", "nothing", raw.perSecond())

	m.add("nothing-cpu", "processor: a door that stores nothing (load included)", "us each", "nothing-cpu", nothing.cpuEach())
	m.add("kept-cpu", "processor: the door, synced", "us each", "nothing-cpu", kept.cpuEach())
	m.add("kept-p50", "acknowledged, 256 connections: p50", "ms", "", kept.wait(0.5))
	m.add("kept-p99", "acknowledged, 256 connections: p99", "ms", "", kept.wait(0.99))

	m.want("the synced door takes at least 5 x one synced publish each", 5, 0, quotient(kept.perSecond(), raw.perSecond()))
	m.want("the synced door takes at least 0.65 x one that stores nothing", 0.65, 0, quotient(kept.perSecond(), nothing.perSecond()))
	return b.lonely(ctx, m, d, round)
}

// webhooks loads a door with as many connections as it must take.
func (b *bench) webhooks(ctx context.Context, m *measured, addr, what string) (load, error) {
	ps, err := dialAll(ctx, addr, doorConnections)
	if err != nil {
		return load{}, err
	}
	defer ps.close()
	l, err := saturate(ctx, doorConnections, b.length, ps.send)
	m.refusals(what, ps)
	return l, err
}

// refusals notes answers that were not 200.
func (m *measured) refusals(what string, ps posters) {
	refused := ps.refused()
	for _, status := range slices.Sorted(maps.Keys(refused)) {
		m.note("%s answered %d to %s", what, status, counted(int64(refused[status]), "webhook", "webhooks"))
	}
}

// wholeDoor loads the door of a fresh program that works what it takes. What it
// has not worked by the end is left.
func (b *bench) wholeDoor(ctx context.Context, m *measured, round int) (load, error) {
	w, err := newWorld(ctx, filepath.Join(b.place("whole"), fmt.Sprint(round)))
	if err != nil {
		return load{}, err
	}
	l, err := b.webhooks(ctx, m, w.HTTPAddr, "the door of the whole program")
	m.Notes = append(m.Notes, w.logs.notes()...)
	if stopErr := w.close(ctx); err == nil {
		err = stopErr
	}
	return l, err
}

// lonely measures what a webhook waits that comes alone, against the sum of its
// parts.
func (b *bench) lonely(ctx context.Context, m *measured, d *doors, round int) error {
	b.say("door", round, fmt.Sprintf("%d a second: a hop", lonelyRate))
	hop, err := steady(ctx, m, d.Nothing, "a door that stores nothing", lonelyRate, b.length)
	if err != nil {
		return err
	}
	b.say("door", round, fmt.Sprintf("%d a second: a synced publish", lonelyRate))
	publish, err := paced(ctx, lonelyWorkers, lonelyRate, b.length, d.publish)
	if err != nil {
		return err
	}
	b.say("door", round, fmt.Sprintf("%d a second: the door, synced", lonelyRate))
	kept, err := steady(ctx, m, d.Kept, "the door alone", lonelyRate, b.length)
	if err != nil {
		return err
	}
	sum := hop.wait(0.5) + publish.wait(0.5)
	m.add("hop-p50", "200 a second: a door that stores nothing, p50", "ms", "", hop.wait(0.5))
	m.add("publish-p50", "200 a second: one synced publish, p50", "ms", "", publish.wait(0.5))
	m.add("sum-p50", "200 a second: the sum of the two", "ms", "sum-p50", sum)
	m.add("lonely-p50", "200 a second: the door, synced, p50", "ms", "sum-p50", kept.wait(0.5))
	m.add("lonely-p99", "200 a second: the door, synced, p99", "ms", "", kept.wait(0.99))
	m.want("a lonely webhook waits at most 1.15 x an HTTP hop and one synced publish (p50 at 200 a second)", 0, 1.15, quotient(kept.wait(0.5), sum))
	return nil
}

// steady sends webhooks at a rate, each when it is due.
func steady(ctx context.Context, m *measured, addr, what string, rate int, d time.Duration) (load, error) {
	ps, err := dialAll(ctx, addr, lonelyWorkers)
	if err != nil {
		return load{}, err
	}
	defer ps.close()
	l, err := paced(ctx, lonelyWorkers, rate, d, ps.send)
	m.refusals(what, ps)
	return l, err
}
