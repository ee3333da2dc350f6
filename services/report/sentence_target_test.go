package report

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func TestTargetSentences(t *testing.T) {
	results := []*feedbackv1.TargetResult{{TargetId: "mql"}, {TargetId: "revenue", Missed: true}}
	for want, body := range map[string]proto.Message{
		"Revision 2 of the targets of 2026-q1 was proposed (mql, revenue): as in the budget.":                                                              &feedbackv1.TargetsProposed{Quarter: "2026-q1", Revision: 2, Targets: []*feedbackv1.Target{{TargetId: "mql"}, {TargetId: "revenue"}}, Why: "as in the budget"},
		"sales signed revision 2 of the targets of 2026-q1.":                                                                                               &feedbackv1.TargetsSigned{Quarter: "2026-q1", Revision: 2, Party: "sales"},
		"2026-q1 was closed by entry 7 of the log: 1 of 2 targets were reached, missed: revenue.":                                                          &feedbackv1.QuarterClosed{Quarter: "2026-q1", Sequence: 7, Results: results},
		"2026-q1 was counted anew by entry 9 of the log (entered late): 1 of 1 targets were reached; what was stated when it was closed stands beside it.": &feedbackv1.QuarterRestated{Quarter: "2026-q1", Sequence: 9, Results: results[:1], Why: "entered late"},
		"mia makes good for target revenue of 2026-q1, which was missed, until 2026-05-01 00:00 UTC; with a sealed plan.":                                  &feedbackv1.RecoveryPlanned{Quarter: "2026-q1", TargetId: "revenue", Member: "mia", DueAt: timestamppb.New(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))},
	} {
		if got := Sentence(body); got != want {
			t.Errorf("%T\n got %q\nwant %q", body, got, want)
		}
	}
}
