package report

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// Reports answers reports from the read model: the ReportService.
type Reports struct {
	feedbackv1.UnimplementedReportServiceServer
	store  *Store
	status Status
	clock  clock.Clock
	// Baseline is the instant that is agreed for reports to start at; zero, or nil =
	// none is.
	Baseline func() time.Time
}

// NewReports makes the ReportService.
func NewReports(store *Store, status Status, c clock.Clock) *Reports {
	return &Reports{store: store, status: status, clock: c}
}

// GetReport computes one report.
func (r *Reports) GetReport(ctx context.Context, req *feedbackv1.GetReportRequest) (*feedbackv1.Report, error) {
	q, err := question(req, r.clock.Now())
	if err != nil {
		return nil, err
	}
	var baseline time.Time
	if r.Baseline != nil {
		baseline = r.Baseline()
	}
	if !req.GetEarlier() {
		q.startAt(baseline)
	}
	out, err := r.store.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	if out.AtBaseline = q.AtBaseline; !baseline.IsZero() {
		out.Baseline = timestamppb.New(baseline)
	}
	return out, nil
}

// GetStatus says how far the read model is and how the log's consumers stand.
func (r *Reports) GetStatus(ctx context.Context, _ *feedbackv1.GetStatusRequest) (*feedbackv1.GetStatusResponse, error) {
	st, err := r.status.Status(ctx)
	if err != nil {
		return nil, err
	}
	if st.ReadSequence, err = r.store.Position(ctx); err != nil {
		return nil, err
	}
	st.Now = timestamppb.New(r.clock.Now())
	return st, nil
}
