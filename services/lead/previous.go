package lead

import (
	"time"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// had is who had a lead as their own, and when they last acted on it.
type had struct {
	member string
	at     time.Time
}

// act notes who has a lead as their own and acts on it. Whoever covers for somebody
// else, and whoever rejects a lead, has not had it.
func (p *People) act(id string, occurred time.Time, body proto.Message) {
	before := p.had[id]
	later := func(member string) {
		if member != "" && member == before.member && occurred.After(before.at) {
			p.had[id] = had{member, occurred}
		}
	}
	switch e := body.(type) {
	case *leadv1.LeadOffered:
		if delete(p.covered, id); e.GetCovers() != "" {
			p.covered[id] = true
		}
	case *leadv1.OfferAccepted:
		if !p.covered[id] {
			p.had[id] = had{e.GetMember(), occurred}
		}
	case *leadv1.OfferRejected:
		if before.member == e.GetMember() {
			delete(p.had, id)
		}
	case *leadv1.LeadReassigned:
		if e.GetReason() == ReasonImported && e.GetTo() != "" && !occurred.Before(before.at) {
			p.had[id] = had{e.GetTo(), occurred}
		}
	case *leadv1.CallRecorded:
		later(e.GetMember())
	case *leadv1.OutcomeRecorded:
		if e.GetHistorical() && e.GetMember() != "" && !occurred.Before(before.at) {
			p.had[id] = had{e.GetMember(), occurred}
			break
		}
		later(e.GetMember())
	}
}

// PreviousOwner answers who last had a lead of a person as their own, and when they
// last acted on it; empty = nobody had one.
func (p *People) PreviousOwner(person string) (member string, acted time.Time) {
	if p == nil {
		return "", time.Time{}
	}
	found, _ := p.Person(person)
	for _, id := range found.Leads {
		if h := p.had[id]; h.member != "" && (member == "" || h.at.After(acted)) {
			member, acted = h.member, h.at
		}
	}
	return member, acted
}
