package lead

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// MomentKind is what happened to a lead, as clocks see it.
type MomentKind uint8

// The kinds of moments. Their words are those of the agreement.
const (
	MomentReceived MomentKind = iota + 1
	MomentQualified
	MomentOffered
	MomentQueued
	MomentAccepted
	MomentRejected
	MomentTimedOut
	MomentMoved
	// MomentGivenBack is a move that was taken back: the lead is somebody's own again.
	MomentGivenBack
	MomentNurtured
	MomentTouched
	MomentCall
	MomentWorked
	// MomentClosed is a lead that is won, lost or refused: no clock of it runs on.
	MomentClosed
)

// Moment is one thing that happened to a lead.
type Moment struct {
	Kind MomentKind
	// At is when it happened, Known when it became known.
	At, Known time.Time
	// Member did it, or it was done to them; empty = nobody.
	Member string
	// Pool to which the lead came by it; empty = it stayed where it was.
	Pool string
	// Picture is what was known of the lead.
	Picture *Picture
	// Event is the id of what was said, where it became known after it happened.
	Event string
}

// Picture is what was known of a lead at a moment. It never changes.
type Picture struct {
	Features *leadv1.Features
	Journey  []Arrival
}

// ClockSaidKind is what was said about a run of a clock.
type ClockSaidKind uint8

// What can be said about a run.
const (
	ClockReminded ClockSaidKind = iota + 1
	ClockBreached
	ClockEscalated
	ClockRestated
)

// ClockSaid is one thing that was said about a run of a clock. A run is known by
// its clock and its start.
type ClockSaid struct {
	Kind    ClockSaidKind
	Clock   string
	Started time.Time
	// Step of the escalation.
	Step int32
	// Because is the event that restated the run; Was is what it had read before.
	Because string
	Was     time.Duration
}

// Course is what happened to a lead, as its clocks see it: enough to work out how
// each of them ran, and all that was said about them. Imported history has no
// course. The zero value is that of a lead of which nothing is known.
type Course struct {
	Historical bool
	Picture    *Picture
	// Moments in the order in which they became known.
	Moments []Moment
	Said    []ClockSaid
}

// Closed says whether the lead is won, lost or refused.
func (c *Course) Closed() bool {
	return slices.ContainsFunc(c.Moments, func(m Moment) bool { return m.Kind == MomentClosed })
}

// Evolve folds one event of the lead. It is total: what is no moment changes
// nothing. It says whether the lead's clocks may read otherwise afterwards.
func (c *Course) Evolve(body proto.Message, occurred, recorded time.Time) bool {
	if c.Historical {
		return false
	}
	before := len(c.Moments) + len(c.Said)
	add := func(kind MomentKind, member, pool string) {
		c.Moments = append(c.Moments, Moment{Kind: kind, At: occurred, Known: recorded, Member: member, Pool: pool, Picture: c.Picture})
	}
	switch e := body.(type) {
	case *leadv1.LeadReceived:
		c.Picture = &Picture{Features: e.GetFeatures()}
		if c.Historical = e.GetHistorical(); !c.Historical {
			add(MomentReceived, "", "")
		}
	case *leadv1.SubmissionRevised:
		if !e.GetConflict() {
			c.pictured(e.GetFeatures())
		}
	case *leadv1.LeadRemapped:
		c.pictured(e.GetFeatures())
	case *leadv1.TouchAdded:
		next := Picture{}
		if c.Picture != nil {
			next = *c.Picture
		}
		next.Journey = append(slices.Clone(next.Journey), Arrival{e.GetKind(), occurred})
		next.Journey = next.Journey[max(0, len(next.Journey)-journeyMost):]
		c.Picture = &next
	case *leadv1.LeadRefused:
		add(MomentClosed, "", "")
	case *leadv1.LeadQualified:
		add(MomentQualified, "", "")
	case *leadv1.LeadNurtured:
		add(MomentNurtured, "", "")
	case *leadv1.CallRecorded:
		add(MomentCall, e.GetMember(), "")
	case *leadv1.LeadOffered:
		add(MomentOffered, e.GetMember(), e.GetPool())
	case *leadv1.LeadQueued:
		add(MomentQueued, "", e.GetPool())
	case *leadv1.OfferAccepted:
		add(MomentAccepted, e.GetMember(), "")
	case *leadv1.OfferRejected:
		add(MomentRejected, e.GetMember(), "")
		if e.GetConsequence() == leadv1.Consequence_CONSEQUENCE_DISQUALIFY {
			add(MomentClosed, e.GetMember(), "")
		}
	case *leadv1.OfferTimedOut:
		add(MomentTimedOut, e.GetMember(), "")
	case *leadv1.LeadReassigned:
		if GivenBack(e) {
			add(MomentGivenBack, e.GetTo(), e.GetPool())
		} else {
			add(MomentMoved, e.GetFrom(), "")
		}
	case *leadv1.OutcomeRecorded:
		add(outcomeMoments[e.GetKind()], e.GetMember(), "")
	case *leadv1.ClockReminded:
		c.said(ClockReminded, e.GetClock(), ClockSaid{})
	case *leadv1.ClockBreached:
		c.said(ClockBreached, e.GetClock(), ClockSaid{})
	case *leadv1.ClockEscalated:
		c.said(ClockEscalated, e.GetClock(), ClockSaid{Step: e.GetStep()})
	case *leadv1.ClockRestated:
		c.said(ClockRestated, e.GetClock(), ClockSaid{Because: e.GetBecause(), Was: e.GetWasSpent().AsDuration()})
	}
	return len(c.Moments)+len(c.Said) > before
}

// outcomeMoments are the moments that outcomes make.
var outcomeMoments = map[leadv1.OutcomeKind]MomentKind{
	leadv1.OutcomeKind_OUTCOME_KIND_TOUCH:   MomentTouched,
	leadv1.OutcomeKind_OUTCOME_KIND_WORKING: MomentWorked,
	leadv1.OutcomeKind_OUTCOME_KIND_STAGE:   MomentWorked,
	leadv1.OutcomeKind_OUTCOME_KIND_WON:     MomentClosed,
	leadv1.OutcomeKind_OUTCOME_KIND_LOST:    MomentClosed,
}

func (c *Course) pictured(features *leadv1.Features) {
	next := &Picture{Features: features}
	if c.Picture != nil {
		next.Journey = c.Picture.Journey
	}
	c.Picture = next
}

func (c *Course) said(kind ClockSaidKind, ref *leadv1.ClockRef, more ClockSaid) {
	more.Kind, more.Clock, more.Started = kind, ref.GetClock(), ref.GetStartedAt().AsTime()
	c.Said = append(c.Said, more)
}

// Named gives the moments that the last event made its id, as far as they became
// known after they happened: what changes by them says because of what.
func (c *Course) Named(event string) {
	for i := len(c.Moments) - 1; i >= 0 && c.Moments[i].Event == "" && c.Moments[i].At.Before(c.Moments[i].Known); i-- {
		c.Moments[i].Event = event
	}
}

// clone is a copy that may be evolved without touching the original.
func (c *Course) clone() Course {
	out := *c
	out.Moments, out.Said = slices.Clip(c.Moments), slices.Clip(c.Said)
	return out
}
