package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

const clocksOfTests = `
clocks:
  - {id: take, title: Take, text: Take., department: sales, starts: [qualified, offered], stops: [accepted], pauses: [waiting], limit: 3h, remind_before: 1h, steps: [{after: 1h, tell: [owner, manager], text: Late.}, {after: 2h, tell: dan, text: Later.}]}
  - {id: touch, title: Touch, text: Touch., department: sales, starts: [accepted], stops: [touched, rejected], pauses: [away], limit: 5h, steps: [{after: 30m, tell: [owner], text: Late.}, {after: 1d, tell: [chloe], text: Later., at_once: true}]}
  - {id: follow, title: Follow, text: Follow., department: sales, starts: [accepted, worked], stops: [rejected], restarts_on_touch: true, time: clock, limit: 20h, pauses: [nurtured]}
one_owner: {window: 2d}
`

// timeline is a log in memory under a Clocks fold: each event is folded, and what
// is due is said and folded as well.
type timeline struct {
	t        tester
	now      time.Time
	register *agreement.Register
	// owns says that the register is folded here.
	owns   bool
	roster *Roster
	people *lead.People
	clocks *Clocks
	leads  map[string]*lead.State
	events []*ledger.Event
	seq    uint64
}

func newTimeline(t tester, more string) *timeline {
	tl := &timeline{t: t, now: monday, register: &agreement.Register{}, owns: true, roster: NewRoster(), people: lead.NewPeople(), leads: map[string]*lead.State{}}
	tl.clocks = NewClocks(NewTimes(tl.register, tl.roster, tl.people))
	doc := append(document(t, "manager: ana", "manager: ana\n    oversight: {look_every: 3d, next: dan}"), more...)
	tl.add("org.agreement.main", &agreementv1.AgreementProposed{Version: 1, Document: doc}, tl.now)
	tl.add("org.agreement.main", &agreementv1.AgreementSigned{Version: 1, InForceFrom: timestamppb.New(tl.now)}, tl.now)
	for _, who := range []string{"ana", "ben", "chloe", "dan"} {
		tl.add("org.member."+who, &routingv1.MemberAdded{Member: who}, tl.now)
	}
	return tl
}

func (tl *timeline) add(subject string, body proto.Message, occurred time.Time) *ledger.Event {
	tl.seq++
	e := &ledger.Event{Seq: tl.seq, ID: fmt.Sprint("e", tl.seq), Subject: subject, Body: body, Occurred: occurred, Recorded: tl.now}
	tl.events = append(tl.events, e)
	if id, ok := lead.FromSubject(subject); ok {
		if tl.leads[id] == nil {
			tl.leads[id] = &lead.State{ID: id}
		}
		tl.leads[id].Evolve(body, occurred, tl.now)
		tl.leads[id].Course.Named(e.ID)
	}
	if tl.owns {
		tl.register.Apply(e)
	}
	tl.roster.Apply(e)
	tl.people.Evolve(subject, e.Seq, e.Occurred, tl.now, body)
	tl.clocks.Apply(e)
	return e
}

func (tl *timeline) lead(id string) (*lead.State, error) {
	if s := tl.leads[id]; s != nil {
		return s, nil
	}
	return &lead.State{}, nil
}

// fire says all that is due now. It answers how much that was.
func (tl *timeline) fire() (n int) {
	for {
		items := tl.clocks.wake(tl.now, tl.lead)
		if len(items) == 0 {
			return n
		}
		drafts, err := tl.clocks.decide(tl.now, tl.lead, items)
		if err != nil || len(drafts) == 0 {
			tl.t.Fatalf("woken for %d items, and nothing is said: %v", len(items), err)
		}
		for _, d := range drafts {
			occurred := d.Occurred
			if occurred.IsZero() {
				occurred = tl.now
			}
			tl.add(d.Subject, d.Body, occurred)
			n++
		}
		if n > 1000 {
			tl.t.Fatalf("it does not end")
		}
	}
}

// next is when more falls due.
func (tl *timeline) next() time.Time { return tl.clocks.next(tl.now, tl.now) }

// run lets time pass, from one thing that falls due to the next.
func (tl *timeline) run(until time.Time) {
	for {
		next := tl.next()
		if next.IsZero() || next.After(until) {
			break
		}
		if next.After(tl.now) {
			tl.now = next
		}
		if tl.fire() == 0 {
			tl.t.Fatalf("at %v something is due, and nothing is said", tl.now)
		}
	}
	tl.now = until
}

// again is the same log, folded from scratch. A document is compiled once.
func (tl *timeline) again() *timeline {
	out := &timeline{t: tl.t, register: tl.register, roster: NewRoster(), people: lead.NewPeople(), leads: map[string]*lead.State{}}
	out.clocks = NewClocks(NewTimes(out.register, out.roster, out.people))
	for _, e := range tl.events {
		out.now = e.Recorded
		out.add(e.Subject, e.Body, e.Occurred)
	}
	out.now = tl.now
	return out
}

// What the fold has worked out event by event is what one look at the whole log
// gives: what is due next, what runs out first, and what there is to say. And no
// clock runs out without a word.
func TestClocksByEventAreClocksFromScratch(t *testing.T) {
	said := 0
	base := newTimeline(t, clocksOfTests)
	draws := 0
	rapid.Check(t, func(t *rapid.T) {
		draws++
		tl := base.again()
		tl.t = t
		ids := []string{"l1", "l2", "l3"}
		for i, id := range ids {
			tl.add(lead.SubjectOf(id), &leadv1.LeadReceived{ReceivedAt: timestamppb.New(tl.now), Features: &leadv1.Features{Employees: 50}}, tl.now)
			person := fmt.Sprint("p", i/2)
			tl.add(lead.SubjectOf(id), &leadv1.PersonAttached{PersonId: person}, tl.now)
			tl.add(lead.SubjectPerson+person, &personv1.LeadAttached{LeadId: id}, tl.now)
		}
		members := []string{"ana", "ben", "chloe", "dan"}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			tl.run(tl.now.Add(time.Duration(rapid.IntRange(1, 6*60).Draw(t, "minutes")) * time.Minute))
			who, id := rapid.SampledFrom(members).Draw(t, "who"), rapid.SampledFrom(ids).Draw(t, "lead")
			subject := lead.SubjectOf(id)
			at := tl.now
			what := rapid.IntRange(0, 15).Draw(t, "what")
			if tl.leads[id].Course.Closed() && what < 10 {
				// Nothing happens to what is over, but that something becomes known of it.
				what = 10
			}
			switch what {
			case 0, 1:
				tl.add(subject, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL}, at)
			case 2, 3:
				tl.add(subject, &leadv1.LeadOffered{Member: who, Pool: "inside-sales", Offer: 1}, at)
			case 4:
				tl.add(subject, &leadv1.LeadQueued{Pool: "inside-sales"}, at)
			case 5, 6, 7:
				tl.add(subject, &leadv1.OfferAccepted{Member: who, Offer: 1}, at)
			case 8:
				tl.add(subject, &leadv1.OfferRejected{Member: who, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON}, at)
			case 9:
				tl.add(subject, &leadv1.LeadNurtured{}, at)
			case 10, 11:
				// Known now, and it happened a while ago.
				at = at.Add(-time.Duration(rapid.IntRange(1, 12*60).Draw(t, "late")) * time.Minute)
				tl.add(subject, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: who}, at)
			case 12:
				tl.add("org.member."+who, &routingv1.AvailabilityChanged{Member: who, Away: true, Until: timestamppb.New(at.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "until")) * time.Minute))}, at)
			case 13:
				tl.add("org.member."+who, &routingv1.AvailabilityChanged{Member: who, Away: rapid.Bool().Draw(t, "away")}, at)
			case 14:
				tl.add("org.member."+who, &routingv1.MemberDeactivated{Member: who}, at)
			case 15:
				tl.add(subject, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Member: who}, at)
			}
			tl.fire()
			other := tl.again()
			if a, b := tl.next(), other.next(); !a.Equal(b) {
				t.Fatalf("due next at %v, from scratch at %v", a, b)
			}
			if diff := cmp.Diff(tl.clocks.running(tl.now, false, 10), other.clocks.running(tl.now, false, 10)); diff != "" {
				t.Fatalf("what runs (-by event +from scratch)\n%s", diff)
			}
			if left := other.fire(); left > 0 {
				t.Fatalf("from scratch %d more had to be said: %v", left, other.events[len(other.events)-1].Body)
			}
			for _, id := range ids {
				if late := tl.clocks.Overruns(id, &tl.leads[id].Course, tl.now); len(late) > 0 {
					t.Fatalf("past a limit without a word: %+v", late)
				}
			}
		}
		once := map[string]bool{}
		for _, e := range tl.events {
			var key string
			switch b := e.Body.(type) {
			case *leadv1.ClockReminded:
				key = "reminded " + b.GetClock().String()
			case *leadv1.ClockBreached:
				key = "breached " + b.GetClock().String()
			case *leadv1.ClockEscalated:
				key = fmt.Sprint("step ", b.GetStep(), b.GetClock())
			case *leadv1.ClockRestated:
				key = "restated " + b.GetBecause() + b.GetClock().String()
			default:
				continue
			}
			said++
			if e.Recorded.Before(e.Occurred) {
				t.Fatalf("%s of %s fired %v before it was due", key, e.Subject, e.Occurred.Sub(e.Recorded))
			}
			if once[e.Subject+key] {
				t.Fatalf("%s was said twice of %s", key, e.Subject)
			}
			once[e.Subject+key] = true
		}
	})
	if said < 100 && draws >= 100 {
		t.Errorf("only %d things were said", said)
	}
}

// A step waits for somebody of its own who is on duty, each by their own calendar and
// leave; who is gone for good, or for nobody knows how long, is passed over with the
// time of their step.
func TestStepsFindSomebody(t *testing.T) {
	friday := monday.AddDate(0, 0, 4) // Friday noon.
	escalated := func(tl *timeline) (out []string) {
		for _, e := range tl.events {
			if b, ok := e.Body.(*leadv1.ClockEscalated); ok {
				out = append(out, fmt.Sprintf("step %d due %s said %s to %v", b.GetStep(), b.GetDueAt().AsTime().Format("Mon 15:04"), e.Occurred.Format("Mon 15:04"), b.GetTell()))
			}
		}
		return out
	}
	for name, test := range map[string]struct {
		clock string
		first func(tl *timeline)
		want  []string
	}{
		"on duty": {"steps: [{after: 1h, tell: [owner, dan], text: X.}]", nil, []string{"step 1 due Fri 14:00 said Fri 14:00 to [ben dan]"}},
		"held over the weekend": {
			"steps: [{after: 10h, tell: [owner], text: X.}, {after: 2h, tell: dan, text: Y., at_once: true}]", nil,
			// The second does not wait for the first.
			[]string{"step 2 due Sat 01:00 said Sat 01:00 to [dan]", "step 1 due Fri 23:00 said Mon 09:00 to [ben]"},
		},
		"one of them is on leave": {
			"steps: [{after: 1h, tell: [owner, dan], text: X.}]",
			func(tl *timeline) {
				tl.add("org.member.ben", &routingv1.AvailabilityChanged{Member: "ben", Away: true, Until: timestamppb.New(friday.Add(72 * time.Hour))}, tl.now)
			},
			[]string{"step 1 due Fri 14:00 said Fri 14:00 to [dan]"},
		},
		"held until leave ends": {
			"steps: [{after: 1h, tell: [owner], text: X.}]",
			func(tl *timeline) {
				tl.add("org.member.ben", &routingv1.AvailabilityChanged{Member: "ben", Away: true, Until: timestamppb.New(friday.Add(72 * time.Hour))}, tl.now)
			},
			[]string{"step 1 due Fri 14:00 said Mon 12:00 to [ben]"},
		},
		"passed over with its time": {
			"steps: [{after: 1h, tell: [owner], text: X.}, {after: 2h, tell: dan, text: Y.}]",
			func(tl *timeline) { tl.add("org.member.ben", &routingv1.MemberDeactivated{Member: "ben"}, tl.now) },
			[]string{"step 2 due Fri 15:00 said Fri 15:00 to [dan]"},
		},
		"away until nobody knows": {
			"steps: [{after: 1h, tell: [owner], text: X.}, {after: 2h, tell: dan, text: Y.}]",
			func(tl *timeline) {
				tl.add("org.member.ben", &routingv1.AvailabilityChanged{Member: "ben", Away: true}, tl.now)
			},
			[]string{"step 2 due Fri 15:00 said Fri 15:00 to [dan]"},
		},
		"by their own calendar": {
			"steps: [{after: 1h, tell: [dan], text: X.}]", func(tl *timeline) {},
			[]string{"step 1 due Fri 14:00 said Fri 14:00 to [dan]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tl := newTimeline(t, "\nclocks:\n  - {id: touch, title: T, text: T., department: sales, starts: accepted, stops: touched, time: clock, limit: 1h, "+test.clock+"}\n")
			tl.now = friday
			tl.add(lead.SubjectOf("l1"), &leadv1.LeadReceived{ReceivedAt: timestamppb.New(friday)}, friday)
			tl.add(lead.SubjectOf("l1"), &leadv1.LeadOffered{Member: "ben", Pool: "inside-sales", Offer: 1}, friday)
			tl.add(lead.SubjectOf("l1"), &leadv1.OfferAccepted{Member: "ben", Offer: 1}, friday)
			if test.first != nil {
				test.first(tl)
			}
			tl.run(friday.Add(5 * 24 * time.Hour))
			if diff := cmp.Diff(test.want, escalated(tl)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What was said wrongly is found: derived again from the same log, each difference is
// named.
func TestClocksAreDerivedAgain(t *testing.T) {
	tl := newTimeline(t, clocksOfTests)
	tl.add(lead.SubjectOf("l1"), &leadv1.LeadReceived{ReceivedAt: timestamppb.New(tl.now)}, tl.now)
	tl.add(lead.SubjectOf("l1"), &leadv1.LeadQualified{}, tl.now)
	tl.add(lead.SubjectOf("l1"), &leadv1.LeadOffered{Member: "ben", Pool: "inside-sales", Offer: 1}, tl.now)
	tl.now = tl.next()
	for tl.fire() > 0 {
		tl.now = tl.next()
		if tl.now.Equal(monday.Add(3 * time.Hour)) {
			break
		}
	}
	drafts, err := tl.clocks.decide(tl.now, tl.lead, tl.clocks.wake(tl.now, tl.lead))
	if err != nil || len(drafts) != 1 {
		t.Fatalf("%d drafts, %v", len(drafts), err)
	}
	good := &ledger.Event{Seq: 100, Subject: drafts[0].Subject, Body: drafts[0].Body, Occurred: drafts[0].Occurred, Recorded: tl.now, Logic: ClockLogic}
	state := func(id string) *lead.State { s, _ := tl.lead(id); return s }
	for name, test := range map[string]struct {
		change func(e *ledger.Event)
		want   string
	}{
		"as it was":       {func(*ledger.Event) {}, ""},
		"another logic":   {func(e *ledger.Event) { e.Logic = "clocks/9" }, `the logic "clocks/9" is not one that this version of Baton can run`},
		"another limit":   {func(e *ledger.Event) { e.Body.(*leadv1.ClockBreached).Limit.Seconds++ }, "it differs from what the log gives in: limit"},
		"another instant": {func(e *ledger.Event) { e.Occurred = e.Occurred.Add(time.Second) }, "it is not dated at the instant that was due"},
		"too early": {func(e *ledger.Event) {
			e.Recorded = e.Recorded.Add(-time.Second)
		}, "nothing was due"},
		"of another lead": {func(e *ledger.Event) { e.Subject = lead.SubjectOf("l2") }, "nothing was due"},
	} {
		t.Run(name, func(t *testing.T) {
			e := *good
			e.Body = proto.Clone(good.Body)
			test.change(&e)
			got := RederiveClocks(tl.clocks.Times, state, []*ledger.Event{&e})
			want := map[uint64]string{}
			if test.want != "" {
				want[100] = test.want
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	// What was due and not said is a difference of what was said with it.
	tl.now = monday.Add(30 * time.Hour)
	drafts, err = tl.clocks.decide(tl.now, tl.lead, tl.clocks.wake(tl.now, tl.lead))
	if err != nil || len(drafts) < 2 {
		t.Fatalf("%d drafts, %v", len(drafts), err)
	}
	one := &ledger.Event{Seq: 101, Subject: drafts[0].Subject, Body: drafts[0].Body, Occurred: drafts[0].Occurred, Recorded: tl.now, Logic: ClockLogic}
	if got := RederiveClocks(tl.clocks.Times, state, []*ledger.Event{one})[101]; got != fmt.Sprintf("%d more were due then and were not said", len(drafts)-1) {
		t.Errorf("got %q", got)
	}
}

// Leave from a date on, taken back, and one that follows another.
func TestAbsences(t *testing.T) {
	at := func(hours int) time.Time { return monday.Add(time.Duration(hours) * time.Hour) }
	stamp := func(hours int) *timestamppb.Timestamp { return timestamppb.New(at(hours)) }
	type change struct {
		at   int
		body *routingv1.AvailabilityChanged
	}
	for name, test := range map[string]struct {
		changes []change
		want    [][2]int // -1 = no end
	}{
		"away and back":              {[]change{{0, &routingv1.AvailabilityChanged{Away: true}}, {5, &routingv1.AvailabilityChanged{}}}, [][2]int{{0, 5}}},
		"away until":                 {[]change{{0, &routingv1.AvailabilityChanged{Away: true, Until: stamp(9)}}}, [][2]int{{0, 9}}},
		"back before it ends":        {[]change{{0, &routingv1.AvailabilityChanged{Away: true, Until: stamp(9)}}, {5, &routingv1.AvailabilityChanged{}}}, [][2]int{{0, 5}}},
		"nobody knows":               {[]change{{3, &routingv1.AvailabilityChanged{Away: true}}}, [][2]int{{3, -1}}},
		"ahead":                      {[]change{{0, &routingv1.AvailabilityChanged{Away: true, From: stamp(20), Until: stamp(40)}}}, [][2]int{{20, 40}}},
		"ahead, and taken back":      {[]change{{0, &routingv1.AvailabilityChanged{Away: true, From: stamp(20), Until: stamp(40)}}, {1, &routingv1.AvailabilityChanged{LeaveId: "e0"}}}, nil},
		"ahead, and back from today": {[]change{{0, &routingv1.AvailabilityChanged{Away: true}}, {0, &routingv1.AvailabilityChanged{Away: true, From: stamp(20), Until: stamp(40)}}, {5, &routingv1.AvailabilityChanged{}}}, [][2]int{{0, 5}, {20, 40}}},
		"one into the other":         {[]change{{0, &routingv1.AvailabilityChanged{Away: true, From: stamp(20), Until: stamp(40)}}, {1, &routingv1.AvailabilityChanged{Away: true, Until: stamp(30)}}}, [][2]int{{1, 40}}},
		"said again":                 {[]change{{0, &routingv1.AvailabilityChanged{Away: true, Until: stamp(30)}}, {2, &routingv1.AvailabilityChanged{Away: true, Until: stamp(10)}}}, [][2]int{{0, 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRoster()
			r.Apply(&ledger.Event{Body: &routingv1.MemberAdded{Member: "ana"}})
			for i, c := range test.changes {
				if c.body.Member = "ana"; c.body.GetAway() {
					c.body.LeaveId = fmt.Sprint("e", i)
				}
				r.Apply(&ledger.Event{Body: c.body, Occurred: at(c.at)})
			}
			var want []agreement.Span
			for _, w := range test.want {
				s := agreement.Span{From: at(w[0])}
				if w[1] >= 0 {
					s.To = at(w[1])
				}
				want = append(want, s)
			}
			if diff := cmp.Diff(want, r.Away("ana")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// An event costs what its own lead costs, however many leads there are.
func BenchmarkClocksPerEvent(b *testing.B) {
	for _, leads := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(leads), func(b *testing.B) {
			tl := newTimeline(b, clocksOfTests)
			for i := range leads {
				id := fmt.Sprint("l", i)
				for _, body := range []proto.Message{&leadv1.LeadReceived{ReceivedAt: timestamppb.New(tl.now)}, &leadv1.LeadQualified{}, &leadv1.LeadOffered{Member: "ben", Pool: "inside-sales", Offer: 1}} {
					tl.add(lead.SubjectOf(id), body, tl.now.Add(time.Duration(i)*time.Millisecond))
				}
			}
			tl.next()
			events := slices.Clip(tl.events)
			i := 0
			for b.Loop() {
				id := fmt.Sprint("l", i%leads)
				i++
				tl.seq++
				tl.clocks.Apply(&ledger.Event{Seq: tl.seq, Subject: lead.SubjectOf(id), Body: &leadv1.LeadQueued{Pool: "inside-sales"}, Occurred: tl.now, Recorded: tl.now})
				tl.next()
			}
			tl.events = events
		})
	}
}

// A manager who does not look is reported once, however long it lasts and however
// much runs out, and again only after they looked.
func TestOversightIsSaidOnce(t *testing.T) {
	tl := newTimeline(t, clocksOfTests)
	heard := func() (n int) {
		for _, e := range tl.events {
			if _, ok := e.Body.(*routingv1.OversightEscalated); ok {
				n++
			}
		}
		return n
	}
	left := func(id string) {
		tl.add(lead.SubjectOf(id), &leadv1.LeadReceived{ReceivedAt: timestamppb.New(tl.now)}, tl.now)
		tl.add(lead.SubjectOf(id), &leadv1.LeadQualified{}, tl.now)
		tl.add(lead.SubjectOf(id), &leadv1.LeadOffered{Member: "ben", Pool: "inside-sales", Offer: 1}, tl.now)
	}
	for i, want := range []int{1, 1, 1} {
		left(fmt.Sprint("l", i))
		tl.run(tl.now.Add(5 * 24 * time.Hour))
		if got := heard(); got != want {
			t.Fatalf("%d escalations after %d leads, want %d", got, i+1, want)
		}
	}
	tl.add("org.pool.inside-sales", &routingv1.PoolLooked{Pool: "inside-sales", Member: "ana"}, tl.now)
	tl.run(tl.now.Add(5 * 24 * time.Hour))
	if got := heard(); got != 1 {
		t.Fatalf("%d escalations, though nothing ran out since they looked", got)
	}
	left("l9")
	tl.run(tl.now.Add(5 * 24 * time.Hour))
	if got := heard(); got != 2 {
		t.Fatalf("%d escalations, want another one", got)
	}
}
