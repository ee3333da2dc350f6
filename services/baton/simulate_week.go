package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
)

// week is one play: the same people and leads under one agreement.
type week struct {
	*stage
	cfg    simulation
	agreed *agreement.Agreement
	// byTime finds a lead by when it came, in nanoseconds.
	byTime map[int64]int
	leads  map[string]*simTrack

	timedOut, reminded, escalated, declined int
	// asked and moved are what managers did who were told of a lead.
	asked, moved int
}

// simTrack is what became of one lead.
type simTrack struct {
	number             int
	received, answered time.Time
	handed             bool
	offers             int32
	// holder is to whom it is offered or whose it is.
	holder string
	// taken says that it is theirs, sits that they do nothing until somebody asks.
	taken, sits bool
	// calling says that the holder was told of a clock that ran out, and calls.
	calling bool
	// first is when each person was offered it first: whoever comes round to it late
	// does so although somebody else had it in between.
	first map[string]time.Time
}

func (w *week) progressed() string {
	answered := 0
	for _, t := range w.leads {
		if !t.answered.IsZero() {
			answered++
		}
	}
	return fmt.Sprintf("answered %d  ran out %d", answered, w.timedOut)
}

// begin adds the people, lets both parties sign, and puts the leads and the absences
// into the calendar.
func (w *week) begin(ctx context.Context, document []byte) error {
	people := routingv1.NewRoutingServiceClient(w.conn())
	add := func(handle string, roles ...string) error {
		added, err := people.AddMember(w.as(ctx, ""), &routingv1.AddMemberRequest{Member: handle, Roles: roles})
		if err != nil {
			return access.FaultOf(err)
		}
		w.tokens[handle] = added.GetToken()
		return nil
	}
	managers := managersOf(w.agreed)
	for _, handle := range managers {
		if w.person(handle) != nil {
			continue
		}
		if err := add(handle, access.Manager); err != nil {
			return err
		}
	}
	for _, p := range w.cfg.people {
		roles := []string{access.Sales, access.Qualifier}
		if slices.Contains(managers, p.handle) {
			roles = append(roles, access.Manager)
		}
		if err := add(p.handle, roles...); err != nil {
			return err
		}
		if p.awayFrom > 0 {
			for _, change := range []struct {
				day  int
				away bool
			}{{p.awayFrom - 1, true}, {p.awayUntil, false}} {
				w.at(w.cfg.start.AddDate(0, 0, change.day), func(ctx context.Context) error {
					_, err := people.SetAvailability(w.as(ctx, p.handle), &routingv1.SetAvailabilityRequest{Away: change.away, Reason: "leave"})
					return err
				})
			}
		}
	}
	if err := w.sign(ctx, document); err != nil {
		return err
	}
	for i, l := range w.cfg.leads {
		w.byTime[l.at.UnixNano()] = i
		w.deliver(l.at, l.delivery)
	}
	return nil
}

func (w *week) person(handle string) *simPerson {
	if i := slices.IndexFunc(w.cfg.people, func(p simPerson) bool { return p.handle == handle }); i >= 0 {
		return &w.cfg.people[i]
	}
	return nil
}

// eventOf reads an event off the stream.
func eventOf[M proto.Message](e *leadv1.HistoryEntry, into M) (M, error) {
	return into, protojson.Unmarshal([]byte(e.GetJson()), into)
}

// hears lets the people answer what they hear, each in their own way.
func (w *week) hears(e *leadv1.HistoryEntry) error {
	id := e.GetLeadId()
	if e.GetType() == "baton.lead.v1.LeadReceived" {
		got, err := eventOf(e, &leadv1.LeadReceived{})
		at := got.GetReceivedAt().AsTime()
		number, known := w.byTime[at.UnixNano()]
		if err == nil && known {
			w.leads[id] = &simTrack{number: number, received: at, first: map[string]time.Time{}}
		}
		return err
	}
	t := w.leads[id]
	if t == nil {
		return nil
	}
	switch strings.TrimPrefix(e.GetType(), "baton.lead.v1.") {
	case "LeadOffered":
		o, err := eventOf(e, &leadv1.LeadOffered{})
		if err != nil {
			return err
		}
		t.handed, t.offers, t.holder, t.taken, t.sits, t.calling = true, o.GetOffer(), o.GetMember(), false, false, false
		w.offered(id, t)
	case "LeadQueued":
		t.handed = true
	case "OfferAccepted":
		w.taken(id, t)
	case "OfferTimedOut":
		w.timedOut++
		t.holder = ""
	case "OfferRejected":
		w.declined++
		t.holder = ""
	case "LeadReassigned":
		// Whoever gets it is said next.
		t.holder, t.taken, t.sits = "", false, false
	case "OfferReminded":
		w.reminded++
		w.remind(id, t)
	case "ClockReminded":
		w.reminded++
		w.remind(id, t)
	case "ClockEscalated":
		w.escalated++
		said, err := eventOf(e, &leadv1.ClockEscalated{})
		if err != nil {
			return err
		}
		w.escalate(id, t, said)
	case "CallRecorded":
		if t.answered.IsZero() {
			t.answered = e.GetOccurredAt().AsTime()
		}
	}
	return nil
}

// offered is what a person does with an offer, and when.
func (w *week) offered(id string, t *simTrack) {
	p := w.person(t.holder)
	if p == nil {
		return
	}
	r := p.reacts(w.cfg.seed, t.number)
	if r.after < 0 {
		return
	}
	if t.first[p.handle].IsZero() {
		t.first[p.handle] = w.clock.Now()
	}
	at := t.first[p.handle].Add(r.after)
	if soonest := w.clock.Now().Add(2 * time.Minute); at.Before(soonest) {
		at = soonest
	}
	if r.declines {
		if reason := nextPerson(w.agreed); reason != "" {
			offer, member := t.offers, t.holder
			w.at(w.atWork(at), func(ctx context.Context) error {
				if t.offers != offer || t.holder != member {
					return nil
				}
				_, err := routingv1.NewRoutingServiceClient(w.conn()).Reject(w.as(ctx, member), &routingv1.RejectRequest{LeadId: id, Reason: reason})
				return err
			})
		}
		return
	}
	w.take(id, t, at)
}

// atWork is that moment, or the next at which people of the first calendar work: who
// sleeps takes nothing.
func (w *week) atWork(at time.Time) time.Time {
	pools := w.agreed.Pools()
	if calendar, ok := w.agreed.Calendar(pools[0].Calendar); ok && !calendar.OnDuty(at) {
		if next, ok := calendar.NextOnDuty(at); ok {
			return next.Add(at.Sub(at.Truncate(time.Hour)) / 4)
		}
	}
	return at
}

// take lets the holder accept, if the offer still stands by then.
func (w *week) take(id string, t *simTrack, at time.Time) {
	offer, member := t.offers, t.holder
	w.at(w.atWork(at), func(ctx context.Context) error {
		if t.offers != offer || t.holder != member {
			return nil
		}
		_, err := routingv1.NewRoutingServiceClient(w.conn()).Accept(w.as(ctx, member), &routingv1.AcceptRequest{LeadId: id})
		if f := access.FaultOf(err); err != nil && !strings.Contains(f.Error(), "the lead is") && !strings.Contains(f.Error(), "ran out") {
			return err
		}
		return nil
	})
}

// taken is what comes after somebody took a lead: a call, or nothing until they are
// asked.
func (w *week) taken(id string, t *simTrack) {
	p := w.person(t.holder)
	if p == nil {
		return
	}
	t.taken = true
	if t.sits = p.heeds(w.cfg.seed, t.number, "sits", p.sits); !t.sits {
		w.call(id, t, w.clock.Now().Add(3*time.Minute))
	}
}

// remind is what the holder does when a reminder comes: takes the offer, or calls on
// what they sit on.
func (w *week) remind(id string, t *simTrack) {
	p, soon := w.person(t.holder), w.clock.Now().Add(5*time.Minute)
	switch {
	case p == nil:
	case !t.taken && p.heeds(w.cfg.seed, t.number, "reminded", p.reminded):
		w.take(id, t, soon)
	case t.sits && p.heeds(w.cfg.seed, t.number, "reminded of a call", p.reminded):
		w.call(id, t, soon)
	}
}

// call lets the holder call the person behind the lead.
func (w *week) call(id string, t *simTrack, at time.Time) {
	member := t.holder
	w.at(w.atWork(at), func(ctx context.Context) error {
		if t.holder != member || !t.answered.IsZero() {
			return nil
		}
		_, err := qualificationv1.NewQualificationServiceClient(w.conn()).RecordCall(w.as(ctx, member), &qualificationv1.RecordCallRequest{LeadId: id, IdempotencyKey: "call-" + id})
		return err
	})
}

// simResult is what came of one play.
type simResult struct {
	simPlay
	leads, handed                       int
	upTo1h, from1hTo24h, over24h, never int
	mean, median, p90                   time.Duration
	// answered says whether any lead was, so that the times are known.
	answered                                bool
	offers                                  int
	timedOut, reminded, escalated, declined int
	asked, moved                            int
}

// result counts over the leads that were handed over to sales, from receipt to the
// first call, as the report on answer times does.
func (w *week) result() simResult {
	r := simResult{leads: len(w.leads), timedOut: w.timedOut, reminded: w.reminded, escalated: w.escalated, declined: w.declined, asked: w.asked, moved: w.moved}
	var times []time.Duration
	for _, t := range w.leads {
		if !t.handed {
			continue
		}
		r.handed++
		r.offers += int(t.offers)
		took := t.answered.Sub(t.received)
		switch {
		case t.answered.IsZero() || took > simHorizon:
			r.never++
			continue
		case took <= time.Hour:
			r.upTo1h++
		case took <= 24*time.Hour:
			r.from1hTo24h++
		default:
			r.over24h++
		}
		times = append(times, took)
	}
	if len(times) == 0 {
		return r
	}
	slices.Sort(times)
	var sum time.Duration
	for _, t := range times {
		sum += t / time.Duration(len(times))
	}
	n := len(times)
	r.answered, r.mean, r.median = true, sum, (times[(n-1)/2]+times[n/2])/2
	r.p90 = times[int(math.Ceil(0.9*float64(n)))-1]
	return r
}
