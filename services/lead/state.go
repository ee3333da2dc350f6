package lead

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// CommandPrefix marks the cause of an event that a command brought about.
const CommandPrefix = "cmd:"

// SameForm is the kind of the touch that an equal body of the same source makes:
// it repeats a submission, where other touches stand for themselves.
const SameForm = "same-form"

// Directions of a touch of sales: who came to whom.
const (
	DirectionIn  = "in"
	DirectionOut = "out"
)

// Reasons for leaving a lead with marketing.
const (
	ReasonProfile     = "profile"
	ReasonPersona     = "persona"
	ReasonContentOnly = "content-only"
	ReasonCall        = "call"
	ReasonRejected    = "rejected"
)

// State is one lead as folded from its events. The zero value is a lead of
// which nothing is known.
type State struct {
	ID    string
	State leadv1.State
	// Stage is the highest stage reached.
	Stage leadv1.Stage

	Source, SourceID, SubmissionID string
	Signed, SenderNamed            bool
	Historical, NeedsMapping       bool
	ReceivedAt                     time.Time
	Features                       *leadv1.Features
	Personal                       *leadv1.Sealed
	BodyMAC                        []byte
	PersonID                       string
	// Account says which declared company it belongs to; nil = none is like it.
	Account *leadv1.AccountMatched
	// First is the touch that brought the lead and never changes; Last is the
	// latest one, Handoff the latest before it was first offered to sales.
	First, Last, Handoff Touch
	// Deliveries that have their outcome on this lead.
	Deliveries []string
	// Repeats, revisions and joined touches of the same submission.
	Repeats, Revisions, Joined int64
	Conflict                   bool

	// AgreementVersion decided last; Persona is the one that matched.
	AgreementVersion int64
	Persona          string
	// Purpose is what the lead is for; empty = none is agreed.
	Purpose       string
	Explanation   *leadv1.Explanation
	RecheckAt     time.Time
	NurtureReason string
	// NurtureSince is when the lead came to marketing for that reason.
	NurtureSince time.Time
	// NurtureMade counts the touches of the nurture plan that were made since the
	// lead was last left with marketing; NextTouch is the kind of the next one, due
	// by NextTouchDue. Empty = the plan holds no more.
	NurtureMade  int32
	NextTouch    string
	NextTouchDue time.Time
	// Signal promoted the lead at once; TakeWithin is the working time that it
	// gives to take it. Empty = none did.
	Signal     string
	TakeWithin time.Duration
	// Journey are the latest touches, in the order in which they became known, and
	// Came counts them all. CameBefore are those that were known when the lead was
	// last left with marketing.
	Journey          []Arrival
	Came, CameBefore int64
	// BlockedBy and BlockedText say what a held or waiting lead waits for.
	BlockedBy, BlockedText string
	// Calls are the recorded calls; Decided is the last one that a decision used.
	Calls       []*leadv1.CallRecorded
	DecidedCall string

	Pool, Group, Rule string
	// Offers counts offers; OfferedTo holds the one that stands.
	Offers    int32
	OfferedTo string
	TakeBy    time.Time
	// ChosenBy and Turn say how the latest offer was found and what kind of turn it was.
	ChosenBy string
	Turn     leadv1.TurnKind
	// RemindAt is when whoever has the offer is reminded; zero = they have been, or
	// are not.
	RemindAt time.Time
	Owner    string
	// Declined and TimedOut are members who had their chance since the lead was
	// last qualified, in order.
	Declined, TimedOut []string
	// DeclinedAt is when each of Declined did, as recorded.
	DeclinedAt []time.Time
	// Returned are the members who sent the lead back to marketing, ever.
	Returned []string
	// Rejecters are the members who rejected the lead, ever.
	Rejecters []string
	// Excluded are the people who do not get the lead since it was moved by hand, until
	// somebody takes it or it is qualified anew.
	Excluded []string
	// Batch is the move by hand that the lead is in: nobody has answered it since.
	// MoveTo is whom it names, until the lead is offered to them.
	Batch, MoveTo string
	// Moved is how the lead stood before that move.
	Moved          Moved
	RoutingSummary string
	Considered     []*leadv1.Candidate
	// Counts says how many were considered, where not each of them is named.
	Counts       *leadv1.CandidateCounts
	WaitingSince time.Time
	// LookAgainAt is when a waiting lead is looked at again; zero = as soon as
	// somebody can.
	LookAgainAt time.Time
	// FallbackAt is when the agreed stand-in gets a waiting lead; zero = none is
	// agreed, or has it. FallbackFrom is the pool whose stand-in has it now.
	FallbackAt   time.Time
	FallbackFrom string

	// Past are the changes of owner that imported history states, in order.
	Past []OwnerChange

	Touches      int64
	FirstTouchAt time.Time
	// TouchesTried counts the touches, but for those that came from the person, since the
	// lead was last offered to somebody: attempts of who has it.
	TouchesTried int64
	// DealStage is the stage of its deal, one of the agreed ones; empty = none was said.
	DealStage  string
	AcceptedAt time.Time
	ClosedAt   time.Time
	// Reason of the last rejection, refusal or loss.
	Reason      string
	Consequence leadv1.Consequence
	ValueMinor  int64
	Currency    string
	Rejections  int64

	// Course is what clocks see of it.
	Course Course

	// Failure names what a service could not handle.
	Failure, FailedService string
	// Commands that were carried out.
	Commands []Command
	// LastID and LastTrace are those of the last event: whatever is said next
	// follows from it.
	LastID, LastTrace string
	// Events counts the events folded.
	Events int64
}

// Open says whether work on the lead can still change something.
func (s *State) Open() bool {
	switch s.State {
	case leadv1.State_STATE_WON, leadv1.State_STATE_LOST, leadv1.State_STATE_REFUSED, leadv1.State_STATE_UNSPECIFIED:
		return false
	}
	return true
}

// Held says whether a member holds the lead: offered to them or theirs.
func (s *State) Held() (member string, ok bool) {
	switch s.State {
	case leadv1.State_STATE_OFFERED:
		return s.OfferedTo, true
	case leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING:
		return s.Owner, s.Owner != ""
	}
	return "", false
}

// UndecidedCall is the oldest call that no decision has used yet and that one
// may rest on: made by a qualifier who reached the person. nil = none.
func (s *State) UndecidedCall() *leadv1.CallRecorded {
	used := s.DecidedCall == ""
	for _, c := range s.Calls {
		if c.GetCallId() == s.DecidedCall {
			// Also where a repeat of it stands in the log a second time.
			used = true
			continue
		}
		if used && c.GetQualifier() && c.GetReached() {
			return c
		}
	}
	return nil
}

// Delivered says whether a delivery has its outcome on this lead.
func (s *State) Delivered(deliveryID string) bool {
	for _, d := range s.Deliveries {
		if d == deliveryID {
			return true
		}
	}
	return false
}

// Evolve folds one event into the state. It is total: an event that does not
// belong to a lead leaves the state alone. Occurred and recorded are the
// event's two times.
func (s *State) Evolve(body proto.Message, occurred, recorded time.Time) {
	s.Course.Evolve(body, occurred, recorded)
	switch e := body.(type) {
	case *leadv1.LeadReceived:
		s.State, s.Stage = leadv1.State_STATE_RECEIVED, leadv1.Stage_STAGE_LEAD
		s.Source, s.SourceID, s.SubmissionID = e.GetSource(), e.GetSourceId(), e.GetSubmissionId()
		s.Signed, s.SenderNamed = e.GetSigned(), e.GetSenderNamed()
		s.Historical, s.NeedsMapping = e.GetHistorical(), e.GetNeedsMapping()
		s.ReceivedAt = e.GetReceivedAt().AsTime()
		s.Features, s.Personal, s.BodyMAC = e.GetFeatures(), e.GetPersonal(), e.GetBodyMac()
		s.delivered(e.GetDelivery())
		s.came(e.GetReceivedAt().AsTime(), e.GetFeatures().GetAttribution())
	case *leadv1.SubmissionRepeated:
		s.Repeats++
		s.delivered(e.GetDelivery())
	case *leadv1.SubmissionRevised:
		s.Revisions++
		s.delivered(e.GetDelivery())
		s.BodyMAC = e.GetBodyMac()
		if e.GetConflict() {
			s.Conflict = true
			break
		}
		s.Features, s.Personal = e.GetFeatures(), e.GetPersonal()
	case *leadv1.LeadRemapped:
		// The same submission, read with another mapping: nothing new came.
		s.Features, s.Personal, s.NeedsMapping = e.GetFeatures(), e.GetPersonal(), e.GetNeedsMapping()
	case *leadv1.TouchAdded:
		if e.GetKind() == SameForm {
			s.Joined++
		}
		s.delivered(e.GetDelivery())
		s.came(occurred, e.GetAttribution())
		s.arrived(e.GetKind(), occurred)
	case *leadv1.LeadRefused:
		s.State, s.Reason = leadv1.State_STATE_REFUSED, e.GetReason().String()
	case *leadv1.PersonAttached:
		s.PersonID = e.GetPersonId()
	case *leadv1.AccountMatched:
		if s.Account = e; len(e.GetCandidates()) == 0 {
			s.Account = nil
		}
	case *leadv1.QualificationHeld:
		s.State, s.BlockedBy, s.BlockedText = leadv1.State_STATE_HELD, e.GetRule(), e.GetText()
	case *leadv1.LeadQualified:
		s.qualified(e, recorded)
	case *leadv1.LeadNurtured:
		// Looked at on its date, and left where it was: its plan goes on.
		again := s.State == leadv1.State_STATE_NURTURING && s.NurtureReason == e.GetReason() && e.GetCallId() == ""
		s.State = leadv1.State_STATE_NURTURING
		s.AgreementVersion, s.Explanation, s.Purpose = e.GetAgreementVersion(), e.GetExplanation(), e.GetPurpose()
		s.RecheckAt, s.NurtureReason = e.GetRecheckAt().AsTime(), e.GetReason()
		s.Consequence = leadv1.Consequence_CONSEQUENCE_UNSPECIFIED
		if !again {
			s.NurtureMade, s.CameBefore, s.NurtureSince = 0, s.Came, occurred
		}
		s.planned(s.NurtureMade, e.GetNextTouch(), e.GetNextTouchDue())
		s.Signal, s.TakeWithin = "", 0
		switch {
		case e.GetCallId() != "":
			s.DecidedCall = e.GetCallId()
		case e.GetReason() == ReasonCall:
			// As it was said before the call was named.
			s.DecidedCall = s.UndecidedCall().GetCallId()
		}
		s.free()
		s.answered()
	case *leadv1.NurtureAdvanced:
		s.planned(e.GetMade(), e.GetNextTouch(), e.GetNextTouchDue())
	case *leadv1.CallRecorded:
		s.Calls = append(s.Calls, e)
		s.touched(occurred)
		s.TouchesTried++
	case *leadv1.LeadOffered:
		s.handed()
		s.State = leadv1.State_STATE_OFFERED
		s.AgreementVersion = e.GetAgreementVersion()
		s.Pool, s.Group, s.Rule = e.GetPool(), e.GetGroup(), e.GetRule()
		s.Offers, s.OfferedTo, s.TakeBy, s.RemindAt = e.GetOffer(), e.GetMember(), e.GetTakeBy().AsTime(), instant(e.GetRemindAt())
		s.ChosenBy, s.Turn, s.TouchesTried = e.GetChosenBy(), e.GetTurn(), 0
		s.RoutingSummary, s.Considered, s.Counts = e.GetSummary(), e.GetConsidered(), e.GetCounts()
		s.BlockedBy, s.BlockedText, s.Owner = "", "", ""
		s.WaitingSince, s.LookAgainAt, s.MoveTo = time.Time{}, time.Time{}, ""
		s.FallbackAt, s.FallbackFrom = time.Time{}, e.GetFallbackFrom()
	case *leadv1.LeadQueued:
		s.State = leadv1.State_STATE_WAITING
		s.AgreementVersion = e.GetAgreementVersion()
		s.Pool, s.Group, s.Rule = e.GetPool(), e.GetGroup(), e.GetRule()
		s.BlockedBy, s.BlockedText = e.GetBlockedBy(), e.GetText()
		s.RoutingSummary, s.Considered, s.Counts = e.GetText(), e.GetConsidered(), e.GetCounts()
		s.OfferedTo, s.TakeBy, s.Owner, s.MoveTo = "", time.Time{}, "", ""
		s.LookAgainAt = instant(e.GetLookAgainAt())
		s.FallbackAt, s.FallbackFrom = instant(e.GetFallbackAt()), e.GetFallbackFrom()
		if s.WaitingSince.IsZero() {
			s.WaitingSince = recorded
		}
	case *leadv1.OfferReminded:
		if s.Offers == e.GetOffer() {
			s.RemindAt = time.Time{}
		}
	case *leadv1.OfferAccepted:
		s.State, s.Owner, s.AcceptedAt = leadv1.State_STATE_ACCEPTED, e.GetMember(), occurred
		s.OfferedTo, s.TakeBy, s.RemindAt, s.Excluded = "", time.Time{}, time.Time{}, nil
		s.answered()
	case *leadv1.OfferRejected:
		s.answered()
		s.Declined, s.DeclinedAt = append(s.Declined, e.GetMember()), append(s.DeclinedAt, recorded)
		s.Reason, s.Consequence = e.GetReason(), e.GetConsequence()
		s.Rejections++
		if !slices.Contains(s.Rejecters, e.GetMember()) {
			s.Rejecters = append(s.Rejecters, e.GetMember())
		}
		if e.GetConsequence() == leadv1.Consequence_CONSEQUENCE_NURTURE && !slices.Contains(s.Returned, e.GetMember()) {
			s.Returned = append(s.Returned, e.GetMember())
		}
		s.free()
		switch e.GetConsequence() {
		case leadv1.Consequence_CONSEQUENCE_DISQUALIFY:
			s.State, s.ClosedAt = leadv1.State_STATE_LOST, occurred
		default:
			// Qualified again until routing or qualification says what follows.
			s.State = leadv1.State_STATE_QUALIFIED
		}
	case *leadv1.OfferTimedOut:
		s.TimedOut = append(s.TimedOut, e.GetMember())
		s.State = leadv1.State_STATE_QUALIFIED
		s.free()
	case *leadv1.LeadReassigned:
		if s.Historical {
			s.stated(e, occurred)
		} else {
			s.reassigned(e)
		}
	case *leadv1.OutcomeRecorded:
		s.answered()
		s.outcome(e, occurred)
	case *leadv1.ClockReminded, *leadv1.ClockBreached, *leadv1.ClockEscalated, *leadv1.ClockRestated:
		// Part of its course: what a clock says moves nothing else.
		s.Events++
		return
	case *leadv1.HandlingFailed:
		s.Failure, s.FailedService = e.GetText(), e.GetService()
		s.Events++
		return
	default:
		return
	}
	s.Failure, s.FailedService = "", ""
	s.Events++
}

func (s *State) delivered(d *leadv1.DeliveryRef) {
	if id := d.GetDeliveryId(); id != "" && !s.Delivered(id) {
		s.Deliveries = append(s.Deliveries, id)
	}
}

func (s *State) qualified(e *leadv1.LeadQualified, recorded time.Time) {
	// A call that confirms the stage of somebody's own lead leaves it with them.
	if _, held := s.Held(); !held {
		s.State = leadv1.State_STATE_QUALIFIED
		s.BlockedBy, s.BlockedText = "", ""
		s.Declined, s.DeclinedAt, s.TimedOut, s.Excluded = nil, nil, nil, nil
		s.FallbackAt, s.FallbackFrom = time.Time{}, ""
		s.answered()
		s.WaitingSince = recorded
	}
	if e.GetStage() > s.Stage {
		s.Stage = e.GetStage()
	}
	s.AgreementVersion, s.Explanation, s.Purpose = e.GetAgreementVersion(), e.GetExplanation(), e.GetPurpose()
	if e.GetPersona() != "" {
		s.Persona = e.GetPersona()
	}
	s.RecheckAt, s.NurtureReason, s.NurtureSince = time.Time{}, "", time.Time{}
	s.planned(0, "", nil)
	s.Signal, s.TakeWithin = e.GetSignal(), e.GetTakeWithin().AsDuration()
	s.Consequence = leadv1.Consequence_CONSEQUENCE_UNSPECIFIED
	if e.GetCallId() != "" {
		s.DecidedCall = e.GetCallId()
	}
}

// planned notes how far the nurture plan is, and what it wants next.
func (s *State) planned(made int32, next string, due *timestamppb.Timestamp) {
	s.NurtureMade, s.NextTouch, s.NextTouchDue = made, next, instant(due)
}

// free takes the lead from whoever held it.
func (s *State) free() {
	s.OfferedTo, s.TakeBy, s.RemindAt, s.Owner = "", time.Time{}, time.Time{}, ""
	s.BlockedBy, s.BlockedText = "", ""
}

// instant is a moment that a message may not have; zero = it has none.
func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Moved is how a lead stood before somebody moved it by hand.
type Moved struct {
	// From is who had it; empty = it waited, since WaitingSince.
	From         string
	WaitingSince time.Time
	// Accepted says that it was theirs, in that pool and group, and Working that they
	// worked on it.
	Accepted, Working bool
	Pool, Group       string
	// Tried counts how often they had tried to reach the person.
	Tried int64
}

// reassigned frees the lead from whoever had it, until routing says who gets it. A move
// that is taken back makes an accepted lead theirs again.
func (s *State) reassigned(e *leadv1.LeadReassigned) {
	from, _ := s.Held()
	before := s.Moved
	s.Moved = Moved{From: from, WaitingSince: s.WaitingSince, Accepted: s.Owner != "", Working: s.State == leadv1.State_STATE_WORKING, Pool: s.Pool, Group: s.Group, Tried: s.TouchesTried}
	s.Batch, s.MoveTo, s.Excluded = e.GetBatchId(), e.GetTo(), e.GetExcluded()
	s.free()
	// Qualified again until routing says who gets it; one that waits keeps its place.
	s.State, s.LookAgainAt = leadv1.State_STATE_QUALIFIED, time.Time{}
	s.FallbackAt, s.FallbackFrom = time.Time{}, ""
	if e.GetWaitingSince() != nil {
		s.WaitingSince = e.GetWaitingSince().AsTime()
	}
	if !GivenBack(e) {
		return
	}
	s.State, s.Owner, s.MoveTo, s.WaitingSince = leadv1.State_STATE_ACCEPTED, e.GetTo(), "", time.Time{}
	if e.GetWorking() {
		s.State = leadv1.State_STATE_WORKING
	}
	s.Pool, s.Group, s.TouchesTried = e.GetPool(), e.GetGroup(), before.Tried
}

// GivenBack says whether a move takes another back by which somebody lost a lead that
// was theirs: it is theirs again, and nothing more has to be said.
func GivenBack(e *leadv1.LeadReassigned) bool { return e.GetUndoes() != "" && e.GetAccepted() }

// answered ends a move by hand: somebody has acted on the lead since, so it is not
// given back any more.
func (s *State) answered() {
	s.Batch, s.MoveTo, s.Moved = "", "", Moved{}
}

func (s *State) touched(at time.Time) {
	s.Touches++
	if s.FirstTouchAt.IsZero() || at.Before(s.FirstTouchAt) {
		s.FirstTouchAt = at
	}
}

func (s *State) outcome(e *leadv1.OutcomeRecorded, occurred time.Time) {
	switch e.GetKind() {
	case leadv1.OutcomeKind_OUTCOME_KIND_TOUCH:
		s.touched(occurred)
		if e.GetDirection() != DirectionIn {
			s.TouchesTried++
		}
	case leadv1.OutcomeKind_OUTCOME_KIND_WORKING, leadv1.OutcomeKind_OUTCOME_KIND_STAGE:
		if s.State == leadv1.State_STATE_ACCEPTED {
			s.State = leadv1.State_STATE_WORKING
		}
	case leadv1.OutcomeKind_OUTCOME_KIND_WON:
		s.State, s.ClosedAt = leadv1.State_STATE_WON, occurred
		s.ValueMinor, s.Currency = e.GetValueMinor(), e.GetCurrency()
	case leadv1.OutcomeKind_OUTCOME_KIND_LOST:
		s.State, s.ClosedAt, s.Reason = leadv1.State_STATE_LOST, occurred, e.GetReason()
	}
	if e.GetDealStage() != "" {
		s.DealStage = e.GetDealStage()
	}
	if e.GetHistorical() && e.GetMember() != "" {
		s.Owner = e.GetMember()
		if s.State == leadv1.State_STATE_RECEIVED {
			s.State = leadv1.State_STATE_WORKING
		}
	}
}

// Command is a command that was carried out on the lead, under the key that
// its caller gave it.
type Command struct {
	Cause string
	Seq   uint64
}

// Remember notes a command, so that its repeat is answered and not done twice.
func (s *State) Remember(cause string, seq uint64) {
	if strings.HasPrefix(cause, CommandPrefix) {
		s.Commands = append(s.Commands, Command{cause, seq})
	}
}

// Done answers the sequence at which a command was carried out.
func (s *State) Done(cause string) (uint64, bool) {
	for _, c := range s.Commands {
		if c.Cause == cause {
			return c.Seq, true
		}
	}
	return 0, false
}

// Clone is a copy that may be evolved without touching the original.
func (s *State) Clone() *State {
	c := *s
	c.Deliveries = slices.Clip(s.Deliveries)
	c.Calls = slices.Clip(s.Calls)
	c.Declined = slices.Clip(s.Declined)
	c.DeclinedAt = slices.Clip(s.DeclinedAt)
	c.TimedOut = slices.Clip(s.TimedOut)
	c.Returned = slices.Clip(s.Returned)
	c.Rejecters = slices.Clip(s.Rejecters)
	c.Excluded = slices.Clip(s.Excluded)
	c.Commands = slices.Clip(s.Commands)
	c.Journey = slices.Clip(s.Journey)
	c.Course = s.Course.clone()
	c.Past = slices.Clip(s.Past)
	return &c
}
