package lead

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

var (
	noon  = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	later = noon.Add(time.Hour)
)

func ref(id string) *leadv1.DeliveryRef { return &leadv1.DeliveryRef{DeliveryId: id} }

func months(n int64) *int64 { return &n }

// folded is a lead after events that happened an hour before they were known.
func folded(events ...proto.Message) *State {
	s := &State{ID: "l1"}
	for _, e := range events {
		s.Evolve(e, noon, later)
	}
	return s
}

func opened() *leadv1.LeadReceived {
	return &leadv1.LeadReceived{
		SourceId: "s1", Source: "web", SubmissionId: "u1", Signed: true, SenderNamed: true, ReceivedAt: timestamppb.New(noon),
		Features: &leadv1.Features{Employees: 80}, Personal: &leadv1.Sealed{KeyId: "k1"}, BodyMac: []byte("m1"), Delivery: ref("d1"), NeedsMapping: true,
	}
}

func asMQL() *leadv1.LeadQualified {
	return &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Persona: "decider", Explanation: &leadv1.Explanation{Summary: "fits"}}
}

func offeredTo(member string, n int32) *leadv1.LeadOffered {
	return &leadv1.LeadOffered{
		AgreementVersion: 1, Pool: "inside", Group: "sales", Member: member, Offer: n, Rule: "all", TakeBy: timestamppb.New(noon.Add(2 * time.Hour)),
		Summary: "because", Considered: []*leadv1.Candidate{{Member: member, Eligible: true}},
	}
}

// standIn is an offer of somebody who stands in for another pool, with a reminder.
func standIn() *leadv1.LeadOffered {
	e := offeredTo("ana", 1)
	e.RemindAt, e.FallbackFrom = timestamppb.New(noon.Add(time.Hour)), "outside"
	return e
}

func outcomeOf(kind leadv1.OutcomeKind) *leadv1.OutcomeRecorded {
	return &leadv1.OutcomeRecorded{Kind: kind, Member: "ana"}
}

func queuedFor(rule string) *leadv1.LeadQueued {
	return &leadv1.LeadQueued{AgreementVersion: 1, Pool: "inside", Group: "sales", BlockedBy: rule, Text: "nobody can", Rule: "all", LookAgainAt: timestamppb.New(noon.Add(3 * time.Hour))}
}

func rejectedAs(c leadv1.Consequence) *leadv1.OfferRejected {
	return &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-fit", Consequence: c, AgreementVersion: 1}
}

func nurturedFor(reason string) *leadv1.LeadNurtured {
	return &leadv1.LeadNurtured{AgreementVersion: 1, Reason: reason, Explanation: &leadv1.Explanation{Summary: "not yet"}, RecheckAt: timestamppb.New(noon.Add(720 * time.Hour))}
}

func acmes() *leadv1.AccountMatched {
	return &leadv1.AccountMatched{AccountDomain: "acme.example", Confidence: 100, By: "domain", Candidates: []*leadv1.AccountCandidate{{Domain: "acme.example", Confidence: 100, By: "domain"}}}
}

func callBy(id string, qualifier, reached bool) *leadv1.CallRecorded {
	return &leadv1.CallRecorded{CallId: id, Member: "ana", Qualifier: qualifier, Reached: reached, FitConfirmed: true, HorizonMonths: months(3)}
}

// Each row: a lead with a past, one event, and everything that it changes.
func TestEvolve(t *testing.T) {
	t.Parallel()
	past := func(events ...proto.Message) []proto.Message { return events }
	tests := map[string]struct {
		given []proto.Message
		when  proto.Message
		then  func(s *State)
	}{
		"received": {nil, opened(), func(s *State) {
			s.State, s.Stage = leadv1.State_STATE_RECEIVED, leadv1.Stage_STAGE_LEAD
			s.Source, s.SourceID, s.SubmissionID = "web", "s1", "u1"
			s.Signed, s.SenderNamed, s.NeedsMapping, s.ReceivedAt = true, true, true, noon
			s.Features, s.Personal, s.BodyMAC = &leadv1.Features{Employees: 80}, &leadv1.Sealed{KeyId: "k1"}, []byte("m1")
			s.Deliveries = []string{"d1"}
			s.First, s.Last = Touch{At: noon}, Touch{At: noon}
		}},
		"received as history": {nil, &leadv1.LeadReceived{Historical: true, ReceivedAt: timestamppb.New(noon)}, func(s *State) {
			s.State, s.Stage, s.Historical, s.ReceivedAt = leadv1.State_STATE_RECEIVED, leadv1.Stage_STAGE_LEAD, true, noon
			s.First, s.Last = Touch{At: noon}, Touch{At: noon}
		}},
		"repeated": {past(opened()), &leadv1.SubmissionRepeated{Delivery: ref("d2")}, func(s *State) {
			s.Repeats, s.Deliveries = 1, []string{"d1", "d2"}
		}},
		"repeated under a delivery that is known": {past(opened()), &leadv1.SubmissionRepeated{Delivery: ref("d1")}, func(s *State) {
			s.Repeats = 1
		}},
		"revised": {past(opened()), &leadv1.SubmissionRevised{Delivery: ref("d2"), Features: &leadv1.Features{Employees: 9}, Personal: &leadv1.Sealed{KeyId: "k2"}, BodyMac: []byte("m2")}, func(s *State) {
			s.Revisions, s.Deliveries, s.BodyMAC = 1, []string{"d1", "d2"}, []byte("m2")
			s.Features, s.Personal = &leadv1.Features{Employees: 9}, &leadv1.Sealed{KeyId: "k2"}
		}},
		"revised by anybody": {past(opened()), &leadv1.SubmissionRevised{Delivery: ref("d2"), Features: &leadv1.Features{Employees: 9}, BodyMac: []byte("m2"), Conflict: true}, func(s *State) {
			s.Revisions, s.Deliveries, s.BodyMAC, s.Conflict = 1, []string{"d1", "d2"}, []byte("m2"), true
		}},
		"touched again": {past(opened()), &leadv1.TouchAdded{Delivery: ref("d2"), Kind: SameForm}, func(s *State) {
			s.Joined, s.Deliveries = 1, []string{"d1", "d2"}
			s.Came, s.Journey = 1, []Arrival{{SameForm, noon}}
		}},
		"touched otherwise": {past(opened()), &leadv1.TouchAdded{Delivery: ref("d2"), Kind: "webinar"}, func(s *State) {
			s.Deliveries = append(s.Deliveries, "d2")
			s.Came, s.Journey = 1, []Arrival{{"webinar", noon}}
		}},
		"moved by hand while offered": {past(opened(), asMQL(), offeredTo("ben", 1)), &leadv1.LeadReassigned{From: "ben", Reason: "overload", BatchId: "b1", Excluded: []string{"ben"}}, func(s *State) {
			s.State, s.OfferedTo, s.TakeBy = leadv1.State_STATE_QUALIFIED, "", time.Time{}
			s.Excluded, s.Batch, s.Moved = []string{"ben"}, "b1", Moved{From: "ben", Pool: "inside", Group: "sales"}
		}},
		"moved by hand to somebody, while worked on": {past(opened(), asMQL(), offeredTo("ben", 1), &leadv1.OfferAccepted{Member: "ben", Offer: 1}, outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WORKING)), &leadv1.LeadReassigned{From: "ben", To: "ana", Reason: "left", BatchId: "b1", Accepted: true}, func(s *State) {
			s.State, s.Owner = leadv1.State_STATE_QUALIFIED, ""
			s.Batch, s.MoveTo, s.Moved = "b1", "ana", Moved{From: "ben", Accepted: true, Working: true, Pool: "inside", Group: "sales"}
		}},
		"moved by hand while it waits": {past(opened(), asMQL(), queuedFor("full")), &leadv1.LeadReassigned{Reason: "other", BatchId: "b1"}, func(s *State) {
			s.State, s.BlockedBy, s.BlockedText, s.LookAgainAt = leadv1.State_STATE_QUALIFIED, "", "", time.Time{}
			s.Batch, s.Moved = "b1", Moved{WaitingSince: later, Pool: "inside", Group: "sales"}
		}},
		"given back as their own": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.LeadReassigned{From: "ana", To: "ben", Reason: "undone", BatchId: "b2", Undoes: "b1", Accepted: true, Working: true, Pool: "large", Group: "big"}, func(s *State) {
			s.State, s.Owner, s.OfferedTo, s.TakeBy = leadv1.State_STATE_WORKING, "ben", "", time.Time{}
			s.Pool, s.Group = "large", "big"
			s.Batch, s.Moved = "b2", Moved{From: "ana", Pool: "inside", Group: "sales"}
		}},
		"given back to the line": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.LeadReassigned{From: "ana", Reason: "undone", BatchId: "b2", Undoes: "b1", WaitingSince: timestamppb.New(noon)}, func(s *State) {
			s.State, s.OfferedTo, s.TakeBy, s.WaitingSince = leadv1.State_STATE_QUALIFIED, "", time.Time{}, noon
			s.Batch, s.Moved = "b2", Moved{From: "ana", Pool: "inside", Group: "sales"}
		}},
		"offered after a move": {past(opened(), asMQL(), queuedFor("full"), &leadv1.LeadReassigned{To: "ana", Reason: "other", BatchId: "b1", Excluded: []string{"ben"}}), offeredTo("ana", 1), func(s *State) {
			want := folded(opened(), asMQL(), queuedFor("full"), &leadv1.LeadReassigned{To: "ana", Reason: "other", BatchId: "b1", Excluded: []string{"ben"}})
			want.MoveTo = ""
			want.State, want.Offers, want.OfferedTo, want.TakeBy = leadv1.State_STATE_OFFERED, 1, "ana", noon.Add(2*time.Hour)
			want.RoutingSummary, want.Considered, want.WaitingSince = "because", []*leadv1.Candidate{{Member: "ana", Eligible: true}}, time.Time{}
			want.Handoff = want.First
			*s = *want
		}},
		"accepted after a move": {past(opened(), asMQL(), queuedFor("full"), &leadv1.LeadReassigned{Reason: "other", BatchId: "b1", Excluded: []string{"ben"}}, offeredTo("ana", 1)), &leadv1.OfferAccepted{Member: "ana", Offer: 1}, func(s *State) {
			s.State, s.Owner, s.AcceptedAt, s.OfferedTo, s.TakeBy = leadv1.State_STATE_ACCEPTED, "ana", noon, "", time.Time{}
			s.Excluded, s.Batch, s.Moved = nil, "", Moved{}
		}},
		"touched by the plan": {past(opened(), planned()), &leadv1.NurtureAdvanced{AgreementVersion: 1, Touch: "letter", Made: 1, NextTouch: "call", NextTouchDue: timestamppb.New(later)}, func(s *State) {
			s.NurtureMade, s.NextTouch, s.NextTouchDue = 1, "call", later
		}},
		"touched by the end of the plan": {past(opened(), planned()), &leadv1.NurtureAdvanced{AgreementVersion: 1, Touch: "letter", Made: 1}, func(s *State) {
			s.NurtureMade, s.NextTouch, s.NextTouchDue = 1, "", time.Time{}
		}},
		"looked at on its date": {past(opened(), planned(), &leadv1.TouchAdded{Delivery: ref("d2"), Kind: "letter"}, &leadv1.NurtureAdvanced{Touch: "letter", Made: 1, NextTouch: "call", NextTouchDue: timestamppb.New(later)}), &leadv1.LeadNurtured{AgreementVersion: 2, Reason: ReasonProfile, RecheckAt: timestamppb.New(later), NextTouch: "call", NextTouchDue: timestamppb.New(later)}, func(s *State) {
			s.AgreementVersion, s.RecheckAt, s.Explanation = 2, later, nil
		}},
		"left with marketing for another reason": {past(opened(), planned(), &leadv1.TouchAdded{Delivery: ref("d2"), Kind: "letter"}, &leadv1.NurtureAdvanced{Touch: "letter", Made: 1, NextTouch: "call", NextTouchDue: timestamppb.New(later)}), &leadv1.LeadNurtured{AgreementVersion: 2, Reason: ReasonPersona, RecheckAt: timestamppb.New(later), NextTouch: "letter", NextTouchDue: timestamppb.New(noon)}, func(s *State) {
			s.AgreementVersion, s.RecheckAt, s.Explanation, s.NurtureReason = 2, later, nil, ReasonPersona
			s.NurtureMade, s.CameBefore, s.NextTouch, s.NextTouchDue = 0, 1, "letter", noon
		}},
		"read again with another mapping": {past(opened()), &leadv1.LeadRemapped{Delivery: ref("d1"), Features: &leadv1.Features{Employees: 9}, Personal: &leadv1.Sealed{KeyId: "k2"}}, func(s *State) {
			s.Features, s.Personal, s.NeedsMapping = &leadv1.Features{Employees: 9}, &leadv1.Sealed{KeyId: "k2"}, false
		}},
		"refused": {past(opened()), &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "trap"}, func(s *State) {
			s.State, s.Reason = leadv1.State_STATE_REFUSED, "REFUSAL_REASON_SPAM"
		}},
		"attached":                {past(opened()), &leadv1.PersonAttached{PersonId: "p1", MatchedBy: "email"}, func(s *State) { s.PersonID = "p1" }},
		"matched with an account": {past(opened()), acmes(), func(s *State) { s.Account = acmes() }},
		"matched with none any more": {past(opened(), acmes()), &leadv1.AccountMatched{}, func(s *State) {
			s.Account = nil
		}},
		"held": {past(opened()), &leadv1.QualificationHeld{Rule: "no-agreement", Text: "nothing is signed"}, func(s *State) {
			s.State, s.BlockedBy, s.BlockedText = leadv1.State_STATE_HELD, "no-agreement", "nothing is signed"
		}},
		"qualified after being held": {past(opened(), &leadv1.QualificationHeld{Rule: "no-agreement", Text: "nothing is signed"}), asMQL(), func(s *State) {
			s.State, s.Stage, s.AgreementVersion, s.Persona = leadv1.State_STATE_QUALIFIED, leadv1.Stage_STAGE_MQL, 1, "decider"
			s.BlockedBy, s.BlockedText, s.WaitingSince = "", "", later
			s.Explanation = &leadv1.Explanation{Summary: "fits"}
		}},
		"qualified again out of nurture": {past(opened(), nurturedFor(ReasonProfile)), asMQL(), func(s *State) {
			s.State, s.Stage, s.Persona, s.WaitingSince = leadv1.State_STATE_QUALIFIED, leadv1.Stage_STAGE_MQL, "decider", later
			s.RecheckAt, s.NurtureReason, s.NurtureSince, s.Explanation = time.Time{}, "", time.Time{}, &leadv1.Explanation{Summary: "fits"}
		}},
		"confirmed by the owner's call": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 2, CallId: "c1", Explanation: &leadv1.Explanation{Summary: "soon"}}, func(s *State) {
			s.Stage, s.AgreementVersion, s.DecidedCall, s.Explanation = leadv1.Stage_STAGE_SQL, 2, "c1", &leadv1.Explanation{Summary: "soon"}
		}},
		"a lower stage takes nothing back": {past(opened(), asMQL(), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 1, CallId: "c1"}), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SAL, AgreementVersion: 1, CallId: "c2"}, func(s *State) {
			s.DecidedCall = "c2"
		}},
		"qualified again opens it to all": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferTimedOut{Member: "ana", Offer: 1}, offeredTo("ben", 2), rejectedAs(leadv1.Consequence_CONSEQUENCE_NEXT_PERSON)), asMQL(), func(s *State) {
			s.Declined, s.DeclinedAt, s.TimedOut, s.WaitingSince = nil, nil, nil, later
			s.Consequence = leadv1.Consequence_CONSEQUENCE_UNSPECIFIED
		}},
		"nurtured by the profile": {past(opened()), nurturedFor(ReasonProfile), func(s *State) {
			s.State, s.AgreementVersion, s.NurtureReason = leadv1.State_STATE_NURTURING, 1, ReasonProfile
			s.Explanation, s.RecheckAt, s.NurtureSince = &leadv1.Explanation{Summary: "not yet"}, noon.Add(720*time.Hour), noon
		}},
		"nurtured by a call, out of somebody's hands": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}, callBy("c1", true, true)), nurturedFor(ReasonCall), func(s *State) {
			s.State, s.NurtureReason, s.DecidedCall, s.Owner = leadv1.State_STATE_NURTURING, ReasonCall, "c1", ""
			s.Explanation, s.RecheckAt, s.NurtureSince = &leadv1.Explanation{Summary: "not yet"}, noon.Add(720*time.Hour), noon
		}},
		"nurtured out of the line": {past(opened(), asMQL(), queuedFor("full")), nurturedFor(ReasonCall), func(s *State) {
			s.State, s.NurtureReason, s.BlockedBy, s.BlockedText = leadv1.State_STATE_NURTURING, ReasonCall, "", ""
			s.Explanation, s.RecheckAt, s.NurtureSince = &leadv1.Explanation{Summary: "not yet"}, noon.Add(720*time.Hour), noon
		}},
		"called": {past(opened()), callBy("c1", true, true), func(s *State) {
			s.Calls, s.Touches, s.TouchesTried, s.FirstTouchAt = []*leadv1.CallRecorded{callBy("c1", true, true)}, 1, 1, noon
		}},
		"offered out of the line": {past(opened(), asMQL(), queuedFor("full")), offeredTo("ana", 1), func(s *State) {
			s.Handoff = Touch{At: noon}
			s.State, s.Offers, s.OfferedTo, s.TakeBy = leadv1.State_STATE_OFFERED, 1, "ana", noon.Add(2*time.Hour)
			s.RoutingSummary, s.Considered = "because", []*leadv1.Candidate{{Member: "ana", Eligible: true}}
			s.BlockedBy, s.BlockedText, s.WaitingSince, s.LookAgainAt = "", "", time.Time{}, time.Time{}
		}},
		"queued": {past(opened(), asMQL()), queuedFor("full"), func(s *State) {
			s.State, s.Pool, s.Group, s.Rule = leadv1.State_STATE_WAITING, "inside", "sales", "all"
			s.BlockedBy, s.BlockedText, s.RoutingSummary = "full", "nobody can", "nobody can"
			s.LookAgainAt = noon.Add(3 * time.Hour)
		}},
		"queued after an offer begins to wait anew": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferTimedOut{Member: "ana", Offer: 1}), queuedFor("declined"), func(s *State) {
			s.State, s.BlockedBy, s.BlockedText, s.RoutingSummary = leadv1.State_STATE_WAITING, "declined", "nobody can", "nobody can"
			s.Considered, s.WaitingSince, s.LookAgainAt = nil, later, noon.Add(3*time.Hour)
		}},
		"accepted": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.OfferAccepted{Member: "ana", Offer: 1}, func(s *State) {
			s.State, s.Owner, s.AcceptedAt, s.OfferedTo, s.TakeBy = leadv1.State_STATE_ACCEPTED, "ana", noon, "", time.Time{}
		}},
		"rejected to the next": {past(opened(), asMQL(), offeredTo("ana", 1)), rejectedAs(leadv1.Consequence_CONSEQUENCE_NEXT_PERSON), func(s *State) {
			s.State, s.OfferedTo, s.TakeBy, s.Declined = leadv1.State_STATE_QUALIFIED, "", time.Time{}, []string{"ana"}
			s.Rejecters = []string{"ana"}
			s.DeclinedAt = []time.Time{later}
			s.Reason, s.Consequence, s.Rejections = "no-fit", leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, 1
		}},
		"rejected by its owner back to marketing": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), rejectedAs(leadv1.Consequence_CONSEQUENCE_NURTURE), func(s *State) {
			s.State, s.Owner, s.Declined, s.DeclinedAt = leadv1.State_STATE_QUALIFIED, "", []string{"ana"}, []time.Time{later}
			s.Rejecters = []string{"ana"}
			s.Reason, s.Consequence, s.Rejections = "no-fit", leadv1.Consequence_CONSEQUENCE_NURTURE, 1
			s.Returned = []string{"ana"}
		}},
		"rejected for good": {past(opened(), asMQL(), offeredTo("ana", 1)), rejectedAs(leadv1.Consequence_CONSEQUENCE_DISQUALIFY), func(s *State) {
			s.State, s.ClosedAt, s.OfferedTo, s.TakeBy, s.Declined = leadv1.State_STATE_LOST, noon, "", time.Time{}, []string{"ana"}
			s.Rejecters = []string{"ana"}
			s.DeclinedAt = []time.Time{later}
			s.Reason, s.Consequence, s.Rejections = "no-fit", leadv1.Consequence_CONSEQUENCE_DISQUALIFY, 1
		}},
		"offered with a reminder, by the stand-in": {past(opened(), asMQL()), standIn(), func(s *State) {
			s.State, s.AgreementVersion, s.Pool, s.Group, s.Rule = leadv1.State_STATE_OFFERED, 1, "inside", "sales", "all"
			s.Offers, s.OfferedTo, s.TakeBy, s.RemindAt = 1, "ana", noon.Add(2*time.Hour), noon.Add(time.Hour)
			s.RoutingSummary, s.Considered, s.WaitingSince, s.FallbackFrom = "because", standIn().GetConsidered(), time.Time{}, "outside"
			s.Handoff = s.Last
		}},
		"reminded": {past(opened(), asMQL(), standIn()), &leadv1.OfferReminded{Member: "ana", Offer: 1}, func(s *State) {
			s.RemindAt = time.Time{}
		}},
		"reminded of an offer of before": {past(opened(), asMQL(), standIn()), &leadv1.OfferReminded{Member: "ana", Offer: 2}, func(*State) {}},
		"queued with a stand-in to come": {past(opened(), asMQL()), &leadv1.LeadQueued{AgreementVersion: 1, Pool: "inside", Group: "sales", BlockedBy: "full", Text: "nobody can", FallbackAt: timestamppb.New(noon.Add(time.Hour)), FallbackFrom: "outside"}, func(s *State) {
			s.State, s.AgreementVersion, s.Pool, s.Group = leadv1.State_STATE_WAITING, 1, "inside", "sales"
			s.BlockedBy, s.BlockedText, s.RoutingSummary = "full", "nobody can", "nobody can"
			s.FallbackAt, s.FallbackFrom = noon.Add(time.Hour), "outside"
		}},
		"NoticeQueued moves nothing":    {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.NoticeQueued{}, func(s *State) { s.Events-- }},
		"NoticeSent moves nothing":      {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.NoticeSent{}, func(s *State) { s.Events-- }},
		"NoticeFailed moves nothing":    {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.NoticeFailed{}, func(s *State) { s.Events-- }},
		"NoticeOpened moves nothing":    {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.NoticeOpened{}, func(s *State) { s.Events-- }},
		"NoticeRequested moves nothing": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.NoticeRequested{}, func(s *State) { s.Events-- }},
		"RecordWritten moves nothing":   {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.RecordWritten{}, func(s *State) { s.Events-- }},
		"timed out": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.OfferTimedOut{Member: "ana", Offer: 1}, func(s *State) {
			s.State, s.OfferedTo, s.TakeBy, s.TimedOut = leadv1.State_STATE_QUALIFIED, "", time.Time{}, []string{"ana"}
		}},
		"touched": {past(opened(), asMQL(), offeredTo("ana", 1)), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_TOUCH), func(s *State) {
			s.Touches, s.TouchesTried, s.FirstTouchAt = 1, 1, noon
		}},
		"worked": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WORKING), func(s *State) {
			s.State = leadv1.State_STATE_WORKING
		}},
		"touched by the person": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Direction: DirectionIn}, func(s *State) {
			s.Touches, s.FirstTouchAt = 1, noon
		}},
		"offered anew, nobody has tried yet": {past(opened(), asMQL(), offeredTo("ben", 1), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_TOUCH), &leadv1.OfferTimedOut{Member: "ben", Offer: 1}), offeredTo("ana", 2), func(s *State) {
			s.TouchesTried, s.State, s.Offers, s.OfferedTo, s.TakeBy = 0, leadv1.State_STATE_OFFERED, 2, "ana", noon.Add(2*time.Hour)
			s.Considered = []*leadv1.Candidate{{Member: "ana", Eligible: true}}
		}},
		"given back with what was tried": {past(opened(), asMQL(), offeredTo("ben", 1), &leadv1.OfferAccepted{Member: "ben", Offer: 1}, outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_TOUCH), &leadv1.LeadReassigned{From: "ben", To: "ana", BatchId: "b1"}, offeredTo("ana", 2)), &leadv1.LeadReassigned{From: "ana", To: "ben", BatchId: "b2", Undoes: "b1", Accepted: true, Pool: "inside", Group: "sales"}, func(s *State) {
			s.State, s.Owner, s.OfferedTo, s.TakeBy, s.TouchesTried = leadv1.State_STATE_ACCEPTED, "ben", "", time.Time{}, 1
			s.Batch, s.Moved = "b2", Moved{From: "ana", Pool: "inside", Group: "sales"}
		}},
		"a deal that begins": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, Member: "ana", DealStage: "offer"}, func(s *State) {
			s.State, s.DealStage = leadv1.State_STATE_WORKING, "offer"
		}},
		"a deal that is won stays at its stage": {past(opened(), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, DealStage: "offer"}), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WON), func(s *State) {
			s.State, s.ClosedAt = leadv1.State_STATE_WON, noon
		}},
		"FeedbackGiven moves nothing":      {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.FeedbackGiven{}, func(s *State) { s.Events-- }},
		"DisputeOpened moves nothing":      {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.DisputeOpened{}, func(s *State) { s.Events-- }},
		"DisputeAnswered moves nothing":    {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.DisputeAnswered{}, func(s *State) { s.Events-- }},
		"DisputeEscalated moves nothing":   {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.DisputeEscalated{}, func(s *State) { s.Events-- }},
		"DisputeDecided moves nothing":     {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.DisputeDecided{}, func(s *State) { s.Events-- }},
		"RideAlongRequested moves nothing": {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.RideAlongRequested{}, func(s *State) { s.Events-- }},
		"RideAlongHeld moves nothing":      {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.RideAlongHeld{}, func(s *State) { s.Events-- }},
		"DisputeLinked moves nothing":      {past(opened(), asMQL(), offeredTo("ana", 1)), &leadv1.DisputeLinked{}, func(s *State) { s.Events-- }},
		"qualified for a purpose": {past(opened(), nurturedFor(ReasonProfile)), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Purpose: "retention"}, func(s *State) {
			s.State, s.Stage, s.WaitingSince, s.Purpose = leadv1.State_STATE_QUALIFIED, leadv1.Stage_STAGE_MQL, later, "retention"
			s.RecheckAt, s.NurtureReason, s.NurtureSince, s.Explanation = time.Time{}, "", time.Time{}, nil
		}},
		"nurtured for a purpose": {past(opened()), &leadv1.LeadNurtured{AgreementVersion: 1, Reason: ReasonProfile, RecheckAt: timestamppb.New(later), Purpose: "retention"}, func(s *State) {
			s.State, s.AgreementVersion, s.NurtureReason, s.Purpose = leadv1.State_STATE_NURTURING, 1, ReasonProfile, "retention"
			s.RecheckAt, s.NurtureSince = later, noon
		}},
		"worked, though nobody has taken it": {past(opened(), asMQL()), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WORKING), func(*State) {}},
		"won": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: 5, Currency: "EUR"}, func(s *State) {
			s.State, s.ClosedAt, s.ValueMinor, s.Currency = leadv1.State_STATE_WON, noon, 5, "EUR"
		}},
		"lost": {past(opened(), asMQL(), offeredTo("ana", 1), &leadv1.OfferAccepted{Member: "ana", Offer: 1}), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Member: "ana", Reason: "price"}, func(s *State) {
			s.State, s.ClosedAt, s.Reason = leadv1.State_STATE_LOST, noon, "price"
		}},
		"history with an owner": {past(&leadv1.LeadReceived{Historical: true, ReceivedAt: timestamppb.New(noon)}), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Member: "zoe", Historical: true}, func(s *State) {
			s.State, s.Owner = leadv1.State_STATE_WORKING, "zoe"
		}},
		"history that was won": {past(&leadv1.LeadReceived{Historical: true, ReceivedAt: timestamppb.New(noon)}), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "zoe", Historical: true}, func(s *State) {
			s.State, s.Owner, s.ClosedAt = leadv1.State_STATE_WON, "zoe", noon
		}},
		"history with another owner": {past(&leadv1.LeadReceived{Historical: true, ReceivedAt: timestamppb.New(noon)}, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Member: "zoe", Historical: true}), &leadv1.LeadReassigned{From: "zoe", To: "ana", Reason: ReasonImported, BatchId: "b"}, func(s *State) {
			s.Owner, s.Past = "ana", []OwnerChange{{At: noon, From: "zoe", To: "ana"}}
		}},
		"set aside": {past(opened()), &leadv1.HandlingFailed{Service: "routing", Text: "planted"}, func(s *State) {
			s.Failure, s.FailedService = "planted", "routing"
		}},
		"moved on after being set aside": {past(opened(), &leadv1.HandlingFailed{Service: "routing", Text: "planted"}), asMQL(), func(s *State) {
			s.State, s.Stage, s.AgreementVersion, s.Persona = leadv1.State_STATE_QUALIFIED, leadv1.Stage_STAGE_MQL, 1, "decider"
			s.WaitingSince, s.Explanation = later, &leadv1.Explanation{Summary: "fits"}
			s.Failure, s.FailedService = "", ""
		}},
		// What a clock says is of its course, and moves nothing else.
		"reminded by a clock":   {past(opened()), &leadv1.ClockReminded{Clock: &leadv1.ClockRef{Clock: "take"}}, func(*State) {}},
		"a clock ran out":       {past(opened(), &leadv1.HandlingFailed{Service: "routing", Text: "planted"}), &leadv1.ClockBreached{Clock: &leadv1.ClockRef{Clock: "take"}}, func(*State) {}},
		"a clock was escalated": {past(opened()), &leadv1.ClockEscalated{Clock: &leadv1.ClockRef{Clock: "take"}, Step: 1}, func(*State) {}},
		"a clock was restated":  {past(opened()), &leadv1.ClockRestated{Clock: &leadv1.ClockRef{Clock: "take"}}, func(*State) {}},
	}
	covered := map[string]bool{}
	for name, test := range tests {
		covered[string(test.when.ProtoReflect().Descriptor().Name())] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := folded(test.given...)
			test.then(want)
			want.Events++
			got := folded(test.given...)
			got.Evolve(test.when, noon, later)
			// What clocks see has a test of its own.
			want.Course, got.Course = Course{}, Course{}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	// Whatever the contract says can happen to a lead has its row. The file's
	// messages that are no events are named, so that a new one is not forgotten.
	parts := map[string]bool{
		"Sealed": true, "PersonalData": true, "Answer": true, "Features": true, "Value": true, "Attribution": true, "DeliveryRef": true,
		"Criterion": true, "NamedValue": true, "Score": true, "ScorePart": true, "Explanation": true, "Candidate": true, "CandidateCounts": true, "ReasonCount": true,
		"Consent": true, "FieldFound": true, "AccountCandidate": true, "ClockRef": true,
	}
	messages := opened().ProtoReflect().Descriptor().ParentFile().Messages()
	for i := range messages.Len() {
		name := string(messages.Get(i).Name())
		if !parts[name] && !covered[name] {
			t.Errorf("no row says what %s does", name)
		}
	}
}

// planned leaves a lead with marketing, with a plan.
func planned() *leadv1.LeadNurtured {
	return &leadv1.LeadNurtured{AgreementVersion: 1, Reason: ReasonProfile, RecheckAt: timestamppb.New(noon), NextTouch: "letter", NextTouchDue: timestamppb.New(noon)}
}

func TestWhatIsNotOfALeadLeavesItAlone(t *testing.T) {
	t.Parallel()
	for _, e := range []proto.Message{
		nil, &routingv1.PoolAdvanced{Steps: []*routingv1.PoolStep{{LeadId: "l1"}}}, &routingv1.MemberAdded{Member: "ana"},
		&intakev1.DeliveryRefused{}, &leadv1.Features{Employees: 1}, &timestamppb.Timestamp{},
	} {
		for _, given := range [][]proto.Message{nil, {opened()}, {opened(), &leadv1.HandlingFailed{Service: "routing", Text: "planted"}}} {
			want, got := folded(given...), folded(given...)
			got.Evolve(e, noon, later)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%T changed the lead (-want +got)\n%s", e, diff)
			}
		}
	}
}

func TestUndecidedCall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		calls   []*leadv1.CallRecorded
		decided string
		want    string
	}{
		"none":                              {},
		"not a qualifier's":                 {calls: []*leadv1.CallRecorded{callBy("c1", false, true)}},
		"nobody reached":                    {calls: []*leadv1.CallRecorded{callBy("c1", true, false)}},
		"one":                               {calls: []*leadv1.CallRecorded{callBy("c1", true, true)}, want: "c1"},
		"used":                              {calls: []*leadv1.CallRecorded{callBy("c1", true, true)}, decided: "c1"},
		"the oldest first":                  {calls: []*leadv1.CallRecorded{callBy("c1", false, true), callBy("c2", true, true), callBy("c3", true, true)}, want: "c2"},
		"the next after the used one":       {calls: []*leadv1.CallRecorded{callBy("c1", true, true), callBy("c2", true, false), callBy("c3", true, true)}, decided: "c1", want: "c3"},
		"nothing before the used one":       {calls: []*leadv1.CallRecorded{callBy("c1", true, true), callBy("c2", true, true)}, decided: "c2"},
		"the used one stands there twice":   {calls: []*leadv1.CallRecorded{callBy("c1", true, true), callBy("c1", true, true)}, decided: "c1"},
		"the next after one recorded twice": {calls: []*leadv1.CallRecorded{callBy("c1", true, true), callBy("c1", true, true), callBy("c2", true, true)}, decided: "c1", want: "c2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &State{Calls: test.calls, DecidedCall: test.decided}
			if got := s.UndecidedCall().GetCallId(); got != test.want {
				t.Errorf("the call %q is undecided, want %q", got, test.want)
			}
		})
	}
}

func TestCommandsAreRemembered(t *testing.T) {
	t.Parallel()
	s := &State{}
	s.Remember("due:l1:1", 4)
	s.Remember("cmd:accept:x", 5)
	if seq, ok := s.Done("cmd:accept:x"); !ok || seq != 5 {
		t.Errorf("carried out at %d, %v; want 5", seq, ok)
	}
	for _, cause := range []string{"due:l1:1", "cmd:accept:y", ""} {
		if seq, ok := s.Done(cause); ok {
			t.Errorf("%q is said to be carried out at %d", cause, seq)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if id, ok := FromSubject(SubjectOf("abc")); id != "abc" || !ok {
		t.Errorf("%q, %v", id, ok)
	}
	for _, subject := range []string{"lead.", "person.x", "pool.sales", "", "leads.x"} {
		if id, ok := FromSubject(subject); ok {
			t.Errorf("%q is the subject of a lead %q", subject, id)
		}
	}
	for token, want := range map[string]bool{
		"abc-09": true, "": false, "a.b": false, "a*": false, ">": false, "A": false, "a b": false, "é": false,
		string(make([]byte, 65)): false,
	} {
		if Safe(token) != want {
			t.Errorf("Safe(%q) is %v", token, !want)
		}
	}
	if id := ID("c", []byte("0123456789abcdefmore")); len(id) != 27 || !Safe(id) || id != ID("c", []byte("0123456789abcdefless")) {
		t.Errorf("the id %q is not made of the first 16 bytes, or not safe", id)
	}
	if StateWord(leadv1.State_STATE_NURTURING) != "nurturing" || StateWord(leadv1.State_STATE_UNSPECIFIED) != "unknown" || StageWord(leadv1.Stage_STAGE_SQL) != "SQL" || StageWord(leadv1.Stage_STAGE_UNSPECIFIED) != "" {
		t.Error("a word for a state or a stage changed")
	}
}

// anything draws any event of a lead, in any order: legal or not.
func anything(t *rapid.T) proto.Message {
	who := rapid.SampledFrom([]string{"ana", "ben", "chloe"}).Draw(t, "member")
	id := rapid.StringMatching("[a-d]").Draw(t, "id")
	return rapid.SampledFrom([]proto.Message{
		opened(), &leadv1.SubmissionRepeated{Delivery: ref(id)}, &leadv1.SubmissionRevised{Delivery: ref(id), Conflict: id == "a"}, &leadv1.TouchAdded{Delivery: ref(id)},
		&leadv1.LeadRefused{}, &leadv1.PersonAttached{PersonId: id}, acmes(), &leadv1.QualificationHeld{Rule: "no-agreement"},
		asMQL(), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: 2, CallId: id},
		nurturedFor(ReasonProfile), nurturedFor(ReasonCall), callBy(id, id != "b", id != "c"), offeredTo(who, 1), queuedFor(id),
		&leadv1.OfferAccepted{Member: who, Offer: 1}, &leadv1.OfferTimedOut{Member: who, Offer: 1},
		&leadv1.OfferRejected{Member: who, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON}, &leadv1.OfferRejected{Member: who, Consequence: leadv1.Consequence_CONSEQUENCE_NURTURE},
		&leadv1.OfferRejected{Member: who, Consequence: leadv1.Consequence_CONSEQUENCE_DISQUALIFY},
		outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_TOUCH), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WORKING), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_WON), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_LOST), outcomeOf(leadv1.OutcomeKind_OUTCOME_KIND_STAGE),
		&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Member: who, Historical: true},
		&leadv1.OfferReminded{Member: who, Offer: 1}, &leadv1.LeadReassigned{From: who, Reason: "left", BatchId: id},
		&leadv1.HandlingFailed{Service: "routing"}, &routingv1.PoolAdvanced{},
	}).Draw(t, "event")
}

// holder is the oracle of who holds a lead: one short rule for each event.
type holder struct {
	member string
	// fresh: received and nothing else; owned: theirs, and not only offered.
	fresh, owned bool
}

func (h holder) after(e proto.Message) holder {
	switch e := e.(type) {
	case *leadv1.LeadReceived:
		return holder{fresh: true}
	case *leadv1.LeadOffered:
		return holder{member: e.GetMember()}
	case *leadv1.OfferAccepted:
		return holder{member: e.GetMember(), owned: true}
	case *leadv1.LeadRefused, *leadv1.QualificationHeld, *leadv1.LeadNurtured, *leadv1.LeadQueued, *leadv1.LeadReassigned, *leadv1.OfferRejected, *leadv1.OfferTimedOut:
		return holder{}
	case *leadv1.LeadQualified:
		h.fresh = false
	case *leadv1.OutcomeRecorded:
		switch {
		case e.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_WON || e.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_LOST:
			return holder{}
		case e.GetHistorical() && (h.fresh || h.owned):
			return holder{member: e.GetMember(), owned: true}
		}
	}
	return h
}

// Whatever happens in whatever order, a lead is in one known state, and with
// nobody or with exactly the one who got it last.
//
// Goes red if: LeadQueued keeps the owner, OfferTimedOut leaves the state
// OFFERED, or a confirming call sets the state of a held lead to QUALIFIED.
func TestOneStateAndOneHolder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, want := &State{ID: "l1"}, holder{}
		for range rapid.IntRange(0, 40).Draw(t, "length") {
			e := anything(t)
			s.Evolve(e, noon, later)
			want = want.after(e)
			if s.State.Descriptor().Values().ByNumber(s.State.Number()) == nil {
				t.Fatalf("%T leads to the state %d, which there is not", e, s.State)
			}
			member, held := s.Held()
			if member != want.member || held != (want.member != "") {
				t.Fatalf("after %T the lead is %s with %q (%v), want %q", e, StateWord(s.State), member, held, want.member)
			}
			if held && !s.Open() {
				t.Fatalf("after %T the lead is %s and still with %s", e, StateWord(s.State), member)
			}
		}
	})
}

// growing draws an event that makes one of the state's lists longer.
func growing(t *rapid.T) proto.Message {
	id := rapid.StringMatching("[a-z]{3}").Draw(t, "id")
	return rapid.SampledFrom([]proto.Message{
		&leadv1.SubmissionRepeated{Delivery: ref(id)}, callBy(id, true, true), &leadv1.OfferTimedOut{Member: id, Offer: 1},
		&leadv1.OfferRejected{Member: id, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON},
	}).Draw(t, "event")
}

// A clone and its original part ways: what happens to one is never seen in the
// other, whichever moves first.
//
// Goes red if: Clone copies a slice without clipping it.
func TestCloneIsIndependent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []proto.Message {
			return rapid.SliceOfN(rapid.OneOf(rapid.Custom(anything), rapid.Custom(growing), rapid.Custom(growing)), 0, 24).Draw(t, name)
		}
		before, ours, theirs := draw("before"), draw("original"), draw("clone")
		fold := func(s *State, events []proto.Message, cause string) {
			for i, e := range events {
				s.Evolve(e, noon, later)
				s.Remember(CommandPrefix+cause, uint64(i))
			}
		}
		made := func(after []proto.Message, cause string) *State {
			s := &State{ID: "l1"}
			fold(s, before, "before")
			fold(s, after, cause)
			return s
		}
		original := &State{ID: "l1"}
		fold(original, before, "before")
		clone := original.Clone()
		if rapid.Bool().Draw(t, "original first") {
			fold(original, ours, "ours")
			fold(clone, theirs, "theirs")
		} else {
			fold(clone, theirs, "theirs")
			fold(original, ours, "ours")
		}
		if diff := cmp.Diff(made(ours, "ours"), original, protocmp.Transform()); diff != "" {
			t.Errorf("the original shows what happened to its clone (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(made(theirs, "theirs"), clone, protocmp.Transform()); diff != "" {
			t.Errorf("the clone shows what happened to its original (-want +got)\n%s", diff)
		}
	})
}

// The same, list by list and length by length: what is appended to the one
// must not stand in the other's next place.
func TestCloneSharesNoList(t *testing.T) {
	t.Parallel()
	for name, grow := range map[string]func(s *State, id string){
		"deliveries": func(s *State, id string) { s.Evolve(&leadv1.SubmissionRepeated{Delivery: ref(id)}, noon, later) },
		"calls":      func(s *State, id string) { s.Evolve(callBy(id, true, true), noon, later) },
		"declined": func(s *State, id string) {
			s.Evolve(&leadv1.OfferRejected{Member: id, Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON}, noon, later)
		},
		"timed out": func(s *State, id string) { s.Evolve(&leadv1.OfferTimedOut{Member: id}, noon, later) },
		"commands":  func(s *State, id string) { s.Remember(CommandPrefix+id, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for length := range 9 {
				made := func(last string) *State {
					s := &State{ID: "l1"}
					for i := range length {
						grow(s, string(rune('a'+i)))
					}
					grow(s, last)
					return s
				}
				original := &State{ID: "l1"}
				for i := range length {
					grow(original, string(rune('a'+i)))
				}
				clone := original.Clone()
				grow(original, "original")
				grow(clone, "clone")
				for want, got := range map[*State]*State{made("original"): original, made("clone"): clone} {
					if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
						t.Errorf("at length %d (-want +got)\n%s", length, diff)
					}
				}
			}
		})
	}
}

func TestNurtureDue(t *testing.T) {
	t.Parallel()
	with := leadv1.State_STATE_NURTURING
	for name, test := range map[string]struct {
		given State
		want  time.Time
	}{
		"not with marketing":            {State{State: leadv1.State_STATE_OFFERED, RecheckAt: later, NurtureSince: noon}, time.Time{}},
		"the touch comes first":         {State{State: with, NurtureSince: noon, NextTouch: "letter", NextTouchDue: noon.Add(time.Minute), RecheckAt: later}, noon.Add(time.Minute)},
		"the second look comes first":   {State{State: with, NurtureSince: noon, NextTouch: "letter", NextTouchDue: later.Add(time.Hour), RecheckAt: later}, later},
		"the plan holds no more":        {State{State: with, NurtureSince: noon, RecheckAt: later}, later},
		"no date for a second look":     {State{State: with, NurtureSince: noon, NextTouch: "letter", NextTouchDue: later}, later},
		"no date, read as 1970":         {State{State: with, NurtureSince: noon, RecheckAt: time.Unix(0, 0)}, noon},
		"nothing planned: due at once":  {State{State: with, NurtureSince: noon}, noon},
		"a touch without a date counts": {State{State: with, NurtureSince: noon, NextTouch: "letter", RecheckAt: later}, later},
	} {
		if got := test.given.NurtureDue(); !got.Equal(test.want) {
			t.Errorf("%s: due %s; want %s", name, got, test.want)
		}
	}
}
