package lead

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// A moment knows what was known of the lead then, whatever becomes known later, and
// because of what it came late. Imported history has none.
func TestCourse(t *testing.T) {
	t.Parallel()
	small, large := &leadv1.Features{Employees: 5}, &leadv1.Features{Employees: 500}
	c := &Course{}
	for i, e := range []struct {
		body            proto.Message
		occurred, known time.Time
	}{
		{&leadv1.LeadReceived{Features: small}, noon, noon},
		{&leadv1.TouchAdded{Kind: "webinar"}, noon, noon},
		{&leadv1.LeadQualified{}, noon, noon},
		{&leadv1.SubmissionRevised{Features: large}, noon, noon},
		{&leadv1.SubmissionRevised{Features: small, Conflict: true}, noon, noon},
		{&leadv1.LeadOffered{Member: "ana", Pool: "inside"}, noon, noon},
		{&leadv1.ClockBreached{Clock: &leadv1.ClockRef{Clock: "take", StartedAt: timestamppb.New(noon)}}, noon, later},
		{&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"}, noon, later},
		{&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_STAGE, Member: "ana", DealStage: "offer"}, later, later},
		{&leadv1.ClockRestated{Clock: &leadv1.ClockRef{Clock: "take", StartedAt: timestamppb.New(noon)}, Because: "e7", WasSpent: durationpb.New(time.Hour)}, later, later},
		{&leadv1.OfferRejected{Member: "ana", Consequence: leadv1.Consequence_CONSEQUENCE_DISQUALIFY}, later, later},
	} {
		if c.Evolve(e.body, e.occurred, e.known) {
			c.Named("e" + string(rune('0'+i)))
		}
	}
	first, second, third := &Picture{Features: small}, &Picture{small, []Arrival{{"webinar", noon}}}, &Picture{large, []Arrival{{"webinar", noon}}}
	want := &Course{Picture: third, Moments: []Moment{
		{Kind: MomentReceived, At: noon, Known: noon, Picture: first},
		{Kind: MomentQualified, At: noon, Known: noon, Picture: second},
		{Kind: MomentOffered, At: noon, Known: noon, Member: "ana", Pool: "inside", Picture: third},
		{Kind: MomentTouched, At: noon, Known: later, Member: "ana", Picture: third, Event: "e7"},
		{Kind: MomentWorked, At: later, Known: later, Member: "ana", Picture: third},
		{Kind: MomentRejected, At: later, Known: later, Member: "ana", Picture: third},
		{Kind: MomentClosed, At: later, Known: later, Member: "ana", Picture: third},
	}, Said: []ClockSaid{{Kind: ClockBreached, Clock: "take", Started: noon}, {Kind: ClockRestated, Clock: "take", Started: noon, Because: "e7", Was: time.Hour}}}
	if diff := cmp.Diff(want, c, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	moved := &Course{}
	moved.Evolve(&leadv1.LeadReassigned{From: "ana", To: "ben"}, noon, noon)
	moved.Evolve(&leadv1.LeadReassigned{From: "ben", To: "ana", Pool: "inside", Undoes: "m1", Accepted: true}, noon, noon)
	if got := moved.Moments; len(got) != 2 || got[0].Kind != MomentMoved || got[0].Member != "ana" ||
		got[1].Kind != MomentGivenBack || got[1].Member != "ana" || got[1].Pool != "inside" {
		t.Errorf("a move and what took it back: %+v", got)
	}
	past := &Course{}
	past.Evolve(&leadv1.LeadReceived{Historical: true}, noon, noon)
	if past.Evolve(&leadv1.OfferAccepted{Member: "ana"}, noon, noon) || len(past.Moments) > 0 {
		t.Errorf("history has clocks: %v", past.Moments)
	}
}
