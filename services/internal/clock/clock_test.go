package clock

import (
	"sync/atomic"
	"testing"
	"time"
)

// The machine's clock is set while somebody waits: put forward, the wait is over
// within a second; put back, it is not over before its time.
func TestWaitsFollowAClockThatIsSet(t *testing.T) {
	var off atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	late, stop := until(now, now().Add(time.Hour))
	defer stop()
	early, stopEarly := until(now, now().Add(100*time.Millisecond))
	defer stopEarly()
	off.Store(int64(-time.Hour))
	select {
	case <-early:
		t.Error("a wait was over before its time: the clock had been put back")
	case <-time.After(2 * glance):
	}
	began := time.Now()
	off.Store(int64(2 * time.Hour))
	for _, reached := range []<-chan struct{}{late, early} {
		select {
		case <-reached:
		case <-time.After(4 * glance):
			t.Fatal("the clock was put forward, and the wait goes on")
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the clock was put forward, and the wait ended %v later", took)
	}
}

func TestAWaitIsOverOrGivenUp(t *testing.T) {
	over, stop := Real{}.Until(time.Now().Add(-time.Second))
	select {
	case <-over:
	default:
		t.Error("what lies in the past is waited for")
	}
	stop()
	given, stop := Real{}.Until(time.Now().Add(10 * time.Millisecond))
	stop()
	select {
	case <-given:
		t.Error("a wait that was given up is over")
	case <-time.After(50 * time.Millisecond):
	}
}
