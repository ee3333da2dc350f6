package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// valve is the way to the log. While it is shut, nothing that is written gets
// there, and nobody is told.
type valve struct {
	mu     sync.Mutex
	opened *sync.Cond
	shut   bool
	held   chan struct{} // told when something waits
}

func newValve() *valve {
	v := &valve{held: make(chan struct{}, 1)}
	v.opened = sync.NewCond(&v.mu)
	return v
}

// Dial implements the line of a Config.
func (v *valve) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &valved{conn, v}, nil
}

func (v *valve) set(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = shut
	v.opened.Broadcast()
}

type valved struct {
	net.Conn
	valve *valve
}

// Write writes once the valve is open.
func (c *valved) Write(b []byte) (int, error) {
	c.valve.mu.Lock()
	for c.valve.shut {
		select {
		case c.valve.held <- struct{}{}:
		default:
		}
		c.valve.opened.Wait()
	}
	c.valve.mu.Unlock()
	return c.Conn.Write(b)
}

// TestTheDoorAsksToComeAgainWhileTheLogIsBlocked holds that the door knows, in a
// running program, for how long the log has kept somebody waiting: from two
// seconds on whoever comes is asked to come again, at once, and what was taken
// before is still answered.
func TestTheDoorAsksToComeAgainWhileTheLogIsBlocked(t *testing.T) {
	way := newValve()
	began := time.Now()
	var passed atomic.Int64
	h := start(t, Config{
		NATSListen: "127.0.0.1:-1", line: way,
		wall: func() time.Time { return began.Add(time.Duration(passed.Load())) },
	})
	post := func(ctx context.Context, body string) (int, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.door+"/hooks/web", strings.NewReader(body))
		if err != nil {
			return 0, err.Error()
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	if status, why := post(t.Context(), `{"email":"first@maschinen.example"}`); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, why)
	}
	h.settle()

	way.set(true)
	t.Cleanup(func() { way.set(false) })
	select { // what the program says by itself, if anything
	case <-way.held:
	default:
	}
	type answer struct {
		status int
		again  string
	}
	blocked := make(chan answer, 1)
	go func() {
		status, again := post(t.Context(), `{"email":"blocked@maschinen.example"}`)
		blocked <- answer{status, again}
	}()
	<-way.held
	passed.Store(int64(2 * time.Second))
	refused := false
	for range 20 { // until the delivery is at the front of what waits
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		status, again := post(ctx, `{"email":"late@maschinen.example"}`)
		cancel()
		if refused = status == http.StatusServiceUnavailable && again == "1"; refused {
			break
		}
	}
	if !refused {
		t.Error("whoever comes waits for a log that is blocked")
	}
	way.set(false)
	if got := <-blocked; got.status != http.StatusOK {
		t.Errorf("what was taken before the log was blocked was answered %d", got.status)
	}
	passed.Store(0)
	if status, _ := post(t.Context(), `{"email":"late@maschinen.example"}`); status != http.StatusOK {
		t.Errorf("once the log works, the sender who comes again is answered %d", status)
	}
	h.settle()
	same(t, "leads", h.count(), 3)
}
