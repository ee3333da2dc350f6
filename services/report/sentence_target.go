package report

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// targetSentence speaks of what both departments want of a quarter and what came of it.
func targetSentence(body proto.Message) string {
	switch b := body.(type) {
	case *feedbackv1.TargetsProposed:
		var ids []string
		for _, t := range b.GetTargets() {
			ids = append(ids, t.GetTargetId())
		}
		s := fmt.Sprintf("Revision %d of the targets of %s was proposed (%s)", b.GetRevision(), b.GetQuarter(), strings.Join(ids, ", "))
		if b.GetWhy() != "" {
			s += ": " + b.GetWhy()
		}
		return s
	case *feedbackv1.TargetsSigned:
		return fmt.Sprintf("%s signed revision %d of the targets of %s", b.GetParty(), b.GetRevision(), b.GetQuarter())
	case *feedbackv1.QuarterClosed:
		return fmt.Sprintf("%s was closed by entry %d of the log: %s", b.GetQuarter(), b.GetSequence(), reachedOf(b.GetResults()))
	case *feedbackv1.QuarterRestated:
		return fmt.Sprintf("%s was counted anew by entry %d of the log (%s): %s; what was stated when it was closed stands beside it", b.GetQuarter(), b.GetSequence(), b.GetWhy(), reachedOf(b.GetResults()))
	case *feedbackv1.RecoveryPlanned:
		return fmt.Sprintf("%s makes good for target %s of %s, which was missed, until %s; with a sealed plan", b.GetMember(), b.GetTargetId(), b.GetQuarter(), momentOf(b.GetDueAt()))
	}
	return ""
}

func reachedOf(results []*feedbackv1.TargetResult) string {
	var missed []string
	for _, r := range results {
		if r.GetMissed() {
			missed = append(missed, r.GetTargetId())
		}
	}
	s := fmt.Sprintf("%d of %d targets were reached", len(results)-len(missed), len(results))
	if len(missed) > 0 {
		s += ", missed: " + strings.Join(missed, ", ")
	}
	return s
}
