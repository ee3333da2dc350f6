package report

import (
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Outcomes of an assignment.
const (
	outcomeStanding  = "standing"
	outcomeAccepted  = "accepted"
	outcomeRejected  = "rejected"
	outcomeTimedOut  = "timed-out"
	outcomeWithdrawn = "withdrawn" // ended without the member's doing
	outcomeStated    = "stated"    // an owner that imported history states
)

// leadRow is one lead as the read model keeps it: the part of lead.State that
// reports and lists need, folded by lead.State itself, and the instants at
// which it first got somewhere.
type leadRow struct {
	s lead.State

	country, industry, role, product, language, wish string
	employees                                        int64
	utmSource, utmMedium, campaign                   string

	// definition is the agreement version that first qualified the lead, decidedBy
	// the one that first decided it, whatever it decided.
	definition, decidedBy             int64
	decidedAt, returnedAt             time.Time
	nurtureText                       string
	nurtureDue                        time.Time
	refusedReason                     string
	refusedAt, mqlAt, salAt, sqlAt    time.Time
	offeredAt, acceptedAt, rejectedAt time.Time
	wonAt, lostAt                     time.Time
	points, pointsNeeded              int64
	firstSequence, lastSequence       uint64
	lastRecordedAt                    time.Time
	assignment                        *assignmentRow // the active one

	purpose, landing, dealStage  string
	nurturedAt, toldAt, inTimeAt time.Time
	takeBy                       time.Time // of the standing offer
	// stoodAt is the latest instant from which it is known how the lead stood.
	stoodAt time.Time
}

type historyRow struct {
	leadID               string
	sequence             uint64
	occurredAt, recorded time.Time
	event                string
	standing             standing
	reason               string
}

type assignmentRow struct {
	leadID                                 string
	sequence                               uint64
	offer                                  int64
	member, pool, group, rule, turn        string
	agreement                              int64
	outcome, reason                        string
	offeredAt, takeBy, endedAt, releasedAt time.Time
	active                                 bool
	// How good the lead was when it was offered, and who was there.
	stage                leadv1.Stage
	points, pointsNeeded int64
	setID, chosenBy      string
	declined             bool
}

type duplicateRow struct {
	leadID     string
	sequence   uint64
	occurredAt time.Time
	kind       string
}

// standing is how a lead stands; a row of history is written when it changes.
type standing struct {
	state                                      leadv1.State
	stage                                      leadv1.Stage
	definition                                 int64
	persona, pool, owner, offeredTo, blockedBy string
}

func (r *leadRow) standing() standing {
	return standing{
		state: r.s.State, stage: r.s.Stage, definition: r.definition, persona: r.s.Persona,
		pool: r.s.Pool, owner: r.s.Owner, offeredTo: r.s.OfferedTo, blockedBy: r.s.BlockedBy,
	}
}

// changes is what a batch of events makes of the tables.
type changes struct {
	leads       map[string]*leadRow
	order       []*leadRow // leads in the order of their first event in the batch
	history     []*historyRow
	assignments []*assignmentRow
	touched     map[*assignmentRow]bool
	duplicates  []*duplicateRow
	turns       []*turnRow
	adjustments []*adjustmentRow
	touches     []*touchRow
	rejections  []*rejectionRow
	feedback    []*feedbackRow
	singles     []single
	standings   []*stoodRow
	stoodAt     map[standingKey]*stoodRow
	courses     []*courseRow
	courseOf    map[string]*courseRow
	sets        []*setRow
	known       map[string]bool // sets that are stored, by their ids
	last        map[string]*lastSeats
	changed     []*lastSeats // those of them that the tables do not have yet
}

func newChanges(known map[string]bool, last map[string]*lastSeats) *changes {
	return &changes{leads: map[string]*leadRow{}, courseOf: map[string]*courseRow{}, touched: map[*assignmentRow]bool{}, stoodAt: map[standingKey]*stoodRow{}, known: known, last: last}
}

func (c *changes) keep(a *assignmentRow) {
	if !c.touched[a] {
		c.touched[a] = true
		c.assignments = append(c.assignments, a)
	}
}

// fold takes one event of the lead in.
func (r *leadRow) fold(e *ledger.Event, c *changes) {
	before := r.standing()
	r.takeBy = r.s.TakeBy
	r.s.Evolve(e.Body, e.Occurred, e.Recorded)
	if r.firstSequence == 0 {
		r.firstSequence = e.Seq
	}
	r.lastSequence, r.lastRecordedAt = e.Seq, e.Recorded
	r.instants(e, c)
	r.nurture(e)
	r.assign(e, c)
	r.told(e, c)
	r.course(e, c)
	r.features()
	if after := r.standing(); after != before {
		c.history = append(c.history, &historyRow{
			leadID: r.s.ID, sequence: e.Seq, occurredAt: e.Occurred, recorded: e.Recorded,
			event: shortType(e.Type), standing: after, reason: r.s.Reason,
		})
	}
	// What no column holds must not grow in memory, nor may anything come to
	// depend on it: after a restart it is not there.
	r.s.Deliveries, r.s.Calls, r.s.DecidedCall = nil, nil, ""
	r.s.Explanation, r.s.Considered, r.s.Counts, r.s.RoutingSummary = nil, nil, nil, ""
	r.s.Personal, r.s.BodyMAC, r.s.Declined, r.s.TimedOut, r.s.Returned = nil, nil, nil, nil, nil
	r.s.Excluded, r.s.Batch, r.s.MoveTo, r.s.Moved = nil, "", "", lead.Moved{}
	r.s.Journey, r.s.Came, r.s.CameBefore, r.s.Course, r.s.Past = nil, 0, 0, lead.Course{}, nil
	r.s.First, r.s.Last, r.s.Handoff = lead.Touch{}, lead.Touch{}, lead.Touch{}
}

func (r *leadRow) instants(e *ledger.Event, c *changes) {
	duplicate := func(kind string) {
		c.duplicates = append(c.duplicates, &duplicateRow{leadID: r.s.ID, sequence: e.Seq, occurredAt: e.Occurred, kind: kind})
	}
	switch b := e.Body.(type) {
	case *leadv1.SubmissionRepeated:
		duplicate("repeat")
	case *leadv1.SubmissionRevised:
		duplicate("revision")
	case *leadv1.TouchAdded:
		// A touch that was recorded as such repeats nothing.
		if b.GetKind() == lead.SameForm {
			duplicate("joined")
		}
	case *leadv1.LeadRefused:
		first(&r.refusedAt, e.Occurred)
		r.refusedReason = refusalWord(b.GetReason())
	case *leadv1.LeadNurtured:
		r.decided(b.GetAgreementVersion(), e.Occurred)
		if !r.mqlAt.IsZero() {
			first(&r.returnedAt, e.Occurred)
		}
	case *leadv1.LeadQualified:
		r.fit(b)
		r.decided(b.GetAgreementVersion(), e.Occurred)
		if r.definition == 0 && b.GetStage() >= leadv1.Stage_STAGE_MQL {
			r.definition = b.GetAgreementVersion()
		}
		// A later stage includes the earlier ones.
		if b.GetStage() >= leadv1.Stage_STAGE_MQL {
			first(&r.mqlAt, e.Occurred)
		}
		if b.GetStage() >= leadv1.Stage_STAGE_SAL {
			first(&r.salAt, e.Occurred)
		}
		if b.GetStage() >= leadv1.Stage_STAGE_SQL {
			first(&r.sqlAt, e.Occurred)
		}
	case *leadv1.LeadOffered:
		first(&r.offeredAt, e.Occurred)
	case *leadv1.OfferAccepted:
		first(&r.acceptedAt, e.Occurred)
	case *leadv1.OfferRejected:
		first(&r.rejectedAt, e.Occurred)
	}
	r.wonAt, r.lostAt = time.Time{}, time.Time{}
	switch r.s.State {
	case leadv1.State_STATE_WON:
		r.wonAt = r.s.ClosedAt
	case leadv1.State_STATE_LOST:
		r.lostAt = r.s.ClosedAt
	}
}

// decided notes which version decided the lead first.
func (r *leadRow) decided(version int64, at time.Time) {
	if r.decidedBy == 0 {
		r.decidedBy, r.decidedAt = version, at
	}
}

// nurture follows a lead that is with marketing.
func (r *leadRow) nurture(e *ledger.Event) {
	if b, ok := e.Body.(*leadv1.LeadNurtured); ok {
		r.nurtureText = b.GetExplanation().GetSummary()
	}
	if r.nurtureDue = r.s.NurtureDue(); r.nurtureDue.IsZero() {
		r.nurtureText = ""
	}
}

// first keeps the earliest instant.
func first(at *time.Time, t time.Time) {
	if at.IsZero() || t.Before(*at) {
		*at = t
	}
}

// assign follows who has the lead.
func (r *leadRow) assign(e *ledger.Event, c *changes) {
	open := func(a *assignmentRow) {
		r.release(e.Occurred, "", c)
		a.leadID, a.sequence, a.active = r.s.ID, e.Seq, true
		a.pool, a.group, a.rule, a.agreement = r.s.Pool, r.s.Group, r.s.Rule, r.s.AgreementVersion
		r.assignment = a
		c.keep(a)
	}
	switch b := e.Body.(type) {
	case *leadv1.LeadOffered:
		open(&assignmentRow{
			offer: int64(b.GetOffer()), member: b.GetMember(), turn: turnWord(b.GetTurn()),
			outcome: outcomeStanding, offeredAt: e.Occurred, takeBy: r.s.TakeBy,
			stage: r.s.Stage, points: r.points, pointsNeeded: r.pointsNeeded, setID: c.set(considered(b)), chosenBy: b.GetChosenBy(),
		})
	case *leadv1.OfferAccepted:
		if r.assignment == nil || r.assignment.outcome != outcomeStanding {
			open(&assignmentRow{offer: int64(b.GetOffer())})
		}
		a := r.assignment
		a.member, a.outcome, a.endedAt = b.GetMember(), outcomeAccepted, e.Occurred
		c.keep(a)
	case *leadv1.OfferRejected:
		if r.assignment != nil {
			r.assignment.declined = true
		}
		r.end(outcomeRejected, e.Occurred, b.GetReason(), c)
	case *leadv1.OfferTimedOut:
		r.end(outcomeTimedOut, e.Occurred, "", c)
	case *leadv1.LeadReassigned:
		if r.s.Historical {
			r.restated(e, open)
			break
		}
		r.release(e.Occurred, b.GetReason(), c)
		if r.s.Owner != "" {
			// Given back as their own, without an offer.
			open(&assignmentRow{offer: int64(r.s.Offers), member: r.s.Owner, turn: turnWord(leadv1.TurnKind_TURN_KIND_OVERRIDE), outcome: outcomeAccepted, endedAt: e.Occurred})
		}
	case *leadv1.OutcomeRecorded:
		if b.GetHistorical() {
			r.restated(e, open)
		}
	default:
		if r.s.Owner == "" && r.s.OfferedTo == "" {
			r.release(e.Occurred, "", c)
		}
	}
}

// end closes the standing offer with an outcome; a lead that was taken already
// and is given back is released.
func (r *leadRow) end(outcome string, at time.Time, reason string, c *changes) {
	if r.assignment != nil && r.assignment.outcome == outcomeStanding {
		a := r.assignment
		a.outcome, a.endedAt, a.reason, a.active = outcome, at, reason, false
		r.assignment = nil
		c.keep(a)
		return
	}
	r.release(at, reason, c)
}

// release takes the lead from whoever has it.
func (r *leadRow) release(at time.Time, reason string, c *changes) {
	a := r.assignment
	if a == nil {
		return
	}
	if a.outcome == outcomeStanding {
		a.outcome, a.endedAt = outcomeWithdrawn, at
	} else {
		a.releasedAt = at
	}
	a.reason, a.active = reason, false
	r.assignment = nil
	c.keep(a)
}

// features moves what a submission states into columns.
func (r *leadRow) features() {
	f := r.s.Features
	if f == nil {
		return
	}
	r.country, r.industry, r.role = f.GetCountry(), f.GetIndustry(), f.GetRole()
	r.product, r.language, r.employees = f.GetProduct(), f.GetLanguage(), f.GetEmployees()
	r.wish = wishWord(f.GetContactWish())
	// The first touch is written once, whatever a revision says.
	if !r.s.First.At.IsZero() {
		a := r.s.First.Attribution
		r.utmSource, r.utmMedium, r.campaign = a.GetSource(), a.GetMedium(), a.GetCampaign()
		r.landing = a.GetLanding()
	}
	r.s.Features = nil
}

func refusalWord(r leadv1.RefusalReason) string {
	return enumWord(r.String(), "REFUSAL_REASON_")
}

func turnWord(t leadv1.TurnKind) string { return enumWord(t.String(), "TURN_KIND_") }

func wishWord(w leadv1.ContactWish) string { return enumWord(w.String(), "CONTACT_WISH_") }

func stateWord(s leadv1.State) string { return enumWord(s.String(), "STATE_") }

// stageWord is the field's own abbreviation: LEAD, MQL, SAL, SQL.
func stageWord(s leadv1.Stage) string {
	if s == leadv1.Stage_STAGE_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(s.String(), "STAGE_")
}

// enumWord is an enum's name as a word; empty for the one that is never written.
func enumWord(name, prefix string) string {
	w := strings.TrimPrefix(name, prefix)
	if w == "UNSPECIFIED" {
		return ""
	}
	return strings.ReplaceAll(strings.ToLower(w), "_", "-")
}

// shortType is an event's name without its package.
func shortType(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }
