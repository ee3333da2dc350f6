package routing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// TestRedisStore runs the suite on a stand-in inside this process; the tests with
// the tag real run it on real servers.
func TestRedisStore(t *testing.T) {
	storeSuite(t, func(t *testing.T) func() Store {
		url := "redis://" + miniredis.RunT(t).Addr()
		return func() Store { return redisStore(t, url) }
	})
}

// redisStore opens a store that fails the test when a command goes to more than
// one slot.
func redisStore(t *testing.T, url string) *shared {
	t.Helper()
	s, err := OpenRedis(url)
	if err != nil {
		t.Fatal(err)
	}
	store := s.(*shared)
	store.c.AddHook(&slots{t: t})
	return store
}

// slots looks at every command that is sent.
type slots struct {
	t  *testing.T
	mu sync.Mutex
	// most is the largest number of keys that a command named.
	most int
}

func (h *slots) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *slots) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.look(cmd)
		return next(ctx, cmd)
	}
}

func (h *slots) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			h.look(cmd)
		}
		return next(ctx, cmds)
	}
}

func (h *slots) look(cmd redis.Cmder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []string
	switch args := cmd.Args(); strings.ToLower(fmt.Sprint(args[0])) {
	case "hgetall", "hscan", "hset", "hdel":
		keys = []string{fmt.Sprint(args[1])}
	case "del", "unlink":
		for _, key := range args[1:] {
			keys = append(keys, fmt.Sprint(key))
		}
	case "eval":
		n, err := strconv.Atoi(fmt.Sprint(args[2]))
		if err != nil {
			h.t.Errorf("eval with %v keys", args[2])
		}
		for _, key := range args[3 : 3+n] {
			keys = append(keys, fmt.Sprint(key))
		}
	case "hello", "client", "cluster", "select", "ping", "command":
	default:
		h.t.Errorf("%v: this test does not know which of its words are keys", args[0])
	}
	h.most = max(h.most, len(keys))
	for _, key := range keys {
		if slotOf(key) != slotOf(keys[0]) {
			h.t.Errorf("%s goes to two slots: %s and %s", cmd.Name(), keys[0], key)
		}
	}
}

// slotOf is a key's slot as the cluster specification has it: CRC16 (XMODEM) of
// what stands between the first braces, or of the whole key.
func slotOf(key string) uint16 {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if length := strings.IndexByte(key[open+1:], '}'); length > 0 {
			key = key[open+1 : open+1+length]
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % 16384
}

func TestSlotsAreTheClusters(t *testing.T) {
	// From the specification: the sum of "123456789" is 0x31C3; and what a server
	// answers to CLUSTER KEYSLOT.
	for key, want := range map[string]uint16{"123456789": 0x31C3 % 16384, "foo": 12182, "{user1000}.following": slotOf("user1000"), "foo{}{bar}": slotOf("foo{}{bar}")} {
		if got := slotOf(key); got != want {
			t.Errorf("%s is in slot %d, not %d", key, got, want)
		}
	}
}

// several is a whole of many groups with every kind of row.
func several(position uint64) Change {
	c := Change{Past: Past{Log: "log", Position: position}, Whole: true}
	for i, group := range []string{"sales", "large {and} odd}", "members", "head", "unrouted"} {
		c.Rows = append(c.Rows,
			Row{group, kindGroup, group, fmt.Appendf(nil, `{"place":%d}`, i)},
			Row{group, kindRotation, "inside", []byte(`{"unit":1}`)},
			Row{group, kindLoad, "ana", []byte("2")},
			Row{group, kindHeld, "l1", []byte(`{"member":"ana","pool":"inside","offer":1,"take_by":"2026-03-02T09:00:00Z"}`)},
			Row{group, kindHeld, "l2", []byte(`{"member":"ana","pool":"inside","offer":1}`)},
			Row{group, kindLine, "l3", []byte(`{"pool":"inside","blocked_by":"full","since":"2026-03-02T08:00:00Z","agreement":1,"place":7}`)},
			Row{group, kindLine, "l4", []byte(`{"pool":"inside","blocked_by":"full","since":"2026-03-02T07:00:00Z","agreement":1,"place":3}`)},
		)
	}
	c.Rows = append(c.Rows, Row{rosterGroup, kindMember, "ana", []byte(`{"away":false}`)})
	return c
}

// mustKeep saves a change that must be taken.
func mustKeep(t *testing.T, s Store, c Change) {
	t.Helper()
	if kept, err := s.Save(t.Context(), c); err != nil || kept != c.Position {
		t.Fatalf("position %d: kept %d, %v", c.Position, kept, err)
	}
}

func positionOf(t *testing.T, s Store) uint64 {
	t.Helper()
	state, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Position
}

// TestRedisLayout reads what docs/redis.md promises to others.
func TestRedisLayout(t *testing.T) {
	server := miniredis.RunT(t)
	s := redisStore(t, "redis://"+server.Addr())
	defer s.Close()
	mustKeep(t, s, several(10))
	mustKeep(t, s, Change{Past: Past{Log: "log", Position: 12}, From: 10, Rows: []Row{
		{"sales", kindHeld, "l1", []byte(`{"member":"ana","pool":"inside","offer":1}`)}, {"sales", kindLine, "l4", nil}, {"sales", kindLine, "l5", []byte(`{"since":"2026-03-02T08:30:00Z","place":9}`)},
	}})
	generation := server.HGet("baton:{head}", "generation")
	key := func(name string) string { return "baton:" + strings.ReplaceAll(name, "GEN", generation) }
	for name, want := range map[string]string{"log": "log", "position": "12", "layout": "1", "groups": `{"head":10,"large {and} odd}":10,"members":10,"sales":12,"unrouted":10}`, "members": "10"} {
		if got := server.HGet("baton:{head}", name); got != want {
			t.Errorf("the head says %s %q, not %q", name, got, want)
		}
	}
	for at, want := range map[[2]string]string{
		{"{sales}:GEN:at", "position"}:               "12",
		{"{sales}:GEN:load", "ana"}:                  "2",
		{"{sales}:GEN:held", "l1"}:                   `{"member":"ana","pool":"inside","offer":1}`,
		{"{sales}:GEN:rotation", "inside"}:           `{"unit":1}`,
		{"{members}:GEN:roster:member", "ana"}:       `{"away":false}`,
		{"{large+%7Band%7D+odd%7D}:GEN:load", "ana"}: "2",
	} {
		if got := server.HGet(key(at[0]), at[1]); got != want {
			t.Errorf("%s %s is %q, not %q", at[0], at[1], got, want)
		}
	}
	orders := func(name string, want ...string) {
		got, err := server.ZMembers(key(name))
		if err != nil && !errors.Is(err, miniredis.ErrKeyNotFound) {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	orders("{sales}:GEN:offers")
	orders("{sales}:GEN:waiting", "l3", "l5")
	orders("{members}:GEN:offers", "l1")
	orders("{members}:GEN:waiting", "l4", "l3")
	if score, err := server.ZScore(key("{members}:GEN:offers"), "l1"); err != nil || score != 1772442000000 {
		t.Errorf("the offer runs out at %v, %v", score, err)
	}
}

// TestRedisLeavesNothingBehind: a new generation takes the place of the old one,
// whose keys are gone, and so are those of a router that died while it built.
func TestRedisLeavesNothingBehind(t *testing.T) {
	server := miniredis.RunT(t)
	s := redisStore(t, "redis://"+server.Addr())
	defer s.Close()
	mustKeep(t, s, several(10))
	first := len(server.Keys())
	// A group that came later goes with the generation as well.
	mustKeep(t, s, Change{Past: Past{Log: "log", Position: 11}, From: 10, Rows: []Row{{"later", kindLoad, "ben", []byte("1")}}})
	if len(server.Keys()) <= first {
		t.Fatal("nothing came of the group that came later")
	}
	// Half built, a while ago.
	server.HSet("baton:{head}:generations", "3-dead", `{"since":"2026-01-01T00:00:00Z","groups":["sales"]}`)
	server.HSet("baton:{sales}:3-dead:load", "ana", "1")
	old := server.HGet("baton:{head}", "generation")
	mustKeep(t, s, several(12))
	if len(server.Keys()) != first {
		t.Errorf("after another whole there are %d keys, not %d: %v", len(server.Keys()), first, server.Keys())
	}
	for _, key := range server.Keys() {
		if strings.Contains(key, old) || strings.Contains(key, "3-dead") {
			t.Errorf("%s was left behind", key)
		}
	}
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := server.Keys(); len(keys) > 0 {
		t.Errorf("after clearing there are %v", keys)
	}
}

// TestRedisHalfASave: a router that dies between two groups leaves no state that
// anybody goes on from, and the next save makes it whole.
func TestRedisHalfASave(t *testing.T) {
	server := miniredis.RunT(t)
	s := redisStore(t, "redis://"+server.Addr())
	defer s.Close()
	mustKeep(t, s, several(10))
	generation := server.HGet("baton:{head}", "generation")
	torn := func() {
		if _, err := s.c.Eval(t.Context(), applyRows, s.keys("sales", generation), "log", "10", "14", "now", 3, "ana", "9", 0, "").Result(); err != nil {
			t.Fatal(err)
		}
	}
	torn()
	if position := positionOf(t, s); position != 0 {
		t.Errorf("half a save is gone on from at %d", position)
	}
	// Another router, that comes as far or farther, has these rows among its own.
	mustKeep(t, s, Change{Past: Past{Log: "log", Position: 15}, From: 10, Rows: []Row{{"sales", kindLoad, "ana", []byte("3")}}})
	if position := positionOf(t, s); position != 15 {
		t.Errorf("after the next save %d is kept", position)
	}
	if got := server.HGet("baton:{sales}:"+generation+":load", "ana"); got != "3" {
		t.Errorf("ana holds %s", got)
	}
}

// TestRedisLosesOneGroup: a part of a cluster that loses a group, or falls back
// to an older copy of it, is seen at the next save, whatever that one is about.
func TestRedisLosesOneGroup(t *testing.T) {
	for name, lose := range map[string]func(server *miniredis.Miniredis, key string){
		"lost":    func(server *miniredis.Miniredis, key string) { server.Del(key) },
		"older":   func(server *miniredis.Miniredis, key string) { server.HSet(key, "position", "4") },
		"another": func(server *miniredis.Miniredis, key string) { server.HSet(key, "log", "other") },
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			s := redisStore(t, "redis://"+server.Addr())
			defer s.Close()
			mustKeep(t, s, several(10))
			lose(server, "baton:{unrouted}:"+server.HGet("baton:{head}", "generation")+":at")
			if position := positionOf(t, s); position != 0 {
				t.Errorf("it is gone on from at %d", position)
			}
			kept, err := s.Save(t.Context(), Change{Past: Past{Log: "log", Position: 12}, From: 10, Rows: []Row{{"sales", kindLoad, "ana", []byte("3")}}})
			if err != nil || kept >= 10 {
				t.Errorf("kept %d, %v: nobody would save the whole", kept, err)
			}
			mustKeep(t, s, several(12))
			if position := positionOf(t, s); position != 12 {
				t.Errorf("after the whole %d is kept", position)
			}
		})
	}
}

// TestRedisTwoRouters: whoever is behind is told so, group by group, and breaks
// nothing.
func TestRedisTwoRouters(t *testing.T) {
	server := miniredis.RunT(t)
	one, two := redisStore(t, "redis://"+server.Addr()), redisStore(t, "redis://"+server.Addr())
	defer one.Close()
	defer two.Close()
	mustKeep(t, one, several(10))
	var wait sync.WaitGroup
	for n, s := range []Store{one, two} {
		wait.Go(func() {
			for i := range 50 {
				position := uint64(11 + 2*i + n)
				kept, err := s.Save(t.Context(), Change{Past: Past{Log: "log", Position: position}, From: 10, Rows: []Row{
					{"sales", kindLoad, "ana", strconv.AppendUint(nil, position, 10)}, {"unrouted", kindLoad, "ana", strconv.AppendUint(nil, position, 10)},
				}})
				if err != nil || kept < position {
					t.Errorf("position %d: kept %d, %v", position, kept, err)
				}
			}
		})
	}
	wait.Wait()
	state, err := one.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := strconv.FormatUint(state.Position, 10)
	for _, row := range state.Rows {
		if row.Kind == kindLoad && (row.Group == "sales" || row.Group == "unrouted") && string(row.Value) != last {
			t.Errorf("at %s the load of %s is %s", last, row.Group, row.Value)
		}
	}
	if state.Position < 109 {
		t.Errorf("kept up to %d", state.Position)
	}
}

// TestRedisKeepsLongChanges: more rows than one script takes.
func TestRedisKeepsLongChanges(t *testing.T) {
	s := redisStore(t, "redis://"+miniredis.RunT(t).Addr())
	defer s.Close()
	c := Change{Past: Past{Log: "log", Position: 5}, Whole: true}
	for i := range rowsAtOnce*scriptsAtOnce + 700 {
		c.Rows = append(c.Rows, Row{"sales", kindLoad, fmt.Sprintf("m%d", i), strconv.AppendInt(nil, int64(i), 10)})
	}
	want := len(c.Rows)
	mustKeep(t, s, c)
	state, err := s.Load(t.Context())
	if err != nil || len(state.Rows) != want {
		t.Errorf("%d rows of %d are kept, %v", len(state.Rows), want, err)
	}
}

// TestRedisHeadIsCompared: who has read a head that moved since, or built a
// generation that was cleared away, does not put theirs in its place.
func TestRedisHeadIsCompared(t *testing.T) {
	server := miniredis.RunT(t)
	s := redisStore(t, "redis://"+server.Addr())
	defer s.Close()
	mustKeep(t, s, several(10))
	was, err := s.readHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustKeep(t, s, Change{Past: Past{Log: "log", Position: 14}, From: 10})
	next := was
	next.past.Position = 12
	if err := s.flip(t.Context(), was, next); !errors.Is(err, errMoved) {
		t.Errorf("a head that had moved was replaced: %v", err)
	}
	if is, err := s.readHead(t.Context()); err != nil {
		t.Error(err)
	} else {
		next = is
		next.generation = "cleared-away"
		if err := s.flip(t.Context(), is, next); !errors.Is(err, errMoved) {
			t.Errorf("the head names a generation that was cleared away: %v", err)
		}
	}
	if position := positionOf(t, s); position != 14 {
		t.Errorf("%d is kept", position)
	}
}
