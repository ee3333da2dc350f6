package routing

import (
	"fmt"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// Whose a lead is before the pool's own way counts: who has another open lead of the
// person, who owns the company, who had the person before.

// notInGroup is why somebody whose a lead is does not get it: no pool of its group is
// theirs, and a lead changes its group by a rule of the agreement only.
const notInGroup = "not-in-group"

// belongs offers a lead to whose it is, if they can take it, or lets it wait for the
// previous owner as long as agreed; nil = the pool's own way decides.
func (r *round) belongs() *Said {
	if r.in.old() {
		return nil
	}
	if member := r.activeOwner(); r.takes(member, "has another open lead of this person") {
		return r.owned(member, byActiveOwner, "another open lead of this person is with them.")
	}
	if member := r.accountOwner(); r.takes(member, "is the account owner") {
		return r.owned(member, byAccountOwner, "the company is theirs.")
	}
	member, acted := r.previousOwner()
	if r.takes(member, "had this person before") {
		return r.owned(member, byPreviousOwner, "they had this person before, until "+stamp(acted)+".")
	}
	return r.covered(member)
}

// owned is the offer to somebody whose the lead is.
func (r *round) owned(member, by, why string) *Said {
	return r.offer(choice{member: member, by: by, turn: leadv1.TurnKind_TURN_KIND_OWNERSHIP, why: why})
}

// activeOwner is who has another open lead of the person, where one owner is agreed.
func (r *round) activeOwner() string {
	if _, agreed := r.in.Agreement.OneOwner(); !agreed || r.in.People == nil || r.in.Holder == nil {
		return ""
	}
	person, _ := r.in.People.Person(r.in.Lead.PersonID)
	for _, id := range person.Leads {
		if id == r.in.Lead.ID {
			continue
		}
		if member := r.in.Holder(id); member != "" {
			return member
		}
	}
	return ""
}

// accountOwner is who owns the company of the lead.
func (r *round) accountOwner() string {
	if !r.pool.AccountOwner || r.in.Lead.Account == nil {
		return ""
	}
	return r.in.Roster.AccountOwner(r.in.Lead.Account.GetAccountDomain())
}

// previousOwner is who had the person before, within the agreed time.
func (r *round) previousOwner() (member string, acted time.Time) {
	if r.pool.PreviousOwnerFor == 0 || r.in.Lead.PersonID == "" {
		return "", time.Time{}
	}
	member, acted = r.in.People.PreviousOwner(r.in.Lead.PersonID)
	if member == "" || r.in.Now.After(acted.Add(r.pool.PreviousOwnerFor)) {
		return "", time.Time{}
	}
	return member, acted
}

// takes says whether somebody whose the lead is can take it, and has not had it. Who
// is not of the pool is looked at by their place in another pool of the group, whose
// load and limits are the same; who is of none of them is told among the others, with
// what makes the lead theirs.
func (r *round) takes(member, theirs string) bool {
	if member == "" || r.in.had(member) {
		return false
	}
	if r.place(member) < 0 {
		if pool, ok := r.elsewhere(member); ok {
			// No seat in this pool: they earn no share of its turns.
			considered, _, _ := consider(r.in, pool, r.calendar, r.counts, r.rotation)
			considered[0].Weight = 0
			r.considered = append(r.considered, considered[0])
		} else {
			r.considered = append(r.considered, &leadv1.Candidate{Member: member, Reason: notInGroup, Text: fmt.Sprintf("%s, but is of no pool of group %s", theirs, r.pool.Group)})
		}
	}
	return r.can(member)
}

// elsewhere is the pool of the same group that somebody is in, with nobody else.
func (r *round) elsewhere(member string) (agreement.Pool, bool) {
	for _, p := range r.in.pools() {
		if i := slices.IndexFunc(p.Members, func(m agreement.PoolMember) bool { return m.Member == member }); p.Group == r.pool.Group && i >= 0 {
			p.Members = p.Members[i : i+1]
			return p, true
		}
	}
	return agreement.Pool{}, false
}

// forNow are the reasons that pass: somebody is kept from a lead for a while only.
var forNow = []string{"away", "off-duty", "ending", "absent", "full", "capped"}

// covered says whether the lead waits for a previous owner who cannot take it now; if
// not any more, somebody of the pool covers, and the person stays theirs.
func (r *round) covered(member string) *Said {
	at := r.place(member)
	if at < 0 || r.in.had(member) || !slices.Contains(forNow, r.considered[at].GetReason()) {
		return nil
	}
	r.covers = r.considered[at]
	s := r.in.Lead
	if r.pool.PreviousOwnerWait == 0 || len(s.Declined) > 0 || len(s.TimedOut) > 0 {
		return nil
	}
	since := s.WaitingSince
	if since.IsZero() {
		since = r.in.Now
	}
	until, ok := r.calendar.Add(since, r.pool.PreviousOwnerWait)
	if !ok || !r.in.Now.Before(until) {
		return nil
	}
	alone, ok := r.elsewhere(member)
	if i := slices.IndexFunc(r.pool.Members, func(m agreement.PoolMember) bool { return m.Member == member }); i >= 0 {
		alone, ok = r.pool, true
		alone.Members = r.pool.Members[i : i+1]
	}
	look := until
	if ok {
		if _, _, able := blocking(r.in, alone, r.calendar, []*leadv1.Candidate{r.covers}); !able.IsZero() && able.Before(until) {
			look = able
		}
	}
	return queue(r.in, r.pool, r.rule, r.considered, "owner",
		fmt.Sprintf("It waits for %s, who had this person before and %s, until %s; then somebody else in pool %s covers.", member, r.covers.GetText(), stamp(until), r.pool.Title), look, member)
}
