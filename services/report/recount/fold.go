package recount

import "time"

// lead is what became of one, as far as the reports ask.
type lead struct {
	id, state                                  string
	received                                   time.Time
	historical                                 bool
	source, campaign, landing                  string
	features                                   object
	owner, offeredTo, pool, persona, purpose   string
	definition                                 int64
	closed                                     time.Time
	value                                      int64
	currency                                   string
	mql, sal, sql, offered, accepted, rejected time.Time
	nurtured, touched                          time.Time
	decidedBy                                  int64
	returned, told                             time.Time
	again                                      []time.Time // further deliveries
	happened                                   []time.Time // all of its events
	cameFromWhere                              bool
	feedback                                   []event
	acceptances                                []acceptance
	rejections                                 []rejection
	// declined are those who had it, or were offered it, and did not want it.
	declined []declined
	// offer is the number of the one that stands, and fates what became of each.
	offer int64
	fates map[int64]fate
	// takeBy is when the offer that stands runs out, inTime when one was taken first before
	// it had.
	takeBy, inTime time.Time
}

// acceptance is that somebody got a lead as their own.
type acceptance struct {
	at           time.Time
	member, pool string
}

// rejection is that somebody rejected a lead that was in a pool.
type rejection struct {
	event
	pool string
}

// declined is that whoever had a lead, or was offered it, rejected it; how many
// acceptances there had been by then.
type declined struct {
	rejection
	who   string
	after int
}

// fate is what became of an offer.
type fate struct {
	word string
	at   time.Time
}

// earliest keeps the earlier of two instants.
func earliest(at *time.Time, t time.Time) {
	if at.IsZero() || t.Before(*at) {
		*at = t
	}
}

// fold is the lead as its events up to an instant make it, in the order of the log.
func (l *Log) fold(id string, until time.Time) *lead {
	s := &lead{id: id}
	for _, e := range l.events[id] {
		if !e.at.After(until) {
			s.follow(e)
		}
	}
	return s
}

// follow takes an event, and notes who had the lead by it.
func (s *lead) follow(e event) {
	had := s.owner + s.offeredTo // one of them, or nobody
	s.take(e)
	if e.kind == "OfferRejected" && had != "" {
		s.declined = append(s.declined, declined{s.rejections[len(s.rejections)-1], had, len(s.acceptances)})
	}
	// An offer stands until it is answered, or somebody else or nobody has the lead.
	word := map[string]string{"OfferAccepted": "accepted", "OfferRejected": "declined", "OfferTimedOut": "timed_out"}[e.kind]
	switch {
	case e.kind == "LeadOffered":
		s.offer = e.body.number("offer")
	case s.offer != 0 && word != "":
		if s.fates == nil {
			s.fates = map[int64]fate{}
		}
		s.fates[s.offer], s.offer = fate{word, e.at}, 0
	case s.offeredTo == "", s.owner != "" && s.owner != s.offeredTo:
		s.offer = 0
	}
}

func (s *lead) take(e event) {
	b := e.body
	s.happened = append(s.happened, e.at)
	switch e.kind {
	case "LeadReceived":
		s.state, s.received, s.historical, s.source = "received", b.time("received_at"), b.yes("historical"), b.text("source")
		s.features = b.under("features")
		s.from(s.features.under("attribution"))
	case "LeadRefused":
		s.state = "refused"
	case "SubmissionRepeated":
		s.again = append(s.again, e.at)
	case "SubmissionRevised":
		s.again = append(s.again, e.at)
		if !b.yes("conflict") {
			s.features = b.under("features")
		}
	case "LeadRemapped":
		s.features = b.under("features")
	case "TouchAdded":
		if b.text("kind") == "same-form" {
			s.again = append(s.again, e.at)
		}
		s.from(b.under("attribution"))
	case "QualificationHeld":
		s.state = "held"
	case "LeadQualified":
		s.qualified(e)
	case "LeadNurtured":
		s.decided(b)
		if !s.mql.IsZero() {
			earliest(&s.returned, e.at)
		}
		s.state, s.owner, s.offeredTo = "nurturing", "", ""
		earliest(&s.nurtured, e.at)
		s.meant(b)
	case "LeadOffered":
		s.state, s.owner, s.offeredTo, s.pool = "offered", "", b.text("member"), b.text("pool")
		s.takeBy = b.time("take_by")
		earliest(&s.offered, e.at)
	case "LeadQueued":
		s.state, s.owner, s.offeredTo, s.pool = "waiting", "", "", b.text("pool")
	case "OfferAccepted":
		s.state, s.owner, s.offeredTo = "accepted", b.text("member"), ""
		s.acceptances = append(s.acceptances, acceptance{e.at, s.owner, s.pool})
		earliest(&s.accepted, e.at)
		if s.offer == 0 || !e.at.After(s.takeBy) { // without an offer none had run out
			earliest(&s.inTime, e.at)
		}
	case "OfferRejected":
		s.rejections = append(s.rejections, rejection{e, s.pool})
		s.state, s.owner, s.offeredTo = "qualified", "", ""
		if b.text("consequence") == "CONSEQUENCE_DISQUALIFY" {
			s.state, s.closed = "lost", e.at
		}
		earliest(&s.rejected, e.at)
	case "OfferTimedOut":
		s.state, s.owner, s.offeredTo = "qualified", "", ""
	case "LeadReassigned":
		s.moved(e)
	case "CallRecorded":
		earliest(&s.touched, e.at)
	case "OutcomeRecorded":
		s.outcome(e)
	case "NoticeSent":
		if b.yes("delivered") {
			earliest(&s.told, e.at)
		}
	case "NoticeOpened":
		earliest(&s.told, e.at)
	case "FeedbackGiven":
		s.feedback = append(s.feedback, e)
	}
}

// from notes where the first submission came from.
func (s *lead) from(attribution object) {
	if s.cameFromWhere {
		return
	}
	s.cameFromWhere, s.campaign, s.landing = true, attribution.text("campaign"), attribution.text("landing")
}

// meant notes what a lead is for.
func (s *lead) meant(b object) {
	if p := b.text("purpose"); p != "" {
		s.purpose = p
	}
}

func (s *lead) qualified(e event) {
	b := e.body
	with := s.state == "offered" || (s.state == "accepted" || s.state == "working") && s.owner != ""
	if !with {
		s.state = "qualified"
	}
	if p := b.text("persona"); p != "" {
		s.persona = p
	}
	s.meant(b)
	s.decided(b)
	if stage := b.text("stage"); s.definition == 0 && (stage == "STAGE_MQL" || stage == "STAGE_SAL" || stage == "STAGE_SQL") {
		s.definition = b.number("agreement_version")
	}
	switch b.text("stage") {
	case "STAGE_SQL":
		earliest(&s.sql, e.at)
		fallthrough
	case "STAGE_SAL":
		earliest(&s.sal, e.at)
		fallthrough
	case "STAGE_MQL":
		earliest(&s.mql, e.at)
	}
}

// decided notes the version that decided it first.
func (s *lead) decided(b object) {
	if s.decidedBy == 0 {
		s.decidedBy = b.number("agreement_version")
	}
}

func (s *lead) moved(e event) {
	b := e.body
	if s.historical {
		s.owner = b.text("to")
		if s.state == "received" {
			s.state = "working"
		}
		return
	}
	s.state, s.owner, s.offeredTo = "qualified", "", ""
	if b.text("undoes") != "" && b.yes("accepted") {
		s.state, s.owner, s.pool = "accepted", b.text("to"), b.text("pool")
		if b.yes("working") {
			s.state = "working"
		}
		s.acceptances = append(s.acceptances, acceptance{e.at, s.owner, s.pool})
	}
}

func (s *lead) outcome(e event) {
	b := e.body
	switch b.text("kind") {
	case "OUTCOME_KIND_TOUCH":
		earliest(&s.touched, e.at)
	case "OUTCOME_KIND_WORKING", "OUTCOME_KIND_STAGE":
		if s.state == "accepted" {
			s.state = "working"
		}
	case "OUTCOME_KIND_WON":
		s.state, s.closed, s.value, s.currency = "won", e.at, b.number("value_minor"), b.text("currency")
	case "OUTCOME_KIND_LOST":
		s.state, s.closed = "lost", e.at
	}
	if m := b.text("member"); m != "" && b.yes("historical") {
		s.owner = m
		if s.state == "received" {
			s.state = "working"
		}
	}
}
