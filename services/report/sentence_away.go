package report

import (
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// awaySentence says who goes away and comes back, and when.
func awaySentence(b *routingv1.AvailabilityChanged) string {
	if !b.GetAway() {
		if b.GetLeaveId() != "" {
			return b.GetMember() + " took leave " + b.GetLeaveId() + " back"
		}
		return b.GetMember() + " is back"
	}
	s := b.GetMember() + " is away"
	if b.GetFrom() != nil {
		s += " from " + momentOf(b.GetFrom()) + " on"
	}
	if b.GetUntil() != nil {
		s += ", until " + momentOf(b.GetUntil())
		if b.GetFrom() == nil {
			s = b.GetMember() + " is away until " + momentOf(b.GetUntil())
		}
	}
	return s + bracketed(b.GetReason())
}
