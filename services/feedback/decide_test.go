package feedback

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

var (
	ana     = access.Actor{Handle: "ana", Roles: []string{access.Sales}}
	ben     = access.Actor{Handle: "ben", Roles: []string{access.Sales}}
	manager = access.Actor{Handle: "mia", Roles: []string{access.Manager}}
)

func TestDecideOutcome(t *testing.T) {
	const (
		touch   = leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
		working = leadv1.OutcomeKind_OUTCOME_KIND_WORKING
		won     = leadv1.OutcomeKind_OUTCOME_KIND_WON
		lost    = leadv1.OutcomeKind_OUTCOME_KIND_LOST
	)
	in := func(st leadv1.State, change func(*lead.State)) *lead.State {
		s := &lead.State{ID: "l1", State: st, ReceivedAt: start}
		if change != nil {
			change(s)
		}
		return s
	}
	owned := func(s *lead.State) { s.Owner = "ana" }
	accepted := in(leadv1.State_STATE_ACCEPTED, owned)
	offered := in(leadv1.State_STATE_OFFERED, func(s *lead.State) { s.OfferedTo = "ana" })
	now := start.Add(24 * time.Hour)
	for name, test := range map[string]struct {
		state *lead.State
		actor access.Actor
		req   *feedbackv1.RecordOutcomeRequest
		want  *leadv1.OutcomeRecorded
		fault fault.Kind
		text  string
	}{
		"the owner wins": {
			state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, ValueMinor: 500, Currency: "EUR"},
			want: &leadv1.OutcomeRecorded{Kind: won, Member: "ana", ValueMinor: 500, Currency: "EUR"},
		},
		"a manager says that the owner won": {
			state: in(leadv1.State_STATE_WORKING, owned), actor: manager, req: &feedbackv1.RecordOutcomeRequest{Kind: won},
			want: &leadv1.OutcomeRecorded{Kind: won, Member: "ana"},
		},
		"the owner loses, with a reason": {
			state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: lost, Reason: "no-budget"},
			want: &leadv1.OutcomeRecorded{Kind: lost, Member: "ana", Reason: "no-budget"},
		},
		"work goes on": {
			state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: working},
			want: &leadv1.OutcomeRecorded{Kind: working, Member: "ana"},
		},
		"who was offered it touches": {
			state: offered, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Channel: "email"},
			want: &leadv1.OutcomeRecorded{Kind: touch, Member: "ana", Channel: "email"},
		},
		"the owner touches": {
			state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, OccurredAt: timestamppb.New(start)},
			want: &leadv1.OutcomeRecorded{Kind: touch, Member: "ana"},
		},
		"no such lead":               {state: &lead.State{}, actor: ana, req: &feedbackv1.RecordOutcomeRequest{LeadId: "l1", Kind: won}, fault: fault.NotFound, text: "there is no lead l1"},
		"another's lead":             {state: accepted, actor: ben, req: &feedbackv1.RecordOutcomeRequest{Kind: won}, fault: fault.Denied, text: "lead l1 belongs to ana: its owner or a manager records what became of it"},
		"a touch on another's lead":  {state: accepted, actor: manager, req: &feedbackv1.RecordOutcomeRequest{Kind: touch}, fault: fault.Denied, text: "lead l1 is with ana: a touch is recorded by who has it"},
		"offered is not owned":       {state: offered, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won}, fault: fault.State, text: "lead l1 is offered: it must be accepted before it can be recorded as won"},
		"nobody has it":              {state: in(leadv1.State_STATE_WAITING, nil), actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: touch}, fault: fault.State, text: "lead l1 is waiting and nobody has it: a touch is recorded by who has it"},
		"won already":                {state: in(leadv1.State_STATE_WON, owned), actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won}, fault: fault.State, text: "lead l1 is won already: nothing more can be recorded on it"},
		"lost already":               {state: in(leadv1.State_STATE_LOST, owned), actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: touch}, fault: fault.State, text: "lead l1 is lost already: nothing more can be recorded on it"},
		"refused at the door":        {state: in(leadv1.State_STATE_REFUSED, nil), actor: manager, req: &feedbackv1.RecordOutcomeRequest{Kind: working}, fault: fault.State, text: "lead l1 is refused already: nothing more can be recorded on it"},
		"no kind":                    {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{}, fault: fault.Invalid, text: "kind: say what became of the lead: touch, working, stage, won or lost"},
		"lost without a reason":      {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: lost}, fault: fault.Invalid, text: "reason: a lost deal needs one, as a word such as price or no-budget"},
		"a reason in free text":      {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: lost, Reason: "Mr Miller left"}, fault: fault.Invalid, text: "reason: one word of lower-case letters, digits and hyphens; free text goes into the note"},
		"a reason for a won deal":    {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, Reason: "price"}, fault: fault.Invalid, text: "reason: only a lost deal has one; free text goes into the note"},
		"a value without currency":   {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, ValueMinor: 1}, fault: fault.Invalid, text: "currency: a value needs its currency, such as EUR"},
		"a value of a touch":         {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, ValueMinor: 1, Currency: "EUR"}, fault: fault.Invalid, text: "value_minor, currency: only a won deal has a value"},
		"a channel of a won deal":    {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, Channel: "call"}, fault: fault.Invalid, text: "channel: only a touch has one"},
		"something in the future":    {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, OccurredAt: timestamppb.New(now.Add(time.Minute))}, fault: fault.Invalid, text: "occurred_at: 2026-03-03 09:01 UTC is in the future; it is 2026-03-03 09:00 UTC"},
		"something before the lead":  {state: accepted, actor: ana, req: &feedbackv1.RecordOutcomeRequest{Kind: won, OccurredAt: timestamppb.New(start.Add(-time.Minute))}, fault: fault.Invalid, text: "occurred_at: 2026-03-02 08:59 UTC is before the lead was received, 2026-03-02 09:00 UTC"},
		"the admin is not the owner": {state: accepted, actor: access.Actor{Handle: access.AdminHandle, Admin: true}, req: &feedbackv1.RecordOutcomeRequest{Kind: touch}, fault: fault.Denied, text: "lead l1 is with ana: a touch is recorded by who has it"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecideOutcome(test.state, test.req, test.actor, now, nil, nil)
			if test.want == nil {
				if !fault.Is(err, test.fault) || err.Error() != test.text || got != nil {
					t.Fatalf("answered %v, %v (%v);\nwant %s: %s", got, err, fault.Of(err), test.fault, test.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]proto.Message{test.want}, got, protocmp.Transform()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideOutcomeKeepsTheSealedNote(t *testing.T) {
	note := &leadv1.Sealed{KeyId: "note-1"}
	s := &lead.State{ID: "l1", State: leadv1.State_STATE_ACCEPTED, Owner: "ana"}
	got, err := DecideOutcome(s, &feedbackv1.RecordOutcomeRequest{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Note: "she likes tea"}, ana, start, nil, note)
	if err != nil {
		t.Fatal(err)
	}
	want := []proto.Message{&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Member: "ana", Note: note}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
