// Package recount counts the reports on leads a second time, so that tests can hold the
// first count against it. It promises to share nothing with the program: it reads the
// lines that `baton replay --format json` prints, folds each lead over the JSON itself,
// and counts lead by lead. It imports the standard library alone, and only tests import
// it.
package recount

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Log is the events of one log by what they are about.
type Log struct {
	leads  []string // in the order of their first event
	events map[string][]event
	places []placed
}

// event is one line.
type event struct {
	kind string // the type without its package
	at   time.Time
	body object
}

// placed is where somebody works from then on.
type placed struct {
	member string
	at     time.Time
	where  map[string]string
}

// object is a JSON object.
type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) yes(name string) bool {
	b, _ := o[name].(bool)
	return b
}

func (o object) under(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

// number reads a whole number; 64 bits are written as text.
func (o object) number(name string) int64 {
	switch v := o[name].(type) {
	case float64:
		return int64(v)
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

func (o object) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, o.text(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Read reads the lines of a whole log.
func Read(lines io.Reader) (*Log, error) {
	l := &Log{events: map[string][]event{}}
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var line struct {
			Subject  string    `json:"subject"`
			Type     string    `json:"type"`
			Occurred time.Time `json:"occurred_at"`
			Body     object    `json:"body"`
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("line %q: %w", scan.Text(), err)
		}
		e := event{kind: line.Type[strings.LastIndexByte(line.Type, '.')+1:], at: line.Occurred, body: line.Body}
		if e.kind == "MemberPlaced" {
			l.places = append(l.places, placed{e.body.text("member"), e.at, map[string]string{
				"team": e.body.text("team"), "manager": e.body.text("manager"), "office": e.body.text("office"),
			}})
		}
		id, ok := strings.CutPrefix(line.Subject, "lead.")
		if !ok {
			continue
		}
		if l.events[id] == nil {
			l.leads = append(l.leads, id)
		}
		l.events[id] = append(l.events[id], e)
	}
	return l, scan.Err()
}

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
	again                                      []time.Time // further deliveries
	happened                                   []time.Time // all of its events
	cameFromWhere                              bool
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
			s.take(e)
		}
	}
	return s
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
		s.state, s.owner, s.offeredTo = "nurturing", "", ""
		earliest(&s.nurtured, e.at)
		s.meant(b)
	case "LeadOffered":
		s.state, s.owner, s.offeredTo, s.pool = "offered", "", b.text("member"), b.text("pool")
		earliest(&s.offered, e.at)
	case "LeadQueued":
		s.state, s.owner, s.offeredTo, s.pool = "waiting", "", "", b.text("pool")
	case "OfferAccepted":
		s.state, s.owner, s.offeredTo = "accepted", b.text("member"), ""
		earliest(&s.accepted, e.at)
	case "OfferRejected":
		s.state, s.owner, s.offeredTo = "qualified", "", ""
		if b.text("consequence") == "CONSEQUENCE_DISQUALIFY" {
			s.state, s.closed = "lost", e.at
		}
		earliest(&s.rejected, e.at)
	case "OfferTimedOut":
		s.state, s.owner, s.offeredTo = "qualified", "", ""
	case "LeadReassigned":
		s.moved(b)
	case "CallRecorded":
		earliest(&s.touched, e.at)
	case "OutcomeRecorded":
		s.outcome(e)
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
	if s.definition == 0 {
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

func (s *lead) moved(b object) {
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

// place is where somebody worked at an instant.
func (l *Log) place(member, what string, at time.Time) string {
	word, since := "", time.Time{}
	for _, p := range l.places {
		if p.member == member && !p.at.After(at) && !p.at.Before(since) {
			word, since = p.where[what], p.at
		}
	}
	return word
}
