package intake

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// Limits are how much a source may send. They are about a sender that runs wild,
// not about truth: a delivery that is refused here was never acknowledged, and
// its sender is told when to come again. Whoever cannot find out whether a limit
// is reached lets the delivery in.
type Limits struct {
	rates  map[string]int
	bucket Bucket
	clock  clock.Clock
	// failed hears each time that the bucket could not be asked.
	failed func()

	mu   sync.Mutex
	open map[string]*allowance
}

// everySource stands for each source that is not named.
const everySource = "*"

// Bucket counts what the doors that share it have let in.
type Bucket interface {
	// Take answers how many of so many deliveries a source may send now, and if it
	// is none, when it may again. A source may send rate of them a minute, and no
	// more at once than ten seconds' worth.
	Take(ctx context.Context, source string, rate, want int) (got int, wait time.Duration, err error)
}

// allowance is what a source may send without asking the bucket again.
type allowance struct {
	mu   sync.Mutex
	left int
	// shut and trusted are until when nothing goes, and until when everything
	// does because nobody could be asked.
	shut, trusted time.Time
}

// NewLimits reads limits such as web=600: deliveries a minute, * for each source
// that is not named. Without any nothing is limited, and nil is answered.
func NewLimits(texts []string, bucket Bucket, c clock.Clock, failed func()) (*Limits, error) {
	l := &Limits{rates: map[string]int{}, bucket: bucket, clock: c, failed: failed, open: map[string]*allowance{}}
	for _, text := range texts {
		name, number, _ := strings.Cut(text, "=")
		rate, err := strconv.Atoi(number)
		if name == "" || err != nil || rate < 1 || rate > mostRate {
			return nil, fault.New(fault.Invalid, "%q is no limit of a source; write web=600 for 600 deliveries a minute, at least 1 and at most %d, or *=600 for each source", text, mostRate)
		}
		l.rates[name] = rate
	}
	if len(l.rates) == 0 {
		return nil, nil
	}
	return l, nil
}

// mostRate keeps the arithmetic of microseconds exact.
const mostRate = 6_000_000

const (
	// askWithin bounds how long a delivery waits for the bucket.
	askWithin = 100 * time.Millisecond
	// trustFor is how long nobody is asked after the bucket did not answer.
	trustFor = time.Second
)

// Allow says whether a source may send one more delivery now, and otherwise when.
func (l *Limits) Allow(source string) (retryAfter time.Duration, ok bool) {
	rate, limited := l.rates[source]
	if !limited {
		if rate, limited = l.rates[everySource]; !limited {
			return 0, true
		}
	}
	a := l.of(source)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := l.clock.Now()
	switch {
	case a.left > 0:
		a.left--
		return 0, true
	case now.Before(a.trusted):
		return 0, true
	case now.Before(a.shut):
		return a.shut.Sub(now), false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	// Half a second's worth at once: a busy door does not ask for each.
	got, wait, err := l.bucket.Take(ctx, source, rate, max(1, rate/120))
	switch {
	case err != nil:
		l.failed()
		a.trusted = l.clock.Now().Add(trustFor)
		return 0, true
	case got > 0:
		a.left = got - 1
		return 0, true
	}
	a.shut = now.Add(wait)
	return wait, false
}

func (l *Limits) of(source string) *allowance {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.open[source]
	if a == nil {
		a = &allowance{}
		l.open[source] = a
	}
	return a
}

// ownBucket is the bucket of a door that shares it with nobody: until when each
// source has used up what it may send, which may lie ten seconds ahead.
type ownBucket struct {
	clock clock.Clock
	mu    sync.Mutex
	used  map[string]time.Time
}

// NewBucket is a bucket in memory.
func NewBucket(c clock.Clock) Bucket { return &ownBucket{clock: c, used: map[string]time.Time{}} }

// ahead is by how much one delivery moves a source on, and how far it may be
// ahead of the clock.
func ahead(rate int) (each, most time.Duration) {
	each = time.Minute / time.Duration(rate)
	return each, max(each, 10*time.Second)
}

// Take implements Bucket.
func (b *ownBucket) Take(_ context.Context, source string, rate, want int) (int, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	each, most := ahead(rate)
	now := b.clock.Now()
	used := b.used[source]
	if used.Before(now) {
		used = now
	}
	got := min(want, int((most-used.Sub(now))/each))
	if got < 1 {
		return 0, used.Sub(now) + each - most, nil
	}
	b.used[source] = used.Add(time.Duration(got) * each)
	return got, 0, nil
}
