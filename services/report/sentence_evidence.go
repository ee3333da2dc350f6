package report

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// evidenceSentence speaks of evidence that was read, of checks on how both departments
// work together, and of rides along.
func evidenceSentence(body proto.Message) string {
	switch b := body.(type) {
	case *feedbackv1.EvidenceOpened:
		right := "as the arbiter"
		if b.GetByRight() != "arbiter" {
			right = "as who is accountable for " + b.GetByRight()
		}
		return fmt.Sprintf("The evidence behind the figure %s of the report %s was read, %s: %s", b.GetFigure(), b.GetReport(), right, b.GetWhy())
	case *feedbackv1.AlignmentCheckOpened:
		var falls, shown []string
		for _, f := range b.GetFalls() {
			falls = append(falls, f.GetWhat())
		}
		for _, s := range b.GetSigns() {
			if s.GetState() == "shown" {
				shown = append(shown, s.GetName())
			}
		}
		s := fmt.Sprintf("A check of how marketing and sales work together was opened, since %s fell in %s against the months before", strings.Join(falls, " and "), b.GetMonth())
		if len(shown) > 0 {
			s += "; signs that the log shows: " + strings.Join(shown, ", ")
		}
		return s
	case *feedbackv1.AlignmentCheckClosed:
		found := map[string]string{"agreement": "the agreement is to change", "process": "the way of working is to change", "market": "there was less demand", "nothing": "nothing is to change"}
		return fmt.Sprintf("The check of %s was closed: %s", b.GetMonth(), found[b.GetFound()])
	case *leadv1.RideAlongRequested:
		return fmt.Sprintf("%s of marketing asked to listen to a talk with the lead", b.GetMember())
	case *leadv1.RideAlongHeld:
		return fmt.Sprintf("%s listened while %s talked with the lead, and a sealed note of it is shared", b.GetMember(), b.GetHost())
	}
	return ""
}
