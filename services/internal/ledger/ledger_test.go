package ledger

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, cfg Config, folds ...Fold) *Ledger {
	t.Helper()
	cfg.Dir, cfg.Name = dir, "test"
	cfg.FreeFloor = 1
	if cfg.Clock == nil {
		cfg.Clock = clock.NewVirtual(noon)
	}
	l, err := Open(t.Context(), cfg, folds...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func received(id string) Draft {
	return Draft{Subject: lead.SubjectOf(id), Cause: "test:" + id, Body: &leadv1.LeadReceived{SourceId: "s", Source: "web", SubmissionId: id, ReceivedAt: timestamppb.New(noon), Features: &leadv1.Features{Employees: 80}}}
}

func (l *Ledger) live(subject string) (p Place) {
	l.follower.View(func(v *View) { p = v.Place(subject) })
	return p
}

func TestSayThenReadBack(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx := t.Context()
	events, err := l.Say(ctx, "intake", l.live, noon, received("a"), Draft{Subject: "lead.a", Cause: "x", Body: &leadv1.PersonAttached{PersonId: "p", MatchedBy: "new"}}, received("b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := []uint64{events[0].Seq, events[1].Seq, events[2].Seq}; !cmp.Equal(got, []uint64{2, 3, 4}) {
		t.Fatalf("sequences %v", got)
	}
	history, err := l.History(ctx, "lead.a")
	if err != nil || len(history) != 2 {
		t.Fatalf("%d events, %v", len(history), err)
	}
	if history[1].Prev != history[0].Hash || history[0].Hash != events[0].Hash {
		t.Error("the chain of the subject is broken")
	}
	if err := l.follower.Wait(ctx, 4); err != nil {
		t.Fatal(err)
	}
	l.follower.View(func(v *View) {
		s, err := v.Lead("a")
		if err != nil || s.PersonID != "p" || s.Features.GetEmployees() != 80 {
			t.Errorf("state %+v, %v", s, err)
		}
	})
}

func TestStaleFoldIsRefused(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx := t.Context()
	none := func(string) Place { return Place{} }
	if _, err := l.Say(ctx, "intake", none, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Say(ctx, "intake", none, noon, received("a")); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a second first event was answered with %v", err)
	}
	// In a batch the refusal of one is the refusal of all.
	if _, err := l.Say(ctx, "intake", none, noon, received("b"), received("a")); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a batch with a stale subject was answered with %v", err)
	}
	history, err := l.History(ctx, "lead.b")
	if err != nil || len(history) != 0 {
		t.Errorf("%d events of a refused batch stand, %v", len(history), err)
	}
}

func TestAServiceSaysOnlyWhatIsIts(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	_, err := l.Say(t.Context(), "routing", l.live, noon, received("a"))
	if !fault.Is(err, fault.Denied) {
		t.Errorf("routing wrote a LeadReceived: %v", err)
	}
}

func TestSyncIsAlways(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if cfg := l.srv.JetStreamConfig(); cfg == nil || !cfg.SyncAlways {
		t.Fatalf("the embedded server does not sync before it acknowledges: %+v", cfg)
	}
}

func TestDoorSharesOneSync(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	const n = 300
	errs := make(chan error, n)
	for i := range n {
		go func() {
			errs <- door.Keep(t.Context(), &intakev1.Delivery{DeliveryId: string(rune('a' + i%26)), SourceId: "s", ReceivedAt: timestamppb.New(noon), Digest: make([]byte, 32)})
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	last, err := l.Last(t.Context(), StreamIntake)
	if err != nil {
		t.Fatal(err)
	}
	var stored int
	err = l.Read(t.Context(), StreamIntake, 1, last, func(r *Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		stored += len(e.Body.(*intakev1.IntakeRecord).GetDeliveries())
		return nil
	}, func(seq uint64, why string) error { t.Errorf("record %d: %s", seq, why); return nil })
	if err != nil || stored != n {
		t.Errorf("%d deliveries stand, want %d; %v", stored, n, err)
	}
	if last >= n {
		t.Errorf("%d deliveries took %d records", n, last)
	}
	t.Logf("%d deliveries in %d records", n, last)
}

func TestReopenFoldsAndCompares(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Config{})
	for _, id := range []string{"a", "b", "c"} {
		if _, err := l.Say(t.Context(), "intake", l.live, noon, received(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.follower.Wait(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	points, err := l.Checkpoint(t.Context())
	if err != nil || len(points) != 1 || points[0].Size != 4 {
		t.Fatalf("%+v, %v", points, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
	again := open(t, dir, Config{})
	if why := again.ReadOnly(); why != "" {
		t.Fatalf("a whole log is read-only: %s", why)
	}
	if again.ID() != l.ID() || again.Follower().Pos() != 4 {
		t.Errorf("log %s at %d, was %s at 4", again.ID(), again.Follower().Pos(), l.ID())
	}
}

func TestSecondProcessIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Config{})
	_, err := Open(t.Context(), Config{Dir: dir, Name: "second"})
	if !fault.Is(err, fault.State) {
		t.Fatalf("a second process was answered with %v", err)
	}
	t.Log(err)
}

// echo answers each LeadReceived with QualificationHeld, once.
type echo struct {
	decided int
	fail    map[string]error
}

func (e *echo) Service() string     { return "qualification" }
func (e *echo) Due(*View) time.Time { return time.Time{} }
func (e *echo) Wake(*View) []*Item  { return nil }
func (e *echo) Decide(v *View, items []*Item) ([]Draft, error) {
	var out []Draft
	for _, item := range items {
		e.decided++
		if err := e.fail[item.Lead]; err != nil {
			return nil, err
		}
		s, err := v.Lead(item.Lead)
		if err != nil {
			return nil, err
		}
		if s.State == leadv1.State_STATE_RECEIVED {
			out = append(out, Draft{Subject: lead.SubjectOf(item.Lead), Cause: item.Cause, Body: &leadv1.QualificationHeld{Rule: "test", Text: "held by a test"}})
		}
	}
	return out, nil
}

func TestDeskLooksSaysAndAcksLast(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &echo{fail: map[string]error{"bad": fault.New(fault.Unknown, "planted")}}
	desk, err := l.Desk(ctx, d, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "bad", "b"} {
		if _, err := l.Say(ctx, "intake", l.live, noon, received(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Settle(ctx, desk.Idle); err != nil {
		t.Fatal(err)
	}
	want := map[string]leadv1.State{"a": leadv1.State_STATE_HELD, "b": leadv1.State_STATE_HELD, "bad": leadv1.State_STATE_RECEIVED}
	l.follower.View(func(v *View) {
		for id, state := range want {
			s, err := v.Lead(id)
			if err != nil || s.State != state {
				t.Errorf("%s is %v, want %v (%v)", id, s.State, state, err)
			}
			if id == "bad" && s.Failure == "" {
				t.Error("the lead that could not be handled does not say so")
			}
		}
	})
	cancel()
	<-desk.Stopped()
}

// What only says that somebody was told wakes no desk, is what nothing follows from, and
// leaves what was set aside where it is.
func TestTellingWakesNobody(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &echo{fail: map[string]error{"bad": fault.New(fault.Unknown, "planted")}}
	desk, err := l.Desk(ctx, d, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "bad"} {
		if _, err := l.Say(ctx, "intake", l.live, noon, received(id)); err != nil {
			t.Fatal(err)
		}
	}
	look := func() (decided int, last string, aside []string) {
		t.Helper()
		if err := l.Settle(ctx, desk.Idle); err != nil {
			t.Fatal(err)
		}
		l.follower.View(func(v *View) {
			s, err := v.Lead("a")
			if err != nil {
				t.Error(err)
			}
			decided, last, aside = d.decided, s.LastID, v.setAside("qualification")
		})
		return decided, last, aside
	}
	decided, last, aside := look()
	for _, id := range []string{"a", "bad"} {
		queued := &leadv1.NoticeQueued{NoticeId: id + "-n", Kind: leadv1.NoticeKind_NOTICE_KIND_OFFER, Channel: "console"}
		if _, err := l.Say(ctx, "delivery", l.live, noon, Draft{Subject: lead.SubjectOf(id), Cause: "told", Body: queued}); err != nil {
			t.Fatal(err)
		}
	}
	after, lastAfter, asideAfter := look()
	if after != decided || lastAfter != last || len(aside) != 1 || len(asideAfter) != 1 {
		t.Errorf("looked at %d leads and then %d; what follows, follows from %s and then %s; set aside %v and then %v", decided, after, last, lastAfter, aside, asideAfter)
	}
	cancel()
	<-desk.Stopped()
}

// watched is a clock that tells when somebody begins to wait.
type watched struct {
	*clock.Virtual
	until func()
}

func (w *watched) Until(t time.Time) (<-chan struct{}, func()) {
	w.until()
	return w.Virtual.Until(t)
}

// due has nothing to say, and a clock that runs on by an hour at a time.
type due struct{ echo }

func (*due) Due(v *View) time.Time { return v.Woken.Truncate(time.Hour).Add(time.Hour) }

// Who sees an idle desk and moves the clock does not move it past what falls
// due: the desk is idle only once it waits for that.
func TestIdleDeskWaitsForItsClock(t *testing.T) {
	var desk atomic.Pointer[Desk]
	var early, waits atomic.Int64
	time := &watched{Virtual: clock.NewVirtual(noon)}
	time.until = func() {
		if k := desk.Load(); k != nil {
			waits.Add(1)
			if k.Idle(t.Context()) {
				early.Add(1)
			}
		}
	}
	l := open(t, t.TempDir(), Config{Clock: time})
	k, err := l.Desk(t.Context(), &due{}, DeskConfig{})
	if err != nil {
		t.Fatal(err)
	}
	desk.Store(k)
	for range 3 {
		k.Nudge()
		if err := l.Settle(t.Context(), k.Idle); err != nil {
			t.Fatal(err)
		}
		next, ok := time.Next()
		if !ok || !next.After(time.Now()) {
			t.Fatalf("at %s an idle desk waits for %s (%t)", time.Now(), next, ok)
		}
		time.Set(next)
	}
	if waits.Load() == 0 || early.Load() > 0 {
		t.Errorf("%d of %d times the desk seemed idle before it waited for what is due", early.Load(), waits.Load())
	}
}
