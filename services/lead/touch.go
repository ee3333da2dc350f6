package lead

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Touch is when somebody came to us, and from where. Attribution is nil where
// that was not said.
type Touch struct {
	At          time.Time
	Attribution *leadv1.Attribution
}

// came notes a touch. The first one is written once: neither a touch that
// becomes known later nor another reading of the body takes its place.
func (s *State) came(at time.Time, from *leadv1.Attribution) {
	t := Touch{at, from}
	if s.First.At.IsZero() {
		s.First = t
	}
	if s.Last.At.IsZero() || !at.Before(s.Last.At) {
		s.Last = t
	}
}

// Arrival is one touch as conditions see it: what kind it was, and when.
type Arrival struct {
	Kind string
	At   time.Time
}

// journeyMost is how many touches of a lead conditions can look back at: the
// latest that became known.
const journeyMost = 200

func (s *State) arrived(kind string, at time.Time) {
	s.Came++
	if len(s.Journey) == journeyMost {
		s.Journey = append([]Arrival(nil), s.Journey[1:]...)
	}
	s.Journey = append(s.Journey, Arrival{kind, at})
}

// New are the touches that became known since the lead was last left with
// marketing; all of them where it never was.
func (s *State) New() []Arrival {
	return s.Journey[max(0, len(s.Journey)-int(s.Came-s.CameBefore)):]
}

// handed notes the touch that led to the handoff: the latest one before the
// lead was first offered to sales.
func (s *State) handed() {
	if s.Handoff.At.IsZero() {
		s.Handoff = s.Last
	}
}

// Point is the touch as it is answered, on the lead that it stands on; nil where
// there was none.
func (t Touch) Point(leadID string) *leadv1.Touchpoint {
	if t.At.IsZero() {
		return nil
	}
	return &leadv1.Touchpoint{At: timestamppb.New(t.At), Attribution: t.Attribution, LeadId: leadID}
}

// Touchpoints are the first and the last touch of a person's leads, and the one
// before they were first offered to sales. It is the same in whatever order the
// leads come, and whoever was merged with whom; what was refused at the door does
// not count. nil where there was none.
func Touchpoints(leads []*State) (first, last, handoff *leadv1.Touchpoint) {
	var f, l, h struct {
		Touch
		lead string
	}
	for _, s := range leads {
		if s.State == leadv1.State_STATE_REFUSED {
			continue
		}
		earlier := func(a Touch, b Touch, lead string) bool {
			return !a.At.IsZero() && (b.At.IsZero() || a.At.Before(b.At) || a.At.Equal(b.At) && s.ID < lead)
		}
		if earlier(s.First, f.Touch, f.lead) {
			f.Touch, f.lead = s.First, s.ID
		}
		if earlier(s.Handoff, h.Touch, h.lead) {
			h.Touch, h.lead = s.Handoff, s.ID
		}
		if s.Last.At.After(l.At) || s.Last.At.Equal(l.At) && !l.At.IsZero() && s.ID < l.lead {
			l.Touch, l.lead = s.Last, s.ID
		}
	}
	return f.Point(f.lead), l.Point(l.lead), h.Point(h.lead)
}
