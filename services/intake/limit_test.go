package intake

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/leadbaton/baton/services/internal/clock"
)

var limitNoon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// buckets are both kinds, on one clock that the test moves.
func buckets(t *testing.T) map[string]func() (Bucket, func(time.Duration)) {
	return map[string]func() (Bucket, func(time.Duration)){
		"of one door": func() (Bucket, func(time.Duration)) {
			c := clock.NewVirtual(limitNoon)
			return NewBucket(c), func(d time.Duration) { c.Set(c.Now().Add(d)) }
		},
		"in Redis": func() (Bucket, func(time.Duration)) {
			server := miniredis.RunT(t)
			now := limitNoon
			server.SetTime(now)
			return sharedBucket(t, "redis://"+server.Addr()), func(d time.Duration) {
				now = now.Add(d)
				server.SetTime(now)
			}
		},
	}
}

func sharedBucket(t *testing.T, url string) *SharedBucket {
	t.Helper()
	b, err := NewSharedBucket(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestBuckets: ten seconds' worth at once, then as many as time brings, and each
// source for itself.
func TestBuckets(t *testing.T) {
	for name, open := range buckets(t) {
		t.Run(name, func(t *testing.T) {
			b, forward := open()
			take := func(source string, want, got int, wait time.Duration) {
				t.Helper()
				has, after, err := b.Take(t.Context(), source, 60, want)
				if err != nil || has != got || after != wait {
					t.Errorf("%s takes %d of %d and waits %v, not %d and %v; %v", source, has, want, after, got, wait, err)
				}
			}
			take("web", 4, 4, 0)
			take("web", 20, 6, 0)
			take("web", 1, 0, time.Second)
			take("ads", 1, 1, 0)
			forward(400 * time.Millisecond)
			take("web", 1, 0, 600*time.Millisecond)
			forward(600 * time.Millisecond)
			take("web", 5, 1, 0)
			forward(time.Hour)
			take("web", 99, 10, 0)
		})
	}
}

// refusing is a bucket that counts how often it is asked.
type refusing struct {
	asked int
	got   int
	wait  time.Duration
	err   error
}

func (b *refusing) Take(_ context.Context, _ string, _, want int) (int, time.Duration, error) {
	b.asked++
	return min(b.got, want), b.wait, b.err
}

func TestLimits(t *testing.T) {
	c, b, failed := clock.NewVirtual(limitNoon), &refusing{}, 0
	limits, err := NewLimits([]string{"web=600", "*=60"}, b, c, func() { failed++ })
	if err != nil {
		t.Fatal(err)
	}
	allow := func(source string, ok bool, wait time.Duration, asked int) {
		t.Helper()
		after, allowed := limits.Allow(source)
		if allowed != ok || after != wait || b.asked != asked {
			t.Errorf("%s: %v, %v, asked %d times; want %v, %v, %d", source, allowed, after, b.asked, ok, wait, asked)
		}
	}
	// Half a second's worth is asked for at once.
	b.got = 99
	for range 5 {
		allow("web", true, 0, 1)
	}
	// Who is told to wait is not asked about before then.
	b.got, b.wait = 0, 3*time.Second
	allow("web", false, 3*time.Second, 2)
	c.Set(c.Now().Add(time.Second))
	allow("web", false, 2*time.Second, 2)
	// Others are counted for themselves.
	b.got = 99
	allow("ads", true, 0, 3)
	// Nobody knows: it goes in, and nobody is asked for a while.
	c.Set(c.Now().Add(2 * time.Second))
	b.got, b.err = 0, errors.New("away")
	for range 10 {
		allow("web", true, 0, 4)
	}
	if failed != 1 {
		t.Errorf("the failure was told %d times", failed)
	}
	c.Set(c.Now().Add(trustFor))
	b.err, b.wait = nil, time.Second
	allow("web", false, time.Second, 5)
}

func TestLimitsAreRead(t *testing.T) {
	if l, err := NewLimits(nil, nil, nil, nil); l != nil || err != nil {
		t.Errorf("without limits: %v, %v", l, err)
	}
	for _, text := range []string{"web", "web=", "=5", "web=0", "web=-1", "web=x", "web=99999999"} {
		if _, err := NewLimits([]string{text}, nil, nil, nil); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	l, err := NewLimits([]string{"web=5"}, &refusing{}, clock.Real{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Allow("ads"); !ok {
		t.Error("a source without a limit is limited")
	}
}

// TestLimitsWithoutRedis: a Redis that is away, or hangs, refuses nobody and
// holds nobody up for long.
func TestLimitsWithoutRedis(t *testing.T) {
	server := miniredis.RunT(t)
	failed := 0
	limits, err := NewLimits([]string{"web=6"}, sharedBucket(t, "redis://"+server.Addr()), clock.Real{}, func() { failed++ })
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := limits.Allow("web"); !ok {
		t.Error("the first is refused")
	}
	if wait, ok := limits.Allow("web"); ok || wait <= 0 {
		t.Errorf("the second is let in: %v", wait)
	}
	limits.of("web").shut = time.Time{}
	server.Close()
	began := time.Now()
	for range 100 {
		if _, ok := limits.Allow("web"); !ok {
			t.Fatal("refused because nobody could be asked")
		}
	}
	if took := time.Since(began); failed == 0 || took > time.Second {
		t.Errorf("%d failures, %v for a hundred", failed, took)
	}
}
