package report

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Last implements Records.
func (st *story) Last(context.Context) (uint64, error) { return uint64(len(st.events)), nil }

// Read implements Records.
func (st *story) Read(_ context.Context, from, to uint64, fn func(*ledger.Event) error) error {
	for _, e := range st.events {
		if e.Seq >= from && e.Seq <= to {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// What was known at an instant is what a log that ends there says, of every report and
// of what its figures counted.
func TestKnownAtEqualsReplayUpToThen(t *testing.T) {
	s, then := openStore(t), openStore(t)
	ctx := context.Background()
	less := 0
	draws := 0
	rapid.Check(t, func(rt *rapid.T) {
		draws++
		st := drawStory(rt)
		refill(rt, s, st.events, 7)
		at := rapid.SampledFrom(st.events).Draw(rt, "known at").Recorded
		var known []*ledger.Event
		for _, e := range st.events {
			if !e.Recorded.After(at) {
				known = append(known, e)
			}
		}
		less += len(st.events) - len(known)
		refill(rt, then, known, 7)
		now := NewReports(s, st, fixedStatus{}, clock.NewVirtual(far))
		past := NewReports(then, &story{events: known}, fixedStatus{}, clock.NewVirtual(at))
		defer func() {
			if err := now.Close(); err != nil {
				rt.Fatal(err)
			}
		}()
		for _, name := range ReportNames() {
			req := &feedbackv1.GetReportRequest{Report: name, Historical: name != reportFairness}
			if name == reportEffect {
				req.Campaign, req.Launched = "spring", timestamppb.New(start.Add(20*24*time.Hour))
			}
			want, err := past.GetReport(ctx, req)
			if err != nil {
				rt.Fatal(err)
			}
			req.KnownAt = timestamppb.New(at)
			got, err := now.GetReport(ctx, req)
			if err != nil {
				rt.Fatal(err)
			}
			if !got.GetKnownAt().AsTime().Equal(at) {
				rt.Fatalf("%s: known at %v", name, got.GetKnownAt())
			}
			if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(want, "known_at", "population")); diff != "" {
				rt.Fatalf("%s known at %v: as answered then (-), as answered now (+):\n%s", name, at, diff)
			}
		}
		ask := &feedbackv1.ListReportLeadsRequest{Report: reportFunnel, Name: "offered", Question: &feedbackv1.GetReportRequest{Historical: true}}
		want, err := past.ListReportLeads(ctx, ask)
		if err != nil {
			rt.Fatal(err)
		}
		ask.Question.KnownAt = timestamppb.New(at)
		got, err := now.ListReportLeads(ctx, ask)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			rt.Fatalf("leads offered, known at %v: then (-), now (+):\n%s", at, diff)
		}
	})
	if less == 0 && draws >= 100 {
		t.Error("no story went on after what was known")
	}
}

// A touch that became known late counts in what had happened by then, and not in what
// was known by then; what is recorded at the very instant of the question still counts
// when it is asked again.
func TestKnownAtIsKeptForTheNextQuestion(t *testing.T) {
	st, c := &story{}, clock.NewVirtual(start.Add(3*time.Hour))
	st.received("l1", start, nil)
	st.say("l1", start.Add(time.Hour), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"}).Recorded = start.Add(3 * time.Hour)
	s := openStore(t)
	refill(t, s, st.events, 5)
	r := NewReports(s, st, fixedStatus{}, c)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	answered := func(req *feedbackv1.GetReportRequest) float64 {
		t.Helper()
		req.Report = reportResponse
		got, err := r.GetReport(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got.GetTotal().GetFigures() {
			if f.GetName() == "up_to_1h" {
				return f.GetValue()
			}
		}
		t.Fatal("there is no such figure")
		return 0
	}
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(start.Add(d)) }
	if got := answered(&feedbackv1.GetReportRequest{AsOf: at(2 * time.Hour)}); got != 1 {
		t.Errorf("by two hours %v were answered; want 1", got)
	}
	if got := answered(&feedbackv1.GetReportRequest{KnownAt: at(2 * time.Hour)}); got != 0 {
		t.Errorf("by two hours %v were known to be answered; want 0", got)
	}
	kept := r.known.store
	answered(&feedbackv1.GetReportRequest{KnownAt: at(2 * time.Hour), Historical: true})
	if r.known.store != kept {
		t.Error("the tables were made anew for the next question")
	}
	answered(&feedbackv1.GetReportRequest{KnownAt: at(3 * time.Hour)})
	st.received("l2", start.Add(3*time.Hour), nil)
	st.say("l2", start.Add(3*time.Hour), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana"})
	if got := answered(&feedbackv1.GetReportRequest{KnownAt: at(3 * time.Hour)}); got != 2 {
		t.Errorf("what came in the same instant is not there: %v; want 2", got)
	}
	if _, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: reportFunnel, KnownAt: at(4 * time.Hour)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("what is known in an hour: %v", err)
	}
}
