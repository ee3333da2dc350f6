package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/routing"
)

// poolSizes are how many people share the pool; the first is the base.
var poolSizes = []int{10, 1_000, 10_000}

// poolLeads is how many leads a second of measuring stands for.
const poolLeads = 1000

// poolWarm is how many leads each pool has had before. The first lead of a new pool
// names everybody in it and finds them unheard of: that is the pool's and not the lead's.
const poolWarm = 20

// benchPools measures what it costs to give a qualified lead to one of few people
// and to one of many. Routing alone runs: what it routes was received and
// qualified before.
func benchPools(ctx context.Context, b *bench) (*measured, error) {
	m := &measured{Title: "from qualified to assigned, by how many people share the pool"}
	halls := make([]*hall, len(poolSizes))
	for i, size := range poolSizes {
		b.say("pools", 0, fmt.Sprintf("%d people", size))
		h, err := newHall(ctx, b.place(fmt.Sprintf("pool-%d", size)), size)
		if err != nil {
			return nil, err
		}
		halls[i] = h
		if err := h.fill(ctx, m, poolWarm); err != nil {
			return nil, err
		}
		if _, _, err := h.route(ctx, poolWarm); err != nil {
			return nil, err
		}
	}
	n := max(50, int(poolLeads*b.length.Seconds()))
	for round := range b.rounds {
		var base load
		for i, h := range halls {
			b.say("pools", round, fmt.Sprintf("leads for %d people", h.size))
			if err := h.fill(ctx, m, n); err != nil {
				return nil, err
			}
			b.say("pools", round, fmt.Sprintf("routing to %d people", h.size))
			stop := func() {}
			if i == len(halls)-1 {
				stop = b.profile(round)
			}
			done, grown, err := h.route(ctx, n)
			stop()
			if err != nil {
				return nil, err
			}
			if i == 0 {
				base = done
			}
			key := fmt.Sprint(h.size)
			m.add("pool-"+key, key+" people: qualified to assigned, to the last lead", "/s", "pool-10", done.perSecond())
			m.add("cpu-"+key, key+" people: processor", "us each", "cpu-10", done.cpuEach())
			m.add("log-"+key, key+" people: what a lead adds to the log", "bytes", "log-10", float64(grown)/float64(n))
			if i > 0 {
				m.want(fmt.Sprintf("a lead for %d people costs at most 1.3 x the processor of one for %d", h.size, poolSizes[0]), 0, 1.3, quotient(done.cpuEach(), base.cpuEach()))
			}
		}
	}
	return m, nil
}

// hall is a log with a pool of so many people.
type hall struct {
	dir  string
	size int
	logs *complaints
}

// config is the whole program but routing, which has its turn alone.
func (h *hall) config() (Config, error) {
	source, err := benchSource(h.dir)
	return Config{
		Services: slices.DeleteFunc(slices.Clone(allServices), func(name string) bool { return name == routing.Name }),
		Data:     filepath.Join(h.dir, "data"), HTTP: "127.0.0.1:0", Console: "-", GRPC: "-", Metrics: "-", FreeFloor: 64, NATSListen: "127.0.0.1:-1",
		Sources: []string{source}, telemetry: h.logs.telemetry(),
	}, err
}

func newHall(ctx context.Context, dir string, size int) (h *hall, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	h = &hall{dir: dir, size: size, logs: &complaints{}}
	cfg, err := h.config()
	if err != nil {
		return nil, err
	}
	app, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, app.Stop(context.WithoutCancel(ctx))) }()
	members := make([]string, size+1)
	for i := range members {
		// The last one takes the large companies alone, and gets none here.
		members[i] = fmt.Sprintf("member-%05d", i+1)
	}
	for some := range slices.Chunk(members, 100) {
		if _, err := app.log.Write(ctx, routing.Name, func(*ledger.View) ([]ledger.Draft, error) {
			var drafts []ledger.Draft
			for _, member := range some {
				token := sha256.Sum256([]byte(member))
				drafts = append(drafts, ledger.Draft{Subject: "org.member." + member, Body: &routingv1.MemberAdded{Member: member, Roles: []string{access.Sales}, TokenHash: token[:]}, Cause: "bench:" + member})
			}
			return drafts, nil
		}); err != nil {
			return nil, err
		}
	}
	w := &world{App: app, signers: map[string]ed25519.PrivateKey{}}
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		if _, w.signers[party], err = ed25519.GenerateKey(nil); err != nil {
			return nil, err
		}
	}
	doc, err := alwaysOpen(string(agreement.Starter(agreement.StarterParams{MarketingKey: w.public(agreement.Marketing), SalesKey: w.public(agreement.Sales), Members: members})))
	if err != nil {
		return nil, err
	}
	return h, access.FaultOf(w.sign(access.WithToken(ctx, w.admin), bytes.TrimSpace([]byte(doc))))
}

// fill brings so many leads, received and qualified, that nobody has routed.
func (h *hall) fill(ctx context.Context, m *measured, n int) (err error) {
	cfg, err := h.config()
	if err != nil {
		return err
	}
	app, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Stop(context.WithoutCancel(ctx))) }()
	ps, err := dialAll(ctx, app.HTTPAddr, assignConnections)
	if err != nil {
		return err
	}
	defer ps.close()
	var next atomic.Int64
	if err := each(assignConnections, func(i int) error {
		for next.Add(1) <= int64(n) {
			if _, err := ps[i].post(webhook()); err != nil {
				return err
			}
		}
		return nil
	}, nil); err != nil {
		return err
	}
	m.refusals("the door", ps)
	return app.Settle(ctx)
}

// route lets routing work and answers once the last lead is assigned, and by how
// many bytes the log has grown.
func (h *hall) route(ctx context.Context, n int) (done load, grown int64, err error) {
	register, roster, groups, people := &agreement.Register{}, routing.NewRoster(), routing.NewGroups(), intake.NewPeople()
	counts := &assigned{more: make(chan struct{}, 1)}
	data := filepath.Join(h.dir, "data")
	l, err := ledger.Open(ctx, ledger.Config{Dir: data, FreeFloor: 64 << 20, Name: "baton bench", TZData: agreement.TZDataVersion()}, register, roster, groups, people, counts)
	if err != nil {
		return load{}, 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	size, err := sizeOf(filepath.Join(data, "log"))
	if err != nil {
		return load{}, 0, err
	}
	before, began, cpu := counts.n.Load(), time.Now(), cpuTime()
	run, stop := context.WithCancel(ctx)
	desk, err := l.Desk(run, routing.New(register, roster, groups, people.People), ledger.DeskConfig{Durable: routing.Name, Subjects: routing.Hears, Single: true})
	if err != nil {
		stop()
		return load{}, 0, err
	}
	defer func() { stop(); <-desk.Stopped() }()
	patience := time.NewTimer(assignPatience * 4)
	defer patience.Stop()
	for counts.n.Load()-before < int64(n) {
		select {
		case <-counts.more:
		case <-patience.C:
			return load{}, 0, fmt.Errorf("%d of %d leads were assigned to one of %d people in time", counts.n.Load()-before, n, h.size)
		case <-ctx.Done():
			return load{}, 0, ctx.Err()
		}
	}
	done = load{done: n, took: time.Since(began), cpu: cpuTime() - cpu}
	grown, err = sizeOf(filepath.Join(data, "log"))
	return done, grown - size, err
}

// assigned counts offers as they are folded.
type assigned struct {
	n    atomic.Int64
	more chan struct{}
}

// Apply implements ledger.Fold.
func (a *assigned) Apply(e *ledger.Event) {
	if _, ok := lead.FromSubject(e.Subject); !ok || e.Type != "baton.lead.v1.LeadOffered" {
		return
	}
	a.n.Add(1)
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// sizeOf is how many bytes the files below a folder hold.
func sizeOf(dir string) (n int64, err error) {
	return n, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
}
