package report

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// slowly is a log that lets something happen before each event is read.
type slowly struct {
	*story
	before func(seq uint64)
}

func (s slowly) Read(ctx context.Context, from, to uint64, fn func(*ledger.Event) error) error {
	return s.story.Read(ctx, from, to, func(e *ledger.Event) error {
		s.before(e.Seq)
		return fn(e)
	})
}

// rebuilds holds that a rebuild makes of broken tables what the log says; that until it
// is done every report is the old one; and that what comes meanwhile is not lost.
func rebuilds(t *testing.T, s *Store) {
	ctx := context.Background()
	funnel := func(rt fataler) *feedbackv1.Report {
		rt.Helper()
		q, err := question(&feedbackv1.GetReportRequest{Report: reportFunnel, By: "source", Historical: true}, far)
		if err != nil {
			rt.Fatal(err)
		}
		out, err := s.Report(ctx, q)
		if err != nil {
			rt.Fatal(err)
		}
		return out
	}
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 7)
		want := dumpAll(rt, s)
		// So much is in the tables when it begins; the rest comes meanwhile, and something
		// nobody can explain stands in them.
		first := rapid.IntRange(1, len(st.events)).Draw(rt, "before")
		refill(rt, s, st.events[:first], 7)
		if _, err := s.write.Exec("UPDATE leads SET source = 'nowhere', mql_at = NULL"); err != nil {
			rt.Fatal(err)
		}
		s.forget()
		old := funnel(rt)
		began := &story{events: st.events[:first]}
		log := slowly{story: began}
		log.before = func(seq uint64) {
			if diff := cmp.Diff(old, funnel(rt), protocmp.Transform()); diff != "" {
				rt.Fatalf("while it is rebuilt (-old +now):\n%s", diff)
			}
			if seq == uint64(first) && len(began.events) < len(st.events) {
				began.events = st.events
				if err := s.Apply(ctx, st.events[first:]); err != nil {
					rt.Fatal(err)
				}
				old = funnel(rt)
			}
		}
		at, err := s.rebuild(ctx, log, func(uint64, uint64) error { return nil })
		if err != nil {
			rt.Fatal(err)
		}
		if at != uint64(len(st.events)) {
			rt.Fatalf("rebuilt up to %d of %d", at, len(st.events))
		}
		if diff := cmp.Diff(want, dumpAll(rt, s)); diff != "" {
			rt.Fatalf("folded (-) and rebuilt (+):\n%s", diff)
		}
		if err := s.Apply(ctx, st.events); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, dumpAll(rt, s)); diff != "" {
			rt.Fatalf("folded (-), rebuilt and fed again (+):\n%s", diff)
		}
	})
}

// rebuilt collects what a rebuild says.
type rebuilt struct {
	grpc.ServerStream
	said []*feedbackv1.RebuildResponse
}

func (*rebuilt) Context() context.Context { return context.Background() }

func (r *rebuilt) Send(m *feedbackv1.RebuildResponse) error {
	r.said = append(r.said, m)
	return nil
}

func TestOneRebuildAtATime(t *testing.T) {
	st := &story{}
	st.received("l1", start, nil)
	s := openStore(t)
	refill(t, s, st.events, 1)
	var r *Reports
	log := slowly{story: st}
	log.before = func(uint64) {
		if err := r.Rebuild(&feedbackv1.RebuildRequest{}, &rebuilt{}); !fault.Is(err, fault.State) {
			t.Errorf("a second rebuild: %v", err)
		}
	}
	r = NewReports(s, log, fixedStatus{}, clock.NewVirtual(far))
	out := &rebuilt{}
	if err := r.Rebuild(&feedbackv1.RebuildRequest{}, out); err != nil {
		t.Fatal(err)
	}
	if last := out.said[len(out.said)-1]; !last.GetDone() || last.GetFolded() != 1 || last.GetOf() != 1 {
		t.Errorf("it said %v", out.said)
	}
}
