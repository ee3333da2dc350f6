package intake

import (
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// mappedItem is a submission as it was understood, for whoever looks at a
// source.
func mappedItem(item Item, m Mapped) *intakev1.MappedItem {
	return &intakev1.MappedItem{
		Outcome: outcomeOf(m), ExternalId: m.Submission.GetExternalId(), Submission: m.Submission, Found: m.Found, Notes: m.Notes, Leaves: Suggest(item, m),
	}
}

// outcomeOf is what a submission would become if it were delivered now, for the
// first time.
func outcomeOf(m Mapped) string {
	switch {
	case m.Ignored != "":
		return OutcomeIgnored
	case m.Spam != "":
		return OutcomeSpam
	case m.Submission.GetTest():
		return OutcomeTest
	}
	return readAs(m.NeedsMapping)
}
