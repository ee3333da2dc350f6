package lead

import (
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// ReasonImported is the reason of a change of owner that imported history states.
const ReasonImported = "imported"

// OwnerChange is a change of owner that imported history states.
type OwnerChange struct {
	At       time.Time
	From, To string
}

// stated takes a change of owner of a lead of the past: a fact, of which nothing
// follows.
func (s *State) stated(e *leadv1.LeadReassigned, occurred time.Time) {
	s.Past = append(s.Past, OwnerChange{At: occurred, From: s.Owner, To: e.GetTo()})
	s.Owner = e.GetTo()
	if s.State == leadv1.State_STATE_RECEIVED {
		s.State = leadv1.State_STATE_WORKING
	}
}

// HadIt says whether somebody had a lead of the past at an instant, as far as is
// known. Where the owner changed at that very instant, both had it.
func (s *State) HadIt(member string, at time.Time) bool {
	owner := s.Owner
	if len(s.Past) > 0 {
		owner = s.Past[0].From
	}
	for _, c := range s.Past {
		if c.At.After(at) {
			break
		}
		if c.At.Equal(at) && (c.From == member || c.To == member) {
			return true
		}
		owner = c.To
	}
	return owner == member
}
