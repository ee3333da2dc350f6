package routing

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// sameGroups compares two folds of the pools by all that anybody can see of
// them: which numbers the places have plays no part. Offers are compared as
// running lists them.
func sameGroups() gocmp.Options {
	return gocmp.Options{
		gocmp.AllowUnexported(Groups{}, Group{}, dueOffer{}, lookAt{}),
		// What is to be looked at is no part of what is kept: who starts looks at all.
		cmpopts.IgnoreFields(Groups{}, "kin"),
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Groups{}, "changed", "news"),
		cmpopts.IgnoreFields(Group{}, "places"),
		// What a fold remembers to be quicker is found again.
		cmpopts.IgnoreFields(Counts{}, "below"),
		gocmp.Transformer("books", func(r *Rotation) rotationJSON {
			return rotationJSON{Turns: r.turns, Accounts: r.present(), Seats: r.seats}
		}),
		cmpopts.IgnoreUnexported(Waiting{}),
	}
}

// running are the offers that still run, in order: answered ones stay in the
// heap until they reach its top.
func running(g *Groups) dueHeap {
	offers := slices.DeleteFunc(slices.Clone(g.offers), func(d dueOffer) bool { return !g.stands(d) })
	slices.SortFunc(offers, func(a, b dueOffer) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.lead, b.lead), cmp.Compare(a.offer, b.offer))
	})
	return offers
}

// differ says how two folds of the pools differ; empty = they do not.
func differ(a, b *Groups) string {
	a.offers, b.offers = running(a), running(b)
	return gocmp.Diff(a, b, sameGroups())
}

// carriedOver is a fold as the next process would have it: through rows and back.
func carriedOver(t tester, g *Groups) *Groups {
	t.Helper()
	rows, err := g.rows(g.all())
	if err != nil {
		t.Fatalf("carried over: %v", err)
	}
	for _, row := range rows {
		if _, err := placeOf(row); err != nil {
			t.Fatalf("carried over: %v", err)
		}
	}
	out := NewGroups()
	if err := out.restore(rows); err != nil {
		t.Fatalf("carried over: %v", err)
	}
	return out
}

// keeping is a log with a fold of the pools and its keeper.
type keeping struct {
	t      *testing.T
	dir    string
	log    *ledger.Ledger
	groups *Groups
	keeper *Keeper
	heard  []uint64
	said   int
}

// Apply notes what the keeper is told, on its way there.
func (k *keeping) Apply(e *ledger.Event) {
	k.heard = append(k.heard, e.Seq)
	k.keeper.Apply(e)
}

func (k *keeping) Resume(ctx context.Context, l *ledger.Ledger) (uint64, error) {
	return k.keeper.Resume(ctx, l)
}

func open(t *testing.T, dir string) *keeping {
	t.Helper()
	k := &keeping{t: t, dir: dir, groups: NewGroups()}
	k.keeper = NewKeeper(k.groups, func(ctx context.Context) (Store, error) {
		return OpenEmbedded(ctx, filepath.Join(dir, "routing.db"))
	}, slog.New(slog.DiscardHandler))
	var err error
	k.log, err = ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(dir, "data"), Outside: filepath.Join(dir, "points"), Name: "test", FreeFloor: 1, Clock: clock.NewVirtual(monday)}, k)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *keeping) close() {
	k.t.Helper()
	if err := k.log.Close(); err != nil {
		k.t.Error(err)
	}
	if err := k.keeper.Close(); err != nil {
		k.t.Error(err)
	}
}

func (k *keeping) save() {
	k.t.Helper()
	if err := k.keeper.Save(k.t.Context(), k.log); err != nil {
		k.t.Fatal(err)
	}
}

// say appends an event of a group.
func (k *keeping) say(group string, steps ...*routingv1.PoolStep) {
	k.t.Helper()
	k.said++
	_, err := k.log.Write(k.t.Context(), Name, func(*ledger.View) ([]ledger.Draft, error) {
		return []ledger.Draft{{Subject: lead.SubjectPool + group, Body: &routingv1.PoolAdvanced{Steps: steps}, Cause: "test:" + k.dir + string(rune('a'+k.said)), Logic: Logic}}, nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

// TestKeeperGoesOn: a second run hears only what was not kept, and has the same
// fold as one that hears everything.
func TestKeeperGoesOn(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir)
	k.say("second", offeredStep("x", "outside", "zoe", 1, monday.Add(time.Hour)))
	k.say("sales", offeredStep("a", "inside", "ana", 1, monday.Add(time.Hour)), queuedStep("b", "full", monday, monday.Add(2*time.Hour)), queuedStep("c", "full", monday, time.Time{}))
	k.save()
	k.say("sales", stepOf(releasedStep, "a", "ana", 1), offeredStep("b", "inside", "ben", 1, monday.Add(3*time.Hour)))
	k.save()
	kept := k.log.Follower().Pos()
	k.say("sales", queuedStep("d", "full", monday, time.Time{}), queuedStep("b2", "full", monday, time.Time{}))
	want := k.groups
	k.close()

	again := open(t, dir)
	defer again.close()
	if diff := differ(want, again.groups); diff != "" {
		t.Errorf("the next run (-first +next)\n%s", diff)
	}
	if len(again.heard) == 0 || again.heard[0] != kept+1 {
		t.Errorf("the next run hears %v; up to %d was kept", again.heard, kept)
	}
	if got := again.groups.Group("sales").Ordered(); !slices.Equal(got, []string{"c", "d", "b2"}) {
		t.Errorf("the line is %v", got)
	}
	if got := again.groups.Names(); !slices.Equal(got, []string{"second", "sales"}) {
		t.Errorf("the groups are %v", got)
	}
}

// TestKeeperOfAnotherPast: what is kept of another log, or of another course of
// this one, is thrown away and made again.
func TestKeeperOfAnotherPast(t *testing.T) {
	step := func(id string) *routingv1.PoolStep {
		return offeredStep(id, "inside", "ana", 1, monday.Add(time.Hour))
	}
	for name, alter := range map[string]func(k *keeping){
		"another log": func(k *keeping) {
			k.alter(func(p *Past) { p.Log = "other" })
		},
		"another event there": func(k *keeping) {
			k.alter(func(p *Past) { p.Hash[0] ^= 1 })
		},
		"beyond the end": func(k *keeping) {
			k.alter(func(p *Past) { p.Position += 100 })
		},
		"unreadable rows": func(k *keeping) {
			k.put(Row{Group: "sales", Kind: kindLoad, Key: "ana", Value: []byte("many")})
		},
		"rows of a group without a name": func(k *keeping) {
			k.put(Row{Group: "lost", Kind: kindLoad, Key: "ana", Value: []byte("1")})
		},
		"a kind that nobody knows": func(k *keeping) {
			k.put(Row{Group: "sales", Kind: "mood", Key: "ana", Value: []byte("1")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := open(t, dir)
			k.say("sales", step("a"))
			k.save()
			// A row that the log does not have shows what was begun from.
			k.put(Row{Group: "sales", Kind: kindLoad, Key: "nobody", Value: []byte("7")})
			alter(k)
			k.close()
			again := open(t, dir)
			defer again.close()
			if got := again.groups.Group("sales").Load; len(got) != 1 || got["ana"] != 1 {
				t.Errorf("the loads are %v", got)
			}
			again.say("sales", step("b"))
			again.save()
			state, err := again.keeper.store.Load(t.Context())
			if err != nil || state.Position != again.log.Follower().Pos() || state.Log != again.log.ID() {
				t.Errorf("kept: %+v, %v", state.Past, err)
			}
		})
	}
}

// TestKeeperAfterALoss: a store that loses everything, or falls back to an older
// copy, gets the whole again.
func TestKeeperAfterALoss(t *testing.T) {
	for name, lose := range map[string]func(k *keeping){
		"emptied": func(k *keeping) {
			if err := k.keeper.store.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"an older copy": func(k *keeping) {
			k.alter(func(p *Past) { p.Position-- })
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, t.TempDir())
			defer k.close()
			k.say("sales", offeredStep("a", "inside", "ana", 1, monday.Add(time.Hour)))
			k.save()
			lose(k)
			k.say("sales", offeredStep("b", "inside", "ben", 1, monday.Add(time.Hour)))
			k.save()
			k.save()
			state, err := k.keeper.store.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := NewGroups()
			if err := got.restore(state.Rows); err != nil {
				t.Fatal(err)
			}
			if diff := differ(k.groups, got); diff != "" {
				t.Errorf("kept after the loss (-fold +kept)\n%s", diff)
			}
			if state.Position != k.log.Follower().Pos() {
				t.Errorf("kept up to %d of %d", state.Position, k.log.Follower().Pos())
			}
		})
	}
}

// alter changes the past that the store holds.
func (k *keeping) alter(change func(*Past)) {
	k.t.Helper()
	store := k.keeper.store
	state, err := store.Load(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	change(&state.Past)
	if err := store.Clear(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	if _, err := store.Save(k.t.Context(), Change{Past: state.Past, Whole: true, Rows: state.Rows}); err != nil {
		k.t.Fatal(err)
	}
}

// put puts a row into the store.
func (k *keeping) put(row Row) {
	k.t.Helper()
	store := k.keeper.store
	state, err := store.Load(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := store.Save(k.t.Context(), Change{Past: state.Past, From: state.Position, Rows: []Row{row}}); err != nil {
		k.t.Fatal(err)
	}
}
