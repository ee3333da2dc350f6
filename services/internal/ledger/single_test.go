package ledger

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger/ledgertest"
)

// router is a decider that counts what it is asked. It hears leads and has a
// clock that is always due.
type router struct {
	echo
	looked, woken atomic.Int64
	// stuck holds it while it looks, once it is set.
	stuck atomic.Pointer[chan struct{}]
}

func (r *router) Decide(v *View, items []*Item) ([]Draft, error) {
	for _, item := range items {
		if item.msg != nil {
			r.looked.Add(1)
		}
	}
	if stuck := r.stuck.Load(); stuck != nil {
		<-*stuck
	}
	return nil, nil
}

func (r *router) Due(v *View) time.Time { return v.Woken.Add(50 * time.Millisecond) }
func (r *router) Wake(*View) []*Item    { r.woken.Add(1); return nil }

// rival is a process with a single desk on a server that others share.
type rival struct {
	*router
	log  *Ledger
	desk *Desk
	stop context.CancelFunc
}

func rivals(t *testing.T, n int) []*rival {
	t.Helper()
	url, dir := ledgertest.Serve(t, filepath.Join(t.TempDir(), "nats")), t.TempDir()
	out := make([]*rival, n)
	for i := range out {
		l := open(t, filepath.Join(dir, string(rune('a'+i))), Config{URL: url, KeyDir: filepath.Join(dir, "keys"), Clock: clock.Real{}})
		r := &rival{router: &router{}, log: l}
		ctx, stop := context.WithCancel(t.Context())
		r.stop = stop
		var err error
		if r.desk, err = l.Desk(ctx, r.router, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, Single: true, AckWait: time.Hour}); err != nil {
			t.Fatal(err)
		}
		out[i] = r
		// The first that comes works; the others come after it.
		eventually(t, "the first works and the others stand by", func() bool { return r.desk.Active() == (i == 0) && r.desk.standsBy() == (i > 0) })
	}
	t.Cleanup(func() {
		for _, r := range out {
			r.stop()
		}
	})
	return out
}

// receive says that a lead came, in the log of one of them.
func (r *rival) receive(t *testing.T, id string) {
	t.Helper()
	if _, err := r.log.Write(t.Context(), "intake", once(id)); err != nil {
		t.Fatal(err)
	}
}

// TestOneWorksAndTheOthersStandBy: hearing and waking are for one of them.
func TestOneWorksAndTheOthersStandBy(t *testing.T) {
	all := rivals(t, 3)
	for i := range 20 {
		all[i%3].receive(t, string(rune('a'+i)))
	}
	eventually(t, "twenty leads are looked at", func() bool { return all[0].looked.Load() >= 20 && all[0].desk.Idle(t.Context()) })
	woken := all[0].woken.Load()
	eventually(t, "the clock goes on", func() bool { return all[0].woken.Load() > woken+5 })
	for _, r := range all[1:] {
		if r.looked.Load() != 0 || r.woken.Load() != 0 {
			t.Errorf("one that stands by looked %d times and woke %d times", r.looked.Load(), r.woken.Load())
		}
		if !r.desk.Idle(t.Context()) {
			t.Error("one that stands by is not idle")
		}
		// Whoever is asked carries a command out.
		if _, err := r.desk.Do(t.Context(), &Item{Command: "ask"}); err != nil {
			t.Error(err)
		}
	}
}

// TestTakeOver: whoever dies is followed within seconds, though nothing comes,
// and what it held is handed out at once; whoever stops is followed at once.
func TestTakeOver(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(t *testing.T, r *rival)
		within time.Duration
	}{
		"it dies": {func(_ *testing.T, r *rival) { r.log.nc.Close() }, pinFor + 2*pinLook},
		"it dies holding something": {func(t *testing.T, r *rival) {
			stuck := make(chan struct{})
			r.stuck.Store(&stuck)
			t.Cleanup(func() { close(stuck) })
			r.receive(t, "held")
			eventually(t, "it holds the lead", func() bool { return r.looked.Load() == 1 })
			r.log.nc.Close()
		}, pinFor + 2*pinLook},
		"it stops": {func(_ *testing.T, r *rival) { r.stop(); <-r.desk.Stopped() }, 3 * pinLook},
	} {
		t.Run(name, func(t *testing.T) {
			all := rivals(t, 2)
			c.end(t, all[0])
			began := time.Now()
			eventually(t, "the other one wakes", func() bool { return all[1].woken.Load() > 0 })
			took := time.Since(began)
			t.Logf("taken over after %v", took.Round(time.Millisecond))
			if took > c.within {
				t.Errorf("taken over after %v, and it may take %v", took, c.within)
			}
			if name == "it dies holding something" {
				eventually(t, "what it held is looked at", func() bool { return all[1].looked.Load() > 0 })
				if took := time.Since(began); took > c.within {
					t.Errorf("what it held was looked at after %v", took)
				}
			}
		})
	}
}

// TestTheTurnGoesOn: one that lost its turn without dying, as after a pause that
// was too long, stands by or gets it again; it is never nobody's, nor both's.
func TestTheTurnGoesOn(t *testing.T) {
	all := rivals(t, 2)
	stream, err := all[0].log.js.Stream(t.Context(), StreamLedger)
	if err != nil {
		t.Fatal(err)
	}
	pinned := func() string {
		info, err := all[0].desk.consumer.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.PriorityGroups[0].PinnedClientID
	}
	for range 4 {
		before := pinned()
		if err := stream.UnpinConsumer(t.Context(), "qualification", pinGroup); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the turn is somebody's again, who knows it", func() bool {
			now := pinned()
			works := 0
			for _, r := range all {
				if id := r.desk.pin.id.Load(); r.desk.Active() && id != nil && *id == now {
					works++
				}
			}
			return now != "" && now != before && works == 1 && all[0].desk.Active() != all[1].desk.Active()
		})
	}
}

// TestAloneWaitsForNoTurn: a process that shares its log with nobody works from
// the first moment, whoever held what before.
func TestAloneWaitsForNoTurn(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		l := open(t, dir, Config{})
		r := &router{}
		ctx, stop := context.WithCancel(t.Context())
		desk, err := l.Desk(ctx, r, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, Single: true})
		if err != nil {
			t.Fatal(err)
		}
		if !desk.Active() {
			t.Error("it waits for its turn")
		}
		stop()
		<-desk.Stopped()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
