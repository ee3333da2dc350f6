package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
)

// playable is an agreement that the keys of the play sign. Without clocks, nothing in
// it runs out: who is offered a lead keeps it.
func playable(source []byte, marketing, sales ed25519.PublicKey, clocks bool) ([]byte, error) {
	var doc yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(source, &doc, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("the agreement is no YAML: %w", err)
	}
	inMapping(doc, "parties", func(party *yaml.MapItem) {
		key := marketing
		if party.Key == agreement.Sales {
			key = sales
		}
		if m, ok := party.Value.(yaml.MapSlice); ok {
			party.Value = with(m, "public_key", "ed25519:"+base64.StdEncoding.EncodeToString(key))
		}
	})
	// It is in force from the beginning of the play on.
	doc = without(doc, "in_force_from")
	if !clocks {
		doc = without(doc, "clocks")
		inList(doc, "pools", func(pool yaml.MapSlice) yaml.MapSlice {
			return with(without(pool, "remind_before", "fallback", "oversight"), "take_within", "400d")
		})
		for _, list := range []string{"signals", "overlays"} {
			inList(doc, list, func(one yaml.MapSlice) yaml.MapSlice { return without(one, "take_within") })
		}
	}
	return yaml.Marshal(doc)
}

// inMapping changes the entries of a mapping within a document.
func inMapping(doc yaml.MapSlice, key string, change func(*yaml.MapItem)) {
	for i := range doc {
		if m, ok := doc[i].Value.(yaml.MapSlice); ok && doc[i].Key == key {
			for j := range m {
				change(&m[j])
			}
		}
	}
}

// inList changes the mappings of a list within a document.
func inList(doc yaml.MapSlice, key string, change func(yaml.MapSlice) yaml.MapSlice) {
	for i := range doc {
		list, ok := doc[i].Value.([]any)
		if !ok || doc[i].Key != key {
			continue
		}
		for j := range list {
			if m, ok := list[j].(yaml.MapSlice); ok {
				list[j] = change(m)
			}
		}
	}
}

func without(m yaml.MapSlice, keys ...string) yaml.MapSlice {
	return slices.DeleteFunc(m, func(item yaml.MapItem) bool {
		name, _ := item.Key.(string)
		return slices.Contains(keys, name)
	})
}

func with(m yaml.MapSlice, key string, value any) yaml.MapSlice {
	return append(without(m, key), yaml.MapItem{Key: key, Value: value})
}

// week is one play: the same people and leads under one agreement.
type week struct {
	*stage
	cfg    simulation
	agreed *agreement.Agreement
	// byTime finds a lead by when it came, in nanoseconds.
	byTime map[int64]int
	leads  map[string]*simTrack

	timedOut, reminded, escalated, declined, moved int
}

// simTrack is what became of one lead.
type simTrack struct {
	number             int
	received, answered time.Time
	handed             bool
	offers             int32
	// holder is to whom it is offered or whose it is.
	holder string
	sits   bool
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
	for _, p := range w.cfg.people {
		added, err := people.AddMember(w.as(ctx, ""), &routingv1.AddMemberRequest{Member: p.handle, Roles: []string{access.Sales, access.Qualifier}})
		if err != nil {
			return access.FaultOf(err)
		}
		w.tokens[p.handle] = added.GetToken()
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
		t.handed, t.offers, t.holder = true, o.GetOffer(), o.GetMember()
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
		w.moved++
	case "OfferReminded":
		w.reminded++
		if p := w.person(t.holder); p != nil && p.heeds(w.cfg.seed, t.number, "reminded", p.reminded) {
			w.take(id, t, w.clock.Now().Add(5*time.Minute))
		}
	case "ClockEscalated":
		w.escalated++
		if p := w.person(t.holder); p != nil && t.sits && p.heeds(w.cfg.seed, t.number, "asked", p.asked) {
			w.call(id, t, w.clock.Now().Add(time.Hour))
		}
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
	if t.sits = p.heeds(w.cfg.seed, t.number, "sits", p.sits); !t.sits {
		w.call(id, t, w.clock.Now().Add(3*time.Minute))
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
	name                                string
	leads, handed                       int
	upTo1h, from1hTo24h, over24h, never int
	mean, median, p90                   time.Duration
	// answered says whether any lead was, so that the times are known.
	answered                                bool
	offers                                  int
	timedOut, reminded, escalated, declined int
}

// result counts over the leads that were handed over to sales, from receipt to the
// first call, as the report on answer times does.
func (w *week) result() simResult {
	r := simResult{leads: len(w.leads), timedOut: w.timedOut, reminded: w.reminded, escalated: w.escalated, declined: w.declined}
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

// simRow is one figure of both plays.
type simRow struct {
	name string
	text func(simResult) string
}

func writeSimulation(out io.Writer, cfg simulation, results []simResult) error {
	if cfg.format == formatJSON {
		return writeSimulationJSON(out, cfg, results)
	}
	share := func(n func(simResult) int) func(simResult) string {
		return func(r simResult) string {
			if r.handed == 0 {
				return "unknown"
			}
			return fmt.Sprintf("%s (%.0f %%)", grouped(int64(n(r))), 100*float64(n(r))/float64(r.handed))
		}
	}
	span := func(d func(simResult) time.Duration) func(simResult) string {
		return func(r simResult) string {
			if !r.answered {
				return "unknown"
			}
			return d(r).Round(time.Minute).String()[:len(d(r).Round(time.Minute).String())-2]
		}
	}
	count := func(n func(simResult) int) func(simResult) string {
		return func(r simResult) string { return grouped(int64(n(r))) }
	}
	rows := []simRow{
		{name: "leads", text: count(func(r simResult) int { return r.leads })},
		{name: "handed over to sales", text: count(func(r simResult) int { return r.handed })},
		{name: "called within 1 h", text: share(func(r simResult) int { return r.upTo1h })},
		{name: "called within 1 to 24 h", text: share(func(r simResult) int { return r.from1hTo24h })},
		{name: "called later", text: share(func(r simResult) int { return r.over24h })},
		{name: "never called", text: share(func(r simResult) int { return r.never })},
		{name: "mean", text: span(func(r simResult) time.Duration { return r.mean })},
		{name: "median", text: span(func(r simResult) time.Duration { return r.median })},
		{name: "nine of ten within", text: span(func(r simResult) time.Duration { return r.p90 })},
		{name: "offers", text: count(func(r simResult) int { return r.offers })},
		{name: "offers that ran out", text: count(func(r simResult) int { return r.timedOut })},
		{name: "declined", text: count(func(r simResult) int { return r.declined })},
		{name: "reminders", text: count(func(r simResult) int { return r.reminded })},
		{name: "escalations", text: count(func(r simResult) int { return r.escalated })},
	}
	t := table{head: []string{""}}
	for _, r := range results {
		t.head = append(t.head, strings.ToUpper(r.name))
	}
	for _, row := range rows {
		line := []string{row.name}
		for _, r := range results {
			line = append(line, row.text(r))
		}
		t.add(line...)
	}
	if err := t.write(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s from %s, seed %d. Times run from receipt to the first call by the clock on the wall, nights and\nweekends included; mean, median and nine of ten are of the leads called within 30 days. Both\ncolumns are the same leads and people, who do the same with the same lead.\n",
		counted(int64(cfg.days), "day", "days"), cfg.start.Format("Monday 2006-01-02"), cfg.seed)
	return err
}

func writeSimulationJSON(out io.Writer, cfg simulation, results []simResult) error {
	type side struct {
		Name          string   `json:"name"`
		Leads         int      `json:"leads"`
		HandedOver    int      `json:"handed_over"`
		UpTo1h        int      `json:"up_to_1h"`
		From1hTo24h   int      `json:"from_1h_to_24h"`
		Over24h       int      `json:"over_24h"`
		Never         int      `json:"never"`
		MeanSeconds   *float64 `json:"mean_seconds"`
		MedianSeconds *float64 `json:"median_seconds"`
		P90Seconds    *float64 `json:"p90_seconds"`
		Offers        int      `json:"offers"`
		TimedOut      int      `json:"timed_out"`
		Declined      int      `json:"declined"`
		Reminders     int      `json:"reminders"`
		Escalations   int      `json:"escalations"`
	}
	whole := struct {
		From  string `json:"from"`
		Days  int    `json:"days"`
		Seed  uint64 `json:"seed"`
		Plays []side `json:"plays"`
	}{cfg.start.Format(time.RFC3339), cfg.days, cfg.seed, nil}
	for _, r := range results {
		one := side{
			Name: r.name, Leads: r.leads, HandedOver: r.handed, UpTo1h: r.upTo1h, From1hTo24h: r.from1hTo24h, Over24h: r.over24h, Never: r.never,
			Offers: r.offers, TimedOut: r.timedOut, Declined: r.declined, Reminders: r.reminded, Escalations: r.escalated,
		}
		if r.answered {
			mean, median, p90 := r.mean.Seconds(), r.median.Seconds(), r.p90.Seconds()
			one.MeanSeconds, one.MedianSeconds, one.P90Seconds = &mean, &median, &p90
		}
		whole.Plays = append(whole.Plays, one)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(whole)
}
