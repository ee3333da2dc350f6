//go:build real

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/internal/telemetry"
	"github.com/leadbaton/baton/services/lead"
)

// clockSlack is how long after its instant a clock may say that it was due.
const clockSlack = time.Second

// stormClocked are clocks as short as an agreement may have them. Everybody is on duty
// at any hour, so that each reading has its instant. Whoever hears of a lead that nobody
// takes is named: a manager is one of a pool, and a lead that was only just qualified is
// in none, so that the step would be passed over, and its time with it.
const stormClocked = `
clocks:
  - id: take
    title: Taken
    text: A qualified lead is taken.
    department: sales
    starts: qualified
    stops: [accepted, nurtured]
    time: clock
    limit: 2m
    remind_before: 1m
    steps:
      - {after: 1m, tell: [ana], text: Nobody has taken this lead., at_once: true}
      - {after: 1m, tell: [dan], text: Still nobody has.}
  - id: touch
    title: First touch
    text: Whoever took a lead speaks with the person.
    department: sales
    starts: accepted
    stops: [touched, rejected]
    limit: 1m
    steps:
      - {after: 1m, tell: [owner, manager], text: The person waits.}
`

// readings are what these clocks say, and how long after the start of a run.
var readings = map[string]map[string]time.Duration{
	"take":  {"reminded": time.Minute, "breached": 2 * time.Minute, "step 1": 3 * time.Minute, "step 2": 4 * time.Minute},
	"touch": {"breached": time.Minute, "step 1": 2 * time.Minute},
}

// adrift is the program with its clock set off by --off.
const adrift = "baton-adrift"

func init() { programs[adrift] = func() { os.Exit(runAdrift(os.Args[2:])) } }

func runAdrift(args []string) int {
	cfg, err := fromEnvironment()
	if err != nil {
		return finish(os.Stderr, err)
	}
	f := pflag.NewFlagSet(adrift, pflag.ContinueOnError)
	cfg.flags(f)
	f.StringVar(&cfg.Data, "data", "", "")
	off := f.Duration("off", 0, "")
	if err := f.Parse(args); err != nil {
		return finish(os.Stderr, err)
	}
	cfg.Services, cfg.clock, cfg.telemetry = f.Args(), offClock(*off), telemetry.Config{Version: version}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return finish(os.Stderr, up(ctx, os.Stderr, cfg))
}

// offClock is the machine's clock, set off by so much.
type offClock time.Duration

func (o offClock) Now() time.Time { return clock.Real{}.Now().Add(time.Duration(o)) }

func (o offClock) Until(t time.Time) (<-chan struct{}, func()) {
	return clock.Real{}.Until(t.Add(-time.Duration(o)))
}

// stormClocks holds what clocks said against what they had to say, by a reading of the
// log that shares nothing with the product's.
type stormClocks struct {
	runs map[string][]*clockRun
	// fired are all readings, each with its delay.
	fired []stormFired
}

// clockRun is one run of a clock on a lead.
type clockRun struct {
	lead, clock      string
	started, stopped time.Time
	said             map[string]time.Time
}

// stormFired is one reading: when it was due, and when it was said.
type stormFired struct{ due, at time.Time }

func (c *stormClocks) fold(v *stormVerdict, id string, e *ledger.Event) {
	if c.runs == nil {
		c.runs = map[string][]*clockRun{}
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadQualified:
		c.start(id, "take", e)
	case *leadv1.OfferAccepted:
		c.stop(id, e, "take")
		c.start(id, "touch", e)
	case *leadv1.LeadNurtured:
		c.stop(id, e, "take")
	case *leadv1.OfferRejected:
		c.stop(id, e, "touch")
		if body.GetConsequence() == leadv1.Consequence_CONSEQUENCE_DISQUALIFY {
			c.stop(id, e, "take")
		}
	case *leadv1.LeadRefused:
		c.stop(id, e, "take", "touch")
	case *leadv1.OutcomeRecorded:
		switch body.GetKind() {
		case leadv1.OutcomeKind_OUTCOME_KIND_TOUCH:
			c.stop(id, e, "touch")
		case leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_LOST:
			c.stop(id, e, "take", "touch")
		}
	case *leadv1.ClockReminded:
		c.say(v, e, body.GetClock(), "reminded", body.GetFiredAt())
	case *leadv1.ClockBreached:
		c.say(v, e, body.GetClock(), "breached", body.GetFiredAt())
	case *leadv1.ClockEscalated:
		c.say(v, e, body.GetClock(), fmt.Sprintf("step %d", body.GetStep()), body.GetFiredAt())
	case *leadv1.ClockRestated:
		v.find("record %d: a clock is restated, though nothing became known late", e.Seq)
	}
}

func (c *stormClocks) start(id, clock string, e *ledger.Event) {
	for _, r := range c.runs[id] {
		if r.clock == clock && r.stopped.IsZero() {
			return
		}
	}
	c.runs[id] = append(c.runs[id], &clockRun{lead: id, clock: clock, started: e.Occurred, said: map[string]time.Time{}})
}

func (c *stormClocks) stop(id string, e *ledger.Event, clocks ...string) {
	for _, r := range c.runs[id] {
		if slices.Contains(clocks, r.clock) && r.stopped.IsZero() {
			r.stopped = e.Occurred
		}
	}
}

// say holds one reading against its run: dated when it was due, said then or later,
// of a run that was not stopped by then, and never before.
func (c *stormClocks) say(v *stormVerdict, e *ledger.Event, ref *leadv1.ClockRef, what string, fired *timestamppb.Timestamp) {
	id, _ := lead.FromSubject(e.Subject)
	i := slices.IndexFunc(c.runs[id], func(r *clockRun) bool {
		return r.clock == ref.GetClock() && r.started.Equal(ref.GetStartedAt().AsTime())
	})
	if i < 0 {
		v.find("record %d: clock %s of %s says %s of a run that never was", e.Seq, ref.GetClock(), id, what)
		return
	}
	r, at := c.runs[id][i], fired.AsTime()
	due := r.started.Add(readings[r.clock][what])
	switch before, twice := r.said[what]; {
	case twice:
		v.find("record %d: clock %s of %s says %s twice, at %v and %v", e.Seq, r.clock, id, what, before, at)
	case !e.Occurred.Equal(due):
		v.find("record %d: clock %s of %s says %s dated %v; it was due at %v", e.Seq, r.clock, id, what, e.Occurred, due)
	case at.Before(due), e.Recorded.Before(due):
		v.find("record %d: clock %s of %s says %s at %v (recorded %v), before it was due at %v", e.Seq, r.clock, id, what, at, e.Recorded, due)
	case !r.stopped.IsZero() && r.stopped.Before(due):
		v.find("record %d: clock %s of %s says %s, due at %v, though it was stopped at %v", e.Seq, r.clock, id, what, due, r.stopped)
	}
	r.said[what] = at
	c.fired = append(c.fired, stormFired{due, at})
}

// missing are the readings that had to be said by an instant and were not. A run that
// was stopped late has run out all the same. Reminders and steps are said of a run
// that still runs: seen answers from when on somebody must have seen that one was due.
func (c *stormClocks) missing(end time.Time, seen func(due time.Time) (by time.Time, ok bool)) (out []string) {
	for _, runs := range c.runs {
		for _, r := range runs {
			for what, after := range readings[r.clock] {
				due := r.started.Add(after)
				over := end
				if what == "reminded" {
					over = r.started.Add(readings[r.clock]["breached"])
				}
				if !r.stopped.IsZero() && r.stopped.Before(over) {
					over = r.stopped
				}
				if what == "breached" {
					if over.Before(due) {
						continue
					}
				} else if by, ok := seen(due); !ok || !by.Before(over) {
					continue
				}
				if _, said := r.said[what]; !said {
					out = append(out, fmt.Sprintf("clock %s of %s, started %v, stopped %v, never says %s, due at %v", r.clock, r.lead, r.started, r.stopped, what, due))
				}
			}
		}
	}
	return out
}

// watchOfClocks is a time in which the program ran.
type watchOfClocks struct {
	// launched, ready, ended by the world's time, in which the program's clock was off.
	launched, ready, ended time.Time
	off                    time.Duration
	// right says that its clock was right, and that the log held nothing of later.
	right bool
}

// clockStorm is a storm in a world whose time goes on faster: while the program is
// dead, as much of it passes as the test likes.
type clockStorm struct {
	*storm
	rng *rand.Rand
	// skip is how far the world is ahead of the machine.
	skip    time.Duration
	watches []watchOfClocks

	mu  sync.Mutex
	due []time.Time
}

// now is the world's time.
func (c *clockStorm) now() time.Time { return time.Now().UTC().Add(c.skip) }

// hears notes the instants at which something will be due.
func (c *clockStorm) hears(e *leadv1.HistoryEntry) {
	which := map[string]string{"baton.lead.v1.LeadQualified": "take", "baton.lead.v1.OfferAccepted": "touch"}[e.GetType()]
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, after := range readings[which] {
		c.due = append(c.due, e.GetOccurredAt().AsTime().Add(after))
	}
}

// next is an instant at which something is due, after t: any of the next few.
func (c *clockStorm) next(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.due, time.Time.Compare)
	i, _ := slices.BinarySearchFunc(c.due, t, time.Time.Compare)
	if c.due = c.due[i:]; len(c.due) == 0 {
		return t
	}
	return c.due[c.rng.IntN(min(len(c.due), 100))]
}

// pass lets time go on to a moment before an instant: long enough for a start, as long
// as the last one took.
func (c *clockStorm) pass(at time.Time) {
	last := c.watches[len(c.watches)-1]
	c.skip += max(0, at.Sub(c.now())-last.ready.Sub(last.launched)-500*time.Millisecond)
}

// past lets time go on to where the log is.
func (c *clockStorm) past() {
	for _, w := range c.watches {
		c.skip += max(0, w.ended.Add(w.off+time.Second).Sub(c.now()))
	}
}

// run starts the program with its clock off by so much, when so much time has passed.
func (c *clockStorm) run(t *testing.T, off time.Duration) {
	t.Helper()
	w := watchOfClocks{launched: c.now(), off: off, right: off == 0}
	for _, before := range c.watches {
		w.right = w.right && !before.ended.Add(before.off).After(w.launched)
	}
	c.more = []string{"--off", (c.skip + off).String()}
	c.start(t)
	w.ready = c.now()
	c.watches = append(c.watches, w)
}

// end kills the program.
func (c *clockStorm) end(t *testing.T) {
	t.Helper()
	c.watches[len(c.watches)-1].ended = c.now()
	c.kill(t)
}

// slack is how long after its instant a clock may say that it was due: a second, or as
// long as the slowest start took where that is more. A start takes half a second; on a
// machine that is so busy that it takes longer, nothing is on time.
func (c *clockStorm) slack() time.Duration { return max(clockSlack, c.slowest()) }

// slowest is how long the slowest start took.
func (c *clockStorm) slowest() (d time.Duration) {
	for _, w := range c.watches {
		d = max(d, w.ready.Sub(w.launched))
	}
	return d
}

// seen answers by when somebody who looked at the right clock must have seen, and
// said, that something was due.
func (c *clockStorm) seen(due time.Time) (time.Time, bool) {
	for _, w := range c.watches {
		by := w.ready
		if due.After(by) {
			by = due
		}
		if by = by.Add(c.slack()); w.right && !by.After(w.ended) {
			return by, true
		}
	}
	return time.Time{}, false
}

// answers is one member, who takes their time, and speaks with some.
func (c *clockStorm) answers(ctx context.Context, n int, member string) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(300+n)))
	desk := routingv1.NewRoutingServiceClient(c.conn)
	outcomes := feedbackv1.NewFeedbackServiceClient(c.conn)
	record := func(req *feedbackv1.RecordOutcomeRequest) bool {
		return c.ask(ctx, func(ctx context.Context) error {
			_, err := outcomes.RecordOutcome(c.as(ctx, member), req)
			return err
		})
	}
	var own []string
	for ctx.Err() == nil {
		var id string
		select {
		case id = <-c.offered[member]:
		case <-ctx.Done():
			return
		}
		stormWait(ctx, time.Duration(rng.IntN(700))*time.Millisecond)
		if rng.IntN(5) == 0 {
			if c.ask(ctx, func(ctx context.Context) error {
				_, err := desk.Reject(c.as(ctx, member), &routingv1.RejectRequest{LeadId: id, Reason: []string{"no-time", "not-ready", "not-genuine"}[rng.IntN(3)], Note: "Said so on the phone."})
				return err
			}) {
				c.rejected.Add(1)
			}
			continue
		}
		if c.ask(ctx, func(ctx context.Context) error {
			_, err := desk.Accept(c.as(ctx, member), &routingv1.AcceptRequest{LeadId: id})
			return err
		}) {
			c.accepted.Add(1)
			own = append(own, id)
			if rng.IntN(3) == 0 {
				record(&feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: "touch-" + id, Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call"})
			}
		}
		for len(own) >= stormCapacity-1 {
			first := own[0]
			own = own[1:]
			if record(&feedbackv1.RecordOutcomeRequest{LeadId: first, IdempotencyKey: "close-" + first, Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Reason: "price"}) {
				c.closed.Add(1)
			}
		}
	}
}

// TestClocksInAKillStorm kills the program at random moments and around the very
// instants at which clocks are due, and starts it again later, now and then with its
// clock an hour ahead or an hour behind. Every reading is said once, none before it
// is due, none is lost; and where the program ran and its clock was right, within a
// second, as far as the machine has time for it.
//
//	BATON_STORM_KILLS  how often it is killed (5)
//	BATON_STORM_SEED   repeats the moments and what people do, though not the
//	                   machine's own order of things
func TestClocksInAKillStorm(t *testing.T) {
	kills := stormNumber(t, "BATON_STORM_KILLS", 5)
	seed := uint64(stormNumber(t, "BATON_STORM_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("%d kills, BATON_STORM_SEED=%d", kills, seed)
	binary, err := exec.LookPath(adrift)
	if err != nil {
		t.Fatal(err)
	}
	c := &clockStorm{storm: newStorm(t, seed, binary), rng: rand.New(rand.NewPCG(seed, 2))}
	c.storm.clocks, c.heard = stormClocked, c.hears
	c.run(t, 0)
	c.open(t)
	c.agree(t)
	c.hire(t)
	load, calm := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for n := range 2 {
		busy.Go(func() { c.send(load, n) })
	}
	busy.Go(func() { c.watch(load) })
	for i, member := range stormMembers {
		busy.Go(func() { c.answers(load, i, member) })
	}
	stormWait(t.Context(), 2*time.Second)
	began := time.Now()
	for n := range kills {
		c.end(t)
		// Behind what an hour ahead was written its clock is right and the log is ahead.
		off := []time.Duration{0, 0, time.Hour, 0, -time.Hour}[n%5]
		if n%5 < 2 {
			c.past()
		}
		// The next kill comes around an instant at which something is due, or at any.
		due := c.next(c.now())
		c.pass(due)
		c.run(t, off)
		moment := time.Duration(200+c.rng.IntN(2500)) * time.Millisecond
		if n%3 != 2 {
			moment = due.Sub(c.now()) + time.Duration(c.rng.IntN(100)-30)*time.Millisecond
		}
		stormWait(t.Context(), moment)
	}
	c.end(t)
	c.past()
	c.pass(c.next(c.now()))
	c.run(t, 0)
	stormWait(t.Context(), 2*time.Second)
	c.progress(t, kills)
	calm()
	busy.Wait()
	took := time.Since(began)
	// Where nothing else happens, nothing but the clock says that it is time.
	for range 2 {
		c.end(t)
		c.pass(c.next(c.now()))
		c.run(t, 0)
		stormWait(t.Context(), 1500*time.Millisecond+c.slack())
	}
	c.end(t)
	// More than enough time for everything that can still be due.
	c.skip += 10 * time.Minute
	c.run(t, 0)
	var last uint64
	calmSince := c.now()
	c.until(t, "has said all that was due", func() (bool, string) {
		at := c.settled(t)
		if at != last {
			last, calmSince = at, c.now()
		}
		return c.now().Sub(calmSince) > c.slack(), fmt.Sprintf("%d events", at)
	})
	c.settle(t)
	c.watches[len(c.watches)-1].ended = c.now()
	v := c.verify(t)
	c.stop(t)
	c.judge(t, v)
	t.Logf("%d kills in %.1f s; %d leads, %d decisions derived again, %d differ", c.killed, took.Seconds(), len(v.received), v.result.Decisions, v.result.Differ)
}

// settled is where the log stands.
func (c *clockStorm) settled(t *testing.T) uint64 {
	t.Helper()
	st, err := feedbackv1.NewReportServiceClient(c.conn).GetStatus(c.as(t.Context(), ""), &feedbackv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return st.GetLedgerSequence()
}

// judge holds what the clocks said against when the program ran.
func (c *clockStorm) judge(t *testing.T, v *stormVerdict) {
	t.Helper()
	for _, what := range v.clocks.missing(c.watches[len(c.watches)-1].ended, c.seen) {
		t.Error(what)
	}
	var prompt, after []time.Duration
	ahead, around := 0, 0
	for _, f := range v.clocks.fired {
		if by, ok := c.seen(f.due); ok && f.at.After(by) {
			t.Errorf("what was due at %v was said at %v; the program must have seen it by %v", f.due, f.at, by)
		}
		i := slices.IndexFunc(c.watches, func(w watchOfClocks) bool {
			return !f.at.Before(w.launched.Add(w.off)) && !f.at.After(w.ended.Add(w.off+clockSlack))
		})
		switch {
		case i < 0 || !c.watches[i].right:
			ahead++
		case f.due.Before(c.watches[i].ready):
			after = append(after, f.at.Sub(c.watches[i].launched))
		default:
			prompt = append(prompt, f.at.Sub(f.due))
		}
		if slices.ContainsFunc(c.watches, func(w watchOfClocks) bool { return w.off == 0 && w.ended.Sub(f.due).Abs() < 100*time.Millisecond }) {
			around++
		}
	}
	t.Logf("%d readings, each once: %d while the program ran and its clock was right, %s after they were due; %d that were due while it was dead, %s after it was started; %d by a clock an hour ahead, or while the log was; %d were due within 100 ms of a kill; the slowest start took %v",
		len(v.clocks.fired), len(prompt), spread(prompt), len(after), spread(after), ahead, around, c.slowest().Round(time.Millisecond))
	if len(prompt) < 10 || len(after) < 10 || ahead < 10 {
		t.Error("that is too little to show anything")
	}
}

// spread says how durations lie.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(of1000 int) time.Duration { return d[(len(d)-1)*of1000/1000].Round(100 * time.Microsecond) }
	return fmt.Sprintf("%v median, %v at 90 %%, %v at 99 %%, %v at most", at(500), at(900), at(990), at(1000))
}
