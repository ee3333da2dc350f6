package report

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
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
	// Year cuts weeks, months and quarters; nil = years start in January, in UTC.
	Year func() agreement.Year
	// InForce and Away say which version of the agreement was in force, and when people
	// were away; nil = none was, and nobody.
	InForce agreement.Standing
	Away    agreement.Away
	// Under judges leads under a version of the agreement; nil = there is no such version.
	Under func(version int64) Judge
	// Logger hears what took long; nil = nobody does.
	Logger *slog.Logger
	log    Records
	known  *known
	// rebuilding is held while the read model is folded anew.
	rebuilding sync.Mutex
	// restating guards what the last re-statement came to.
	restating sync.Mutex
	lastFor   restatedFor
	last      restated
	// Current answers under which id a person is found now; nil = their own. History
	// answers the events of a subject; nil = no evidence is shown here.
	Current func(personID string) string
	History func(ctx context.Context, subject string) ([]*ledger.Event, error)
	// folded is how leads came to be MQL, guarded by restating.
	foldedFor foldedFor
	folded    *mqls
}

// NewReports makes the ReportService.
func NewReports(store *Store, log Records, status Status, c clock.Clock) *Reports {
	return &Reports{store: store, log: log, known: newKnown(log), status: status, clock: c}
}

// Close lets go of what is kept for the next question; it is called once, last.
func (r *Reports) Close() error { return r.known.close() }

// on calls f with the tables that a question is asked of: those that serve, or those of
// what was known at an instant.
func (r *Reports) on(ctx context.Context, q Question, f func(*Store) error) error {
	if q.KnownAt.IsZero() {
		return f(r.store)
	}
	ledgerID, _, err := r.store.position(ctx, r.store.read)
	if err != nil {
		return r.store.fault("read", err)
	}
	return r.known.ask(ctx, ledgerID, q.KnownAt, r.clock.Now(), r.Logger, func(s *Store) error {
		s.Working = r.store.Working
		return f(s)
	})
}

// GetReport computes one report.
func (r *Reports) GetReport(ctx context.Context, req *feedbackv1.GetReportRequest) (*feedbackv1.Report, error) {
	q, baseline, err := r.asked(ctx, req)
	if err != nil {
		return nil, err
	}
	var out *feedbackv1.Report
	err = r.on(ctx, q, func(s *Store) (err error) {
		out, err = s.Report(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	if out.AtBaseline = q.AtBaseline; !baseline.IsZero() {
		out.Baseline = timestamppb.New(baseline)
	}
	return out, nil
}

// asked is the question that a request asks, by whoever asks it, and the baseline.
func (r *Reports) asked(ctx context.Context, req *feedbackv1.GetReportRequest) (q Question, baseline time.Time, err error) {
	if q, err = question(req, r.clock.Now()); err != nil {
		return q, baseline, err
	}
	if r.Baseline != nil {
		baseline = r.Baseline()
	}
	if !req.GetEarlier() {
		q.startAt(baseline)
	}
	if r.Year != nil {
		q.Year = r.Year()
	}
	q.InForce, q.Away = r.InForce, r.Away
	q.Viewer, q.Restate = viewer(ctx), r.restate
	q.Counted, q.Current = r.counted, r.Current
	return q, baseline, nil
}

// viewer is who asks, if they see no names of others; empty = they do. Reports look at
// what happened, not at whom to blame: people by their names are for those who lead
// them, and for themselves.
func viewer(ctx context.Context) string {
	if actor, ok := access.From(ctx); ok && !actor.Has(access.Manager, access.Operator, access.Auditor, access.Arbiter) {
		return actor.Handle
	}
	return ""
}

// ListReportLeads lists what one figure of a report counted.
func (r *Reports) ListReportLeads(ctx context.Context, req *feedbackv1.ListReportLeadsRequest) (*feedbackv1.ListReportLeadsResponse, error) {
	ask := &feedbackv1.GetReportRequest{}
	if req.GetQuestion() != nil {
		ask = proto.CloneOf(req.GetQuestion())
	}
	ask.Report = req.GetReport()
	q, _, err := r.asked(ctx, ask)
	if err != nil {
		return nil, err
	}
	var out *feedbackv1.ListReportLeadsResponse
	err = r.on(ctx, q, func(s *Store) (err error) {
		out, err = s.counted(ctx, q, req.GetName(), req.GetKey(), pageSize(req.GetPageSize()), req.GetPageToken())
		return err
	})
	return out, err
}

// ListMetrics answers the catalogue.
func (r *Reports) ListMetrics(_ context.Context, req *feedbackv1.ListMetricsRequest) (*feedbackv1.ListMetricsResponse, error) {
	out := &feedbackv1.ListMetricsResponse{}
	for _, one := range reports {
		if req.GetReport() != "" && one.name != req.GetReport() {
			continue
		}
		info := &feedbackv1.ReportInfo{Report: one.name, Text: one.text, Columns: columnsOf(one.metrics), Cases: one.cases}
		if !byPerson(one.name) {
			info.Dimensions = one.dimensions()
		}
		out.Reports = append(out.Reports, info)
	}
	if len(out.Reports) == 0 {
		return nil, fault.New(fault.Invalid, "report: there is no report %q; there are %s", req.GetReport(), strings.Join(ReportNames(), ", "))
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
