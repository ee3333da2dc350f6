package routing

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// What becomes of a lead that nobody can take now.

// queue lets a lead wait. Whoever is of keep is named, however large the pool is.
func queue(in Input, pool agreement.Pool, rule agreement.Handoff, considered []*leadv1.Candidate, blocked, text string, look time.Time, keep ...string) *Said {
	s := in.Lead
	body := &leadv1.LeadQueued{
		AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, BlockedBy: blocked, Text: text, Rule: rule.ID,
	}
	body.Considered, body.Counts = named(in, considered, nil, keep...)
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_QUEUED, LeadId: s.ID, Pool: pool.ID, BlockedBy: blocked, WaitingSince: timestamppb.New(since(in)),
	}
	if !look.IsZero() {
		body.LookAgainAt, step.LookAgainAt = timestamppb.New(look), timestamppb.New(look)
	}
	return &Said{Body: body, Group: pool.Group, Step: step}
}

// since is from when on a lead waits, should it have to.
func since(in Input) time.Time {
	if in.Lead.WaitingSince.IsZero() {
		return in.Now
	}
	return in.Lead.WaitingSince
}

// nobody says what becomes of a lead that nobody of its pool can take now: the
// agreed stand-in gets it once it has waited for the agreed time, and until then it
// waits in the line of the pool. from is the pool whose stand-in this is.
func nobody(in Input, pool agreement.Pool, from string, rule agreement.Handoff, calendar *agreement.Calendar, considered []*leadv1.Candidate) *Said {
	if in.Logic == first || in.Logic == second {
		blocked, text, look := blocking(in, pool, calendar, considered)
		return queue(in, pool, rule, considered, blocked, text, look)
	}
	next := standIn(in, pool, from, calendar)
	if next.now && next.pool.ID != "" {
		moved := in
		moved.Lead = in.Lead.Clone()
		moved.Lead.FallbackFrom = pool.ID
		return assign(moved)
	}
	if next.now && next.why == "" {
		return standInOffer(in, pool, rule, calendar, considered, next.member)
	}
	blocked, text, look := blocks(in, pool, from, calendar, considered, next)
	said := queue(in, pool, rule, considered, blocked, text, look)
	said.Body.(*leadv1.LeadQueued).FallbackFrom = from
	if !next.at.IsZero() {
		said.Body.(*leadv1.LeadQueued).FallbackAt, said.Step.FallbackAt = timestamppb.New(next.at), timestamppb.New(next.at)
	}
	return said
}

// stuck are the reasons that keep somebody from a lead, the one first that names what
// the lead waits for where there are several, each with the rule that it is and with
// words that follow a number of people.
var stuck = []struct{ reason, rule, words string }{
	{"off-duty", "off-duty", "off duty"},
	{"ending", "ending", "at the end of their shift"},
	{"absent", "absent", "not signed in"},
	{"full", "full", "full"},
	{"capped", "capped", "given as many as agreed for now"},
	{"timed-out", "declined", "timed out"},
	{"away", "away", "away"},
	{"declined", "declined", "declined"},
	{"returned", "declined", "returned"},
	{"excluded", "declined", "left out by whoever moved it"},
	{"lacks", "lacks", "without what it needs"},
	{"deactivated", "empty-pool", "deactivated"},
	{"not-known", "empty-pool", "not known"},
}

// counted names the rule that keeps a lead waiting, and says how many people are kept
// from it by what.
func counted(considered []*leadv1.Candidate) (rule, text string) {
	count := map[string]int{}
	for _, c := range considered {
		count[c.GetReason()]++
	}
	var parts []string
	for _, s := range stuck {
		if count[s.reason] == 0 {
			continue
		}
		if rule == "" {
			rule = s.rule
		}
		parts = append(parts, fmt.Sprintf("%d %s", count[s.reason], s.words))
	}
	if rule == "" {
		rule = "empty-pool"
	}
	return rule, strings.Join(parts, ", ")
}

// blocks names the one rule that keeps a lead waiting, says so in plain words and what
// will change it, and when to look again: when the first of the pool is able to take
// it by what is known, or the stand-in gets it.
func blocks(in Input, pool agreement.Pool, from string, calendar *agreement.Calendar, considered []*leadv1.Candidate, next fallback) (rule, text string, look time.Time) {
	rule, parts := counted(considered)
	hours, refused := newShifts(in, pool, calendar), newRefusals(in, pool)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.After(in.Now) && (look.IsZero() || at.Before(look)) {
			look = at
		}
	}
	for i, seat := range pool.Members {
		if at, ok := hours.able(seat, refused, considered[i].GetReason()); ok {
			sooner(at)
		}
	}
	able := look
	sooner(next.at)
	sooner(next.back)
	title := pool.Title
	if from != "" {
		title += ", which stands in for " + titleOf(in, from) + ","
	}
	text = fmt.Sprintf("Nobody in pool %s can take it now: %s.", title, parts)
	if able.IsZero() {
		text += " It goes out as soon as somebody can."
	} else {
		text += " It is looked at again at " + stamp(able) + ", or as soon as somebody can."
	}
	return rule, text + next.words(), look
}

// titleOf is what people call a pool.
func titleOf(in Input, id string) string {
	if pool, ok := in.Agreement.Pool(id); ok {
		return pool.Title
	}
	return id
}

// blocking is blocks as the logic of before had it.
func blocking(in Input, pool agreement.Pool, calendar *agreement.Calendar, considered []*leadv1.Candidate) (rule, text string, look time.Time) {
	for _, c := range considered {
		if c.GetReason() != "away" {
			continue
		}
		if back, _ := in.Roster.Member(c.GetMember()).BackAt(in.Now); !back.IsZero() && (look.IsZero() || back.Before(look)) {
			look = back
		}
	}
	rule, parts := counted(considered)
	if rule == "off-duty" {
		if next, ok := calendar.NextOnDuty(in.Now); ok && (look.IsZero() || next.Before(look)) {
			look = next
		}
	}
	text = fmt.Sprintf("Nobody in pool %s can take it now: %s.", pool.Title, parts)
	if !look.IsZero() {
		text += " It is looked at again at " + stamp(look) + ", or as soon as somebody can."
	} else {
		text += " It goes out as soon as somebody can."
	}
	return rule, text, look
}
