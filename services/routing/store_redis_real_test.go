//go:build real

package routing

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/internal/cache/cachetest"
)

// TestRedisStoreOnAServer and TestRedisStoreOnACluster run the same suite where
// the rules are not a stand-in's.
func TestRedisStoreOnAServer(t *testing.T)  { realStores(t, false) }
func TestRedisStoreOnACluster(t *testing.T) { realStores(t, true) }

func realStores(t *testing.T, cluster bool) {
	server := cachetest.Serve(t, cluster)
	storeSuite(t, func(t *testing.T) func() Store {
		return func() Store { return redisStore(t, server.URL(t)) }
	})
}

// TestRedisOnAClusterHoldsEveryGroup: groups of any name, in slots of their own.
func TestRedisOnAClusterHoldsEveryGroup(t *testing.T) {
	server := cachetest.Serve(t, true)
	s := redisStore(t, server.URL(t))
	defer s.Close()
	want := len(several(10).Rows)
	for _, position := range []uint64{10, 20} {
		mustKeep(t, s, several(position))
		state, err := s.Load(t.Context())
		if err != nil || state.Position != position || len(state.Rows) != want {
			t.Errorf("%d rows of %d at %d, %v", len(state.Rows), want, state.Position, err)
		}
	}
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if size := server.Do("DBSIZE"); size[:2] != ":0" {
		t.Errorf("after clearing there are %s keys", size)
	}
}

// TestRedisForgetsItsScripts: a server that was started anew, or told to forget,
// takes the next save all the same.
func TestRedisForgetsItsScripts(t *testing.T) {
	server := cachetest.Serve(t, false)
	s := redisStore(t, server.URL(t))
	defer s.Close()
	mustKeep(t, s, several(10))
	server.Do("SCRIPT FLUSH")
	mustKeep(t, s, Change{Past: Past{Log: "log", Position: 11}, From: 10, Rows: []Row{{"sales", kindLoad, "ana", []byte("3")}}})
	server.Kill()
	if _, err := s.Save(t.Context(), Change{Past: Past{Log: "log", Position: 12}, From: 11}); err == nil {
		t.Error("a killed server took a save")
	}
	server.Start()
	if kept, err := s.Save(t.Context(), Change{Past: Past{Log: "log", Position: 12}, From: 11}); err != nil || kept != 0 {
		t.Errorf("an empty server keeps %d, %v", kept, err)
	}
	mustKeep(t, s, several(13))
}

// TestRedisRebuildTime says how long a rebuild of a hundred thousand rows takes,
// beside the embedded store.
func TestRedisRebuildTime(t *testing.T) {
	server := cachetest.Serve(t, false)
	c := Change{Past: Past{Log: "log", Position: 5}, Whole: true}
	for i := range 100_000 {
		c.Rows = append(c.Rows, Row{"sales", kindHeld, fmt.Sprintf("lead-%d", i), []byte(`{"member":"m` + strconv.Itoa(i%1000) + `","pool":"inside","offer":1,"take_by":"2026-03-02T09:00:00Z"}`)})
	}
	for name, open := range map[string]func() Store{
		"Redis":    func() Store { return redisStore(t, server.URL(t)) },
		"embedded": func() Store { return openStore(t, filepath.Join(t.TempDir(), "routing.db")) },
	} {
		s := open()
		began := time.Now()
		mustKeep(t, s, c)
		saved := time.Since(began)
		began = time.Now()
		state, err := s.Load(t.Context())
		if err != nil || len(state.Rows) != len(c.Rows) {
			t.Errorf("%s: %d rows, %v", name, len(state.Rows), err)
		}
		t.Logf("%s: %d rows saved in %v, read back in %v", name, len(c.Rows), saved.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
