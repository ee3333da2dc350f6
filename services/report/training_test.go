package report

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// TestTrainingCountsRides asks three times and listens once, by month and as of a day
// before that.
func TestTrainingCountsRides(t *testing.T) {
	st := &story{}
	st.received("a", start, nil)
	st.received("b", start, nil)
	st.say("a", start.Add(time.Hour), &leadv1.RideAlongRequested{RideId: "1", Member: "mark"})
	st.say("a", start.Add(48*time.Hour), &leadv1.RideAlongHeld{RideId: "1", Member: "mark", Host: "ana"})
	st.say("b", start.Add(time.Hour), &leadv1.RideAlongRequested{RideId: "1", Member: "mark"})
	st.say("b", start.AddDate(0, 1, 0), &leadv1.RideAlongRequested{RideId: "2", Member: "lena"})
	s := openStore(t)
	refill(t, s, st.events, 3)
	r := NewReports(s, st, fixedStatus{}, clock.NewVirtual(far))
	ask := func(req *feedbackv1.GetReportRequest, requested, held float64, rows int) {
		t.Helper()
		req.Report = reportTraining
		got, err := r.GetReport(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := figure(got.GetTotal(), "requested").GetValue(), figure(got.GetTotal(), "held").GetValue(); a != requested || b != held || len(got.GetRows()) != rows {
			t.Errorf("%v: %v requested, %v held in %d rows; want %v, %v in %d", req, a, b, len(got.GetRows()), requested, held, rows)
		}
	}
	ask(&feedbackv1.GetReportRequest{}, 3, 1, 1)
	ask(&feedbackv1.GetReportRequest{Frame: frameActivity}, 3, 1, 2)
	ask(&feedbackv1.GetReportRequest{AsOf: timestamppb.New(start.Add(24 * time.Hour))}, 2, 0, 1)
	ask(&feedbackv1.GetReportRequest{By: "source"}, 3, 1, 1)
}
