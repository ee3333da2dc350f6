package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// A version takes force at its instant: what is decided before cites the one
// before, what is decided from then on cites it, also where something happened
// earlier and became known late. Both times are kept.
func TestAVersionTakesForceAtItsInstant(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	instant := monday.Add(2 * time.Hour)
	second := strings.Replace(string(h.document()), "# in_force_from: 2027-01-01T00:00:00Z", "in_force_from: "+instant.Format(time.RFC3339), 1)
	second = strings.Replace(second, "horizon_months: 6", "horizon_months: 12", 1)
	h.agree([]byte(second))

	cites := func(id string) (versions []int64) {
		for _, one := range bodies[*leadv1.LeadQualified](h, id) {
			versions = append(versions, one.GetAgreementVersion())
		}
		return versions
	}
	h.time.Set(instant.Add(-time.Nanosecond))
	before := h.submit("before", filled(1))
	h.settle()
	h.time.Set(instant)
	after := h.submit("after", filled(2))
	h.settle()
	same(t, "versions cited just before and at the instant", [][]int64{cites(before), cites(after)}, [][]int64{{1}, {2}})

	// A call of before becomes known after: it is decided by what is agreed now, and
	// the log keeps when it took place.
	took := instant.Add(-time.Hour)
	horizon := int64(9)
	must[*qualificationv1.RecordCallResponse](t)(qualificationv1.NewQualificationServiceClient(h.conn).RecordCall(h.as("ana"), &qualificationv1.RecordCallRequest{
		LeadId: before, IdempotencyKey: "late", Reached: true, FitConfirmed: true, HorizonMonths: &horizon, OccurredAt: timestamppb.New(took),
	}))
	h.settle()
	decided := bodies[*leadv1.LeadQualified](h, before)
	same(t, "the late call's decision", []any{decided[1].GetStage(), decided[1].GetAgreementVersion()}, []any{leadv1.Stage_STAGE_SQL, int64(2)})
	for _, e := range must[[]*ledger.Event](t)(h.App.log.History(t.Context(), lead.SubjectOf(before))) {
		if _, ok := e.Body.(*leadv1.CallRecorded); ok {
			same(t, "when the call took place, and when it became known", []time.Time{e.Occurred, e.Recorded}, []time.Time{took, instant})
		}
	}
	whole(t, h)
}
