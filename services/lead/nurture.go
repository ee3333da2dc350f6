package lead

import (
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// NurtureDue is when something is to be done about a lead that is with marketing:
// the next touch of its plan or the second look, whichever comes first. One that
// has neither is due since it came, so that it is not forgotten. Zero = it is not
// with marketing.
func (s *State) NurtureDue() time.Time {
	if s.State != leadv1.State_STATE_NURTURING {
		return time.Time{}
	}
	due := s.NurtureSince
	// An instant that is absent is read as the start of 1970.
	if s.RecheckAt.Unix() > 0 {
		due = s.RecheckAt
	}
	if s.NextTouch != "" && s.NextTouchDue.Unix() > 0 && (s.RecheckAt.Unix() <= 0 || s.NextTouchDue.Before(due)) {
		due = s.NextTouchDue
	}
	return due
}
