package main

import (
	"net/http"
	"testing"
	"time"
)

// TestDoorLimitsSources: more than a source may send is answered 429 with when
// to come again, and then it may.
func TestDoorLimitsSources(t *testing.T) {
	h := start(t, Config{Limits: []string{"web=6"}})
	send := func(n int) reply {
		return h.post("web", "application/x-www-form-urlencoded", []byte(filled(n).Encode()), nil)
	}
	same(t, "the first", send(1).status, http.StatusOK)
	got := send(2)
	same(t, "the second", []any{got.status, got.header.Get("Retry-After")}, []any{http.StatusTooManyRequests, "10"})
	h.time.Set(h.time.Now().Add(10 * time.Second))
	same(t, "ten seconds later", send(2).status, http.StatusOK)
	h.settle()
	same(t, "leads", h.count(), 2)
}

// TestAddressesOfRedisAreRead: what is no address is said at the start.
func TestAddressesOfRedisAreRead(t *testing.T) {
	cfg := Config{RedisURL: "localhost:6379"}
	if err := cfg.complete(); err == nil {
		t.Error("an address without redis:// is taken")
	}
	cfg = Config{Limits: []string{"web=many"}}
	if err := cfg.complete(); err == nil {
		t.Error("a limit that is no number is taken")
	}
}
