// Package clock is the one source of time. Production reads the machine's
// clock; demo, simulations and tests drive a virtual one through the same
// interface, so that working days pass in seconds on the real servers.
package clock

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Clock tells the time and waits for it.
type Clock interface {
	// Now is the present instant, in UTC, without a monotonic reading.
	Now() time.Time
	// Until answers a channel that closes once Now is at or after t, and a stop
	// that gives the wait up.
	Until(t time.Time) (reached <-chan struct{}, stop func())
}

// Real is the machine's clock.
type Real struct{}

// Now is the present instant in UTC.
func (Real) Now() time.Time { return time.Now().UTC().Round(0) }

// glance is how often a wait looks at the clock: the machine's clock is set now and
// then, and timers do not notice.
const glance = 500 * time.Millisecond

// Until waits with a timer, and looks at the clock in between: where that is put
// forward the wait ends, where it is put back it goes on.
func (r Real) Until(t time.Time) (<-chan struct{}, func()) { return until(r.Now, t) }

func until(now func() time.Time, t time.Time) (<-chan struct{}, func()) {
	ch := make(chan struct{})
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	var look func()
	look = func() {
		mu.Lock()
		defer mu.Unlock()
		left := t.Sub(now())
		switch {
		case stopped:
		case left <= 0:
			stopped = true
			close(ch)
		default:
			timer = time.AfterFunc(min(left, glance), look)
		}
	}
	look()
	return ch, func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		if timer != nil {
			timer.Stop()
		}
	}
}

// Virtual stands still until it is told to move. It never goes back.
type Virtual struct {
	mu      sync.Mutex
	now     time.Time
	waiters waiters
}

// NewVirtual makes a clock that stands at start.
func NewVirtual(start time.Time) *Virtual { return &Virtual{now: start.UTC().Round(0)} }

// Now is where the clock stands.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// Until waits for Set to reach t.
func (v *Virtual) Until(t time.Time) (<-chan struct{}, func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := &waiter{at: t, ch: make(chan struct{})}
	if !t.After(v.now) {
		close(w.ch)
		return w.ch, func() {}
	}
	heap.Push(&v.waiters, w)
	return w.ch, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if w.index >= 0 {
			heap.Remove(&v.waiters, w.index)
		}
	}
}

// Set moves the clock to t and wakes who waited for it. A t in the past is
// ignored: time does not go back.
func (v *Virtual) Set(t time.Time) {
	t = t.UTC().Round(0)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !t.After(v.now) {
		return
	}
	v.now = t
	for len(v.waiters) > 0 && !v.waiters[0].at.After(t) {
		close(heap.Pop(&v.waiters).(*waiter).ch)
	}
}

// Next is the earliest instant somebody waits for.
func (v *Virtual) Next() (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.waiters) == 0 {
		return time.Time{}, false
	}
	return v.waiters[0].at, true
}

type waiter struct {
	at    time.Time
	ch    chan struct{}
	index int
}

type waiters []*waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].at.Before(w[j].at) }
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

func (w *waiters) Push(x any) {
	it := x.(*waiter)
	it.index = len(*w)
	*w = append(*w, it)
}

func (w *waiters) Pop() any {
	old := *w
	it := old[len(old)-1]
	it.index = -1
	*w = old[:len(old)-1]
	return it
}

// Sleep waits until t or until the context ends.
func Sleep(ctx context.Context, c Clock, t time.Time) error {
	reached, stop := c.Until(t)
	defer stop()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
