package feedback

import (
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Judge answers the stage to which a version of the agreement brings a lead, by what is
// known of it at an instant and the calls until then: qualification's own decision.
type Judge func(rules *agreement.Agreement, version int64, f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage

// Aim is a target with what its words mean.
type Aim struct {
	*feedbackv1.Target
	// Rules are the version of the agreement that it names, Segment its condition.
	Rules   *agreement.Agreement
	Segment *agreement.Segment
}

// Count is the fold of the log into what became of a quarter's targets: one pass, and
// the same for the same prefix of the log.
//
// A lead is delivered by its first offer ever, and counts in the quarter in which that
// happened. It is judged by what was known of it when it reached a stage, and for
// everything else when it was handed over; where nobody was ever offered it, when it
// happened. When something happened counts, not when it became known.
type Count struct {
	aims     []Aim
	judge    Judge
	from, to time.Time

	leads map[string]*countedLead
	// placed says who came to which team, in the order in which it became known.
	placed map[string][]placement
	hits   []hit
}

// countedLead is what a count keeps of a lead. It is small, because there can be very
// many.
type countedLead struct {
	features *leadv1.Features
	journey  []lead.Arrival
	calls    []*leadv1.CallRecorded
	stage    leadv1.Stage
	// handed is how it stood when it was first offered; nil = it was not.
	handed        *handed
	accepted, won bool
}

// snapshot is what was known of a lead at an instant.
type snapshot struct {
	facts agreement.Facts
	calls []*leadv1.CallRecorded
	// judged are the stages to which versions bring it, as far as somebody asked.
	judged []judged
}

type judged struct {
	version int64
	stage   leadv1.Stage
}

// handed is the first offer of a lead.
type handed struct {
	*snapshot
	at, takeBy time.Time
	offer      int32
	member     string
	// aims are those that it is a delivery of.
	aims []int
	// notices are the messages that told the person of it.
	notices           []string
	reached, accepted bool
}

type placement struct {
	at   time.Time
	team string
}

// column is what a hit counts for.
type column int

const (
	columnOffers column = iota
	columnDelivered
	columnMet
	columnReached
	columnAccepted
	columnResult
)

// hit is something that counts for a target.
type hit struct {
	aim    int
	column column
	at     time.Time
	member string
	amount int64
}

// NewCount counts a quarter from its first instant to before the first one after it.
func NewCount(aims []Aim, from, to time.Time, judge Judge) *Count {
	return &Count{aims: aims, judge: judge, from: from, to: to, leads: map[string]*countedLead{}, placed: map[string][]placement{}}
}

// typesCounted are the types of the events that a count reads, besides LeadReceived and
// MemberPlaced.
var typesCounted = map[string]bool{
	ledger.TypeOf(&leadv1.LeadRefused{}):       true,
	ledger.TypeOf(&leadv1.SubmissionRevised{}): true,
	ledger.TypeOf(&leadv1.LeadRemapped{}):      true,
	ledger.TypeOf(&leadv1.TouchAdded{}):        true,
	ledger.TypeOf(&leadv1.CallRecorded{}):      true,
	ledger.TypeOf(&leadv1.LeadQualified{}):     true,
	ledger.TypeOf(&leadv1.LeadOffered{}):       true,
	ledger.TypeOf(&leadv1.OfferAccepted{}):     true,
	ledger.TypeOf(&leadv1.OutcomeRecorded{}):   true,
	ledger.TypeOf(&leadv1.NoticeQueued{}):      true,
	ledger.TypeOf(&leadv1.NoticeSent{}):        true,
	ledger.TypeOf(&leadv1.NoticeOpened{}):      true,
}

var (
	typeReceived = ledger.TypeOf(&leadv1.LeadReceived{})
	typePlaced   = ledger.TypeOf(&routingv1.MemberPlaced{})
)

// Reads says whether an event of a subject, by its type, can count for something: what
// cannot need not be decoded.
func (c *Count) Reads(subject, kind string) bool {
	if kind == typeReceived || kind == typePlaced {
		return true
	}
	id, ok := lead.FromSubject(subject)
	return ok && typesCounted[kind] && c.leads[id] != nil
}

// Apply folds one event; they come in the order of the log.
func (c *Count) Apply(e *ledger.Event) {
	if body, ok := e.Body.(*routingv1.MemberPlaced); ok {
		c.placed[body.GetMember()] = append(c.placed[body.GetMember()], placement{e.Occurred, body.GetTeam()})
		return
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	if body, ok := e.Body.(*leadv1.LeadReceived); ok {
		if !body.GetHistorical() {
			c.leads[id] = &countedLead{features: body.GetFeatures(), stage: leadv1.Stage_STAGE_LEAD}
		}
		return
	}
	l := c.leads[id]
	if l == nil {
		return
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadRefused:
		delete(c.leads, id)
	case *leadv1.CallRecorded:
		l.calls = append(l.calls, body)
	case *leadv1.LeadQualified:
		c.qualified(l, body, e)
	case *leadv1.LeadOffered:
		c.offered(l, body, e)
	case *leadv1.OfferAccepted:
		c.acceptedOffer(l, body, e)
	case *leadv1.OutcomeRecorded:
		if body.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_WON && !l.won {
			l.won = true
			c.wonDeal(l, body, e)
		}
	case *leadv1.NoticeQueued:
		if h := l.handed; h != nil && len(h.aims) > 0 && body.GetOffer() == h.offer && body.GetMember() == h.member {
			h.notices = append(h.notices, body.GetNoticeId())
		}
	case *leadv1.NoticeSent:
		if body.GetDelivered() {
			c.told(l, body.GetNoticeId())
		}
	case *leadv1.NoticeOpened:
		c.told(l, body.GetNoticeId())
	case *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded:
		// What the lead's own fold makes of it.
		s := lead.State{State: leadv1.State_STATE_RECEIVED, Features: l.features, Journey: l.journey, Came: int64(len(l.journey))}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		l.features, l.journey = s.Features, s.Journey
	}
}

func (c *Count) within(t time.Time) bool { return !t.Before(c.from) && t.Before(c.to) }

func (c *Count) hit(aim int, what column, at time.Time, member string, amount int64) {
	c.hits = append(c.hits, hit{aim, what, at, member, amount})
}

// known is what is known of a lead now, at an event.
func (l *countedLead) known(e *ledger.Event) *snapshot {
	return &snapshot{facts: agreement.Facts{Features: l.features, Touches: slices.Clip(l.journey), Now: e.Recorded}, calls: slices.Clip(l.calls)}
}

// asHanded is what was known of a lead when it was handed over; if it was not, at the
// event.
func (l *countedLead) asHanded(e *ledger.Event) *snapshot {
	if l.handed != nil {
		return l.handed.snapshot
	}
	return l.known(e)
}

// means says whether a target is about such a lead.
func (a *Aim) means(s *snapshot) bool { return a.Segment.Holds(s.facts) }

// meets says whether a lead meets the definition that a target names.
func (c *Count) meets(a *Aim, s *snapshot) bool {
	i := slices.IndexFunc(s.judged, func(j judged) bool { return j.version == a.GetDefinition() })
	if i < 0 {
		i = len(s.judged)
		s.judged = append(s.judged, judged{a.GetDefinition(), c.judge(a.Rules, a.GetDefinition(), s.facts, s.calls)})
	}
	return s.judged[i].stage >= stageOf(a.GetOutcome())
}

// reach counts what a target is about.
func (c *Count) reach(outcome feedbackv1.TargetOutcome, s *snapshot, at time.Time, member string, amount func(*Aim) int64) {
	if !c.within(at) {
		return
	}
	for i := range c.aims {
		if a := &c.aims[i]; a.GetOutcome() == outcome && a.means(s) && c.meets(a, s) {
			c.hit(i, columnResult, at, member, amount(a))
		}
	}
}

func eachLead(*Aim) int64 { return 1 }

// stages are the outcomes that are stages.
var stages = map[leadv1.Stage]feedbackv1.TargetOutcome{
	leadv1.Stage_STAGE_MQL: feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL,
	leadv1.Stage_STAGE_SAL: feedbackv1.TargetOutcome_TARGET_OUTCOME_SAL,
	leadv1.Stage_STAGE_SQL: feedbackv1.TargetOutcome_TARGET_OUTCOME_SQL,
}

func (c *Count) qualified(l *countedLead, body *leadv1.LeadQualified, e *ledger.Event) {
	caller := ""
	for _, call := range l.calls {
		if body.GetCallId() != "" && call.GetCallId() == body.GetCallId() {
			caller = call.GetMember()
		}
	}
	now := l.known(e)
	for ; l.stage < body.GetStage(); l.stage++ {
		c.reach(stages[l.stage+1], now, e.Occurred, caller, eachLead)
	}
}

func (c *Count) offered(l *countedLead, body *leadv1.LeadOffered, e *ledger.Event) {
	first := l.handed == nil
	now := l.known(e)
	if first {
		l.handed = &handed{snapshot: now, at: e.Occurred, takeBy: body.GetTakeBy().AsTime(), offer: body.GetOffer(), member: body.GetMember()}
	}
	if !c.within(e.Occurred) {
		return
	}
	for i := range c.aims {
		a := &c.aims[i]
		if !a.means(now) {
			continue
		}
		c.hit(i, columnOffers, e.Occurred, body.GetMember(), 1)
		if !first {
			continue
		}
		l.handed.aims = append(l.handed.aims, i)
		c.hit(i, columnDelivered, e.Occurred, body.GetMember(), 1)
		if c.meets(a, now) {
			c.hit(i, columnMet, e.Occurred, body.GetMember(), 1)
		}
	}
}

// ofHandoff counts something for the targets that a lead was delivered for, beside its
// delivery.
func (c *Count) ofHandoff(h *handed, what column) {
	for _, i := range h.aims {
		c.hit(i, what, h.at, h.member, 1)
	}
}

func (c *Count) told(l *countedLead, notice string) {
	if h := l.handed; h != nil && slices.Contains(h.notices, notice) && !h.reached {
		h.reached = true
		c.ofHandoff(h, columnReached)
	}
}

func (c *Count) acceptedOffer(l *countedLead, body *leadv1.OfferAccepted, e *ledger.Event) {
	if h := l.handed; h != nil && body.GetOffer() == h.offer && e.Occurred.Before(h.takeBy) && !h.accepted {
		h.accepted = true
		c.ofHandoff(h, columnAccepted)
	}
	if !l.accepted {
		l.accepted = true
		c.reach(feedbackv1.TargetOutcome_TARGET_OUTCOME_ACCEPTED, l.asHanded(e), e.Occurred, body.GetMember(), eachLead)
	}
}

func (c *Count) wonDeal(l *countedLead, body *leadv1.OutcomeRecorded, e *ledger.Event) {
	s := l.asHanded(e)
	c.reach(feedbackv1.TargetOutcome_TARGET_OUTCOME_WON, s, e.Occurred, body.GetMember(), eachLead)
	c.reach(feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE, s, e.Occurred, body.GetMember(), func(a *Aim) int64 {
		if body.GetCurrency() != a.GetCurrency() {
			return 0
		}
		return body.GetValueMinor()
	})
}

// Results are what became of the targets so far, in their order.
func (c *Count) Results() []*feedbackv1.TargetResult {
	out := make([]*feedbackv1.TargetResult, len(c.aims))
	for i := range c.aims {
		row := &feedbackv1.TargetRow{Result: &feedbackv1.TargetResult{TargetId: c.aims[i].GetTargetId(), Agreed: c.aims[i].GetCount()}}
		for _, h := range c.hits {
			if h.aim == i {
				h.into(row)
			}
		}
		out[i] = row.GetResult()
		out[i].Missed = out[i].GetResult() < out[i].GetAgreed()
	}
	return out
}

// into adds a hit to a row.
func (h *hit) into(row *feedbackv1.TargetRow) {
	switch r := row.GetResult(); h.column {
	case columnOffers:
		row.Offers += h.amount
	case columnDelivered:
		r.Delivered += h.amount
	case columnMet:
		r.MetDefinition += h.amount
	case columnReached:
		r.Reached += h.amount
	case columnAccepted:
		r.AcceptedInTime += h.amount
	case columnResult:
		r.Result += h.amount
	}
}
