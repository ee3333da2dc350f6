//go:build real

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/cache/cachetest"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/ledger/ledgertest"
)

// takenOver is how long nobody may route after the router was killed.
const takenOver = 5 * time.Second

// part is one `baton up` of several.
type part struct {
	args   []string
	addr   string
	said   *stormTail
	exited chan stormExit
	kill   func()
	term   func() error
}

// relay is a storm over several processes on one NATS server: two of them route,
// and one does everything else.
type relay struct {
	*storm
	rest    *part
	routers [2]*part
	log     *ledger.Ledger

	mu sync.Mutex
	// heard are the events of routing in the order in which they came.
	heard []routed
}

// routed is one event of routing.
type routed struct {
	at, recorded time.Time
	// first says that it is a lead's first offer, which no command brings about.
	first bool
	// late is how long after its instant a time-out was said; negative = it is none.
	late time.Duration
}

func newRelay(t *testing.T, redis string) *relay {
	t.Helper()
	r := &relay{storm: newStorm(t, uint64(time.Now().UnixNano()), stormBuild(t))}
	r.agreed = map[string]string{}
	// All that the one who never answers holds runs out within the test, whatever she is
	// offered first.
	for _, hours := range []string{"2h", "4h"} {
		r.agreed["calendar: office\n    take_within: "+hours+"\n    remind_before: 15m\n"] = "calendar: office\n    take_within: 1m\n"
	}
	root := t.TempDir()
	url, keys := ledgertest.Serve(t, filepath.Join(root, "nats")), filepath.Join(root, "keys")
	one := func(name, http string, services ...string) *part {
		p := &part{addr: stormPort(t)}
		p.args = append(services, "--nats", url, "--keys", keys, "--data", filepath.Join(root, name), "--http", http, "--console", "-", "--grpc", p.addr, "--metrics", "-", "--free-floor", "1", "--redis", redis)
		r.start(t, p)
		return p
	}
	r.rest = one("rest", r.httpAddr, "intake", "qualification", "feedback", "audit", "agreement")
	r.said = r.rest.said
	for i := range r.routers {
		r.routers[i] = one(fmt.Sprintf("router-%d", i), "-", "routing")
	}
	var err error
	if r.admin, err = access.LoadAdminToken(keys); err != nil {
		t.Fatal(err)
	}
	r.conn = &relayed{rest: stormConn(t, r.rest.addr), routers: [2]*grpc.ClientConn{stormConn(t, r.routers[0].addr), stormConn(t, r.routers[1].addr)}}
	if r.log, err = ledger.Open(t.Context(), ledger.Config{URL: url, Dir: filepath.Join(root, "watch"), KeyDir: keys, Name: "watch"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.log.Close() })
	return r
}

// start runs a part and waits until it is ready.
func (r *relay) start(t *testing.T, p *part) {
	t.Helper()
	cmd, said, exited := stormRun(t, r.binary, p.args...)
	gone := false
	p.said, p.exited = said, exited
	p.kill = func() {
		if !gone {
			gone = true
			_ = cmd.Process.Kill()
			<-exited
		}
	}
	p.term = func() error {
		gone = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return (<-exited).err
	}
	t.Cleanup(p.kill)
	select {
	case <-said.ready:
	case <-exited:
		gone = true
		t.Fatalf("%v ended instead of becoming ready:\n%s", p.args, said)
	case <-time.After(stormPatience):
		t.Fatalf("%v was not ready within %v:\n%s", p.args, stormPatience, said)
	}
}

// relayed asks the routers in turn, whichever of them works.
type relayed struct {
	rest    *grpc.ClientConn
	routers [2]*grpc.ClientConn
	next    atomic.Uint64
}

func (c *relayed) of(method string) *grpc.ClientConn {
	if strings.HasPrefix(method, "/baton.routing.") {
		return c.routers[c.next.Add(1)%2]
	}
	return c.rest
}

// Invoke implements grpc.ClientConnInterface.
func (c *relayed) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.of(method).Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface.
func (c *relayed) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.of(method).NewStream(ctx, desc, method, opts...)
}

// listen hears what routing says until the context ends.
func (r *relay) listen(ctx context.Context) {
	_ = r.log.Read(ctx, ledger.StreamLedger, r.log.Follower().Pos()+1, 0, func(rec *ledger.Record) error {
		e, err := rec.Decode()
		if err != nil {
			r.mistake("%v", err)
			return nil
		}
		h := routed{at: time.Now(), recorded: e.Recorded, late: -1}
		switch body := e.Body.(type) {
		case *leadv1.LeadOffered:
			h.first = body.GetOffer() == 1
		case *leadv1.OfferTimedOut:
			h.late = body.GetFiredAt().AsTime().Sub(body.GetDueAt().AsTime())
		default:
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = append(r.heard, h)
		return nil
	}, func(seq uint64, why string) error {
		r.mistake("record %d: %s", seq, why)
		return nil
	})
}

// after waits for the first thing that a router did by itself after an instant.
func (r *relay) after(t *testing.T, instant time.Time) time.Duration {
	t.Helper()
	var took time.Duration
	r.until(t, "routes again", func() (bool, string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := slices.IndexFunc(r.heard, func(h routed) bool { return h.recorded.After(instant) && (h.first || h.late >= 0) })
		if i >= 0 {
			took = r.heard[i].at.Sub(instant)
		}
		return i >= 0, fmt.Sprintf("%d events of routing were heard\n%s\n%s", len(r.heard), r.routers[0].said, r.routers[1].said)
	})
	return took
}

// load lets leads flow and people answer until the answered function is called.
// One of them never answers: her offers run out.
func (r *relay) load(t *testing.T) (calm func()) {
	t.Helper()
	r.agree(t)
	r.hire(t)
	load, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() { r.listen(load) })
	for n := range 2 {
		busy.Go(func() { r.send(load, n) })
	}
	busy.Go(func() { r.watch(load) })
	for i, member := range stormMembers {
		if member != "chloe" {
			busy.Go(func() { r.work(load, i, member) })
		}
	}
	return func() { stop(); busy.Wait() }
}

// check settles, ends the routers and holds the log against what was promised.
func (r *relay) check(t *testing.T) *stormVerdict {
	t.Helper()
	r.settle(t)
	for _, p := range r.routers {
		if err := p.term(); err != nil {
			t.Errorf("a router did not stop well: %v\n%s", err, p.said)
		}
	}
	return r.verify(t)
}

// TestRouterIsTakenOver kills the process that routes, again and again, while
// leads flow and offers are open; the one that stands by goes on within seconds,
// no offer is lost and none is made twice. The last kill comes just before offers
// run out.
//
//	BATON_TAKEOVERS  how often it is killed (3)
func TestRouterIsTakenOver(t *testing.T) {
	kills := stormNumber(t, "BATON_TAKEOVERS", 3)
	server := cachetest.Serve(t, false)
	r := newRelay(t, server.URL(t))
	r.clocks = stormClocked
	began := time.Now()
	calm := r.load(t)
	r.after(t, began)
	var took []time.Duration
	for n := range kills {
		works, other := r.routers[n%2], r.routers[(n+1)%2]
		if n == kills-1 {
			// The first offers of the one who never answers run out a minute after they
			// were made.
			if wait := time.Until(began.Add(time.Minute)); wait > 0 {
				stormWait(t.Context(), wait)
			}
		} else {
			stormWait(t.Context(), time.Second)
		}
		if !strings.Contains(works.said.String(), "this process's turn") && n > 0 {
			t.Errorf("the router that is killed does not work:\n%s", works.said)
		}
		works.kill()
		at := time.Now()
		took = append(took, r.after(t, at))
		if took[n] > takenOver {
			t.Errorf("taken over %v after kill %d\n%s", took[n], n, other.said)
		}
		r.start(t, works)
	}
	r.until(t, "lets offers run out", func() (bool, string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.heard, func(h routed) bool { return h.late >= 0 }), "none did"
	})
	r.progress(t, kills)
	calm()
	v := r.check(t)
	var late time.Duration
	ran := 0
	for _, h := range r.heard {
		if h.late >= 0 {
			ran++
			late = max(late, h.late)
		}
	}
	if late > takenOver {
		t.Errorf("an offer ran out %v before somebody said so", late)
	}
	r.clocked(t, v, 2*kills)
	slices.Sort(took)
	t.Logf("%d kills: routing went on after %v median, %v slowest (%v); %d offers ran out, the latest said %v after its instant; %d leads, %d offers, %d accepted; fullest load %d of %d; %d decisions derived again, %d differ",
		kills, took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), took, ran, late.Round(time.Millisecond), len(v.received), v.offers, v.accepts, v.peak, stormCapacity, v.result.Decisions, v.result.Differ)
}

// clocked holds what the clocks said against when it was due: both routers say it, and
// the log takes it once. There have to be so many readings.
func (r *relay) clocked(t *testing.T, v *stormVerdict, least int) {
	t.Helper()
	for _, what := range v.clocks.missing(v.last, func(due time.Time) (time.Time, bool) {
		by := due.Add(takenOver)
		return by, !by.After(v.last)
	}) {
		t.Error(what)
	}
	var late []time.Duration
	for _, f := range v.clocks.fired {
		late = append(late, f.at.Sub(f.due))
	}
	t.Logf("%d readings of clocks, each once, %s after they were due", len(late), spread(late))
	if len(late) < least || late[len(late)-1] > takenOver {
		t.Errorf("that is too little, or too late")
	}
}

// TestRedisIsLostWhileLeadsFlow empties, kills and rolls back the Redis that
// routing keeps its state in, under load: routing does not even pause, and the
// state is there again, whole, as the log has it.
func TestRedisIsLostWhileLeadsFlow(t *testing.T) {
	server := cachetest.Serve(t, false)
	r := newRelay(t, server.URL(t))
	began := time.Now()
	calm := r.load(t)
	r.after(t, began)
	// kept is the position up to which Redis has the state; 0 = it has none.
	kept := func() uint64 {
		position, _ := strconv.ParseUint(r.field(server, t, "position"), 10, 64)
		return position
	}
	r.until(t, "keeps its state in Redis", func() (bool, string) { return kept() > 0, "nothing is kept" })
	old := server.Copy()
	stormWait(t.Context(), 3*time.Second)
	for _, fault := range []struct {
		name string
		do   func()
		away time.Duration
	}{
		{"emptied", func() { server.Do("FLUSHALL") }, 0},
		{"killed and started empty", func() {
			server.Kill()
			stormWait(t.Context(), 2*time.Second)
			server.Start()
		}, 2 * time.Second},
		{"failed over to an older copy", func() {
			server.Kill()
			stormWait(t.Context(), 2*time.Second)
			server.Restore(old)
		}, 2 * time.Second},
	} {
		stormWait(t.Context(), time.Second)
		before := r.log.Follower().Pos()
		at := time.Now()
		fault.do()
		back := time.Now()
		paused := r.after(t, at)
		r.until(t, "has its state again after Redis was "+fault.name, func() (bool, string) {
			return kept() > before, fmt.Sprintf("%d is kept of %d", kept(), before)
		})
		t.Logf("Redis %s: the state was there again %v after Redis was; routing went on after %v", fault.name, time.Since(back).Round(time.Millisecond), paused.Round(time.Millisecond))
		if paused > time.Second {
			t.Errorf("Redis %s: routing went on only after %v", fault.name, paused)
		}
	}
	r.progress(t, 5)
	calm()
	v := r.check(t)

	// What others read there is what the log says, for each member and each lead.
	last := r.log.Follower().Pos()
	if at := kept(); at == 0 || at > last {
		t.Errorf("kept up to %d of %d", at, last)
	}
	loads, held := map[string]int{}, map[string]int{}
	generation := r.field(server, t, "generation")
	key := func(part string) string { return r.prefix(server, t) + ":{sales}:" + generation + ":" + part }
	for member, n := range fields(server, key("load")) {
		loads[member], _ = strconv.Atoi(n)
	}
	for id := range fields(server, key("held")) {
		held[id] = 1
	}
	want := map[string]int{}
	for member, n := range v.load {
		if n != 0 {
			want[member] = n
		}
	}
	same(t, "loads in Redis, against the log", loads, want)
	want = map[string]int{}
	for id, l := range v.leads {
		if l.owner+l.offeredTo != "" {
			want[id] = 1
		}
	}
	same(t, "who is held in Redis, against the log", held, want)
	t.Logf("%d leads, %d offers, %d accepted; fullest load %d of %d; %d decisions derived again, %d differ", len(v.received), v.offers, v.accepts, v.peak, stormCapacity, v.result.Decisions, v.result.Differ)
}

func (r *relay) prefix(server *cachetest.Server, t *testing.T) string {
	_, query, _ := strings.Cut(server.URL(t), "prefix=")
	return query
}

func (r *relay) field(server *cachetest.Server, t *testing.T, name string) string {
	return fields(server, r.prefix(server, t)+":{head}")[name]
}

// fields reads a hash as a server sends it: an array of texts, each after its
// length.
func fields(server *cachetest.Server, key string) map[string]string {
	var texts []string
	for i, line := range strings.Split(server.Do("HGETALL "+key), "\n") {
		if i > 0 && i%2 == 0 && !strings.HasPrefix(line, "+") {
			texts = append(texts, line)
		}
	}
	out := map[string]string{}
	for i := 0; i+1 < len(texts); i += 2 {
		out[texts[i]] = texts[i+1]
	}
	return out
}
