package routing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Logic names this version of the deciding code. A change of behaviour is a
// new name; the old one stays runnable.
const Logic = "routing/2"

// first is the logic under which whoever had sent a lead back could be offered it
// again at once. Whatever else is new since rests on parts of the agreement that
// its documents do not have.
const first = "routing/1"

// Unrouted is the group of leads for which no handoff rule chooses a pool.
const Unrouted = "unrouted"

// Input is everything that a decision may read.
type Input struct {
	Lead *lead.State
	// Logic that decides; empty = this one.
	Logic string
	// Agreement in force at Now, and its number.
	Agreement *agreement.Agreement
	Version   int64
	// Roster says who is here.
	Roster *Roster
	// Counts answers a group's rotations and loads at this point of the batch.
	Counts func(group string) *Counts
	// Now is the recorded time of the decision.
	Now time.Time
}

// Said is one event on the lead and the step that it means for the pool.
type Said struct {
	Body  proto.Message
	Group string
	Step  *routingv1.PoolStep
}

// Decide answers what is due next on a lead: LeadOffered, LeadQueued or
// OfferTimedOut, or nothing. It depends on its input alone.
func Decide(in Input) *Said {
	s := in.Lead
	if in.Agreement == nil || s.Historical {
		return nil
	}
	switch s.State {
	case leadv1.State_STATE_OFFERED:
		if in.Now.Before(s.TakeBy) {
			return nil
		}
		return timeOut(in)
	case leadv1.State_STATE_QUALIFIED:
		if s.Stage < leadv1.Stage_STAGE_MQL || s.Consequence == leadv1.Consequence_CONSEQUENCE_NURTURE {
			return nil
		}
		return assign(in)
	case leadv1.State_STATE_WAITING:
		said := assign(in)
		if q, queued := said.Body.(*leadv1.LeadQueued); queued && q.GetBlockedBy() == s.BlockedBy && q.GetPool() == s.Pool && look(q).Equal(s.LookAgainAt) {
			return nil
		}
		return said
	}
	return nil
}

// look is when a queued lead is looked at again; zero = no moment is known. A
// new moment is said, because nobody would look at it otherwise.
func look(q *leadv1.LeadQueued) time.Time {
	if q.GetLookAgainAt() == nil {
		return time.Time{}
	}
	return q.GetLookAgainAt().AsTime()
}

// timeOut ends an offer whose clock ran out, dated at the due instant.
func timeOut(in Input) *Said {
	s := in.Lead
	return &Said{
		Body: &leadv1.OfferTimedOut{
			Member: s.OfferedTo, Offer: s.Offers,
			DueAt: timestamppb.New(s.TakeBy), FiredAt: timestamppb.New(in.Now),
		},
		Group: s.Group,
		Step:  &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: s.Pool, Member: s.OfferedTo, Offer: s.Offers},
	}
}

// handoff finds the rule of the lead's stage, or of the nearest stage below.
func handoff(in Input) (agreement.Handoff, bool) {
	facts := agreement.FactsOf(in.Lead, in.Now)
	if n := len(in.Lead.Calls); n > 0 {
		facts.Call = in.Lead.Calls[n-1]
	}
	for stage := in.Lead.Stage; stage >= leadv1.Stage_STAGE_MQL; stage-- {
		if rule, _, ok := in.Agreement.Handoff(stage, facts); ok {
			return rule, true
		}
	}
	return agreement.Handoff{}, false
}

// assign offers the lead to one member of its pool, or says what blocks it.
func assign(in Input) *Said {
	rule, ok := handoff(in)
	if !ok {
		return queue(in, agreement.Pool{Group: Unrouted}, rule, nil, "no-handoff",
			fmt.Sprintf("No handoff rule of the agreement (version %d) fits a lead of stage %s; add one, or widen a condition.", in.Version, in.Agreement.StageTitle(in.Lead.Stage)), time.Time{})
	}
	pool, ok := in.Agreement.Pool(rule.Pool)
	calendar, known := in.Agreement.Calendar(pool.Calendar)
	if !ok || !known {
		return queue(in, agreement.Pool{ID: rule.Pool, Group: Unrouted}, rule, nil, "empty-pool", "The handoff rule names a pool that the agreement does not hold.", time.Time{})
	}
	counts := in.Counts(pool.Group)
	rotation := counts.Rotations[pool.ID]
	if rotation == nil {
		rotation = &Rotation{}
	}
	considered, eligible, at := consider(in, pool, calendar, counts, rotation)
	if len(eligible) == 0 {
		blocked, text, look := blocking(in, pool, calendar, considered)
		return queue(in, pool, rule, considered, blocked, text, look)
	}
	chosen, windows := rotation.Choose(eligible, in.Lead.ID)
	for i, w := range windows {
		considered[at[i]].WindowFrom, considered[at[i]].WindowTo = w.From, w.To
	}
	within := takeWithin(in, pool, rule)
	takeBy, ok := calendar.Add(in.Now, within)
	if !ok {
		takeBy = in.Now.Add(within)
	}
	member := eligible[chosen].Member
	return offer(in, pool, rule, considered, eligible, member, rotation.Turns()+1, windows[chosen], takeBy)
}

// takeWithin is the working time that a member has: an exception's, or the
// pool's; a signal can only make it shorter.
func takeWithin(in Input, pool agreement.Pool, rule agreement.Handoff) time.Duration {
	within := pool.TakeWithin
	if rule.TakeWithin > 0 {
		within = rule.TakeWithin
	}
	if in.Lead.TakeWithin > 0 {
		within = min(within, in.Lead.TakeWithin)
	}
	return within
}

func offer(in Input, pool agreement.Pool, rule agreement.Handoff, considered []*leadv1.Candidate, eligible []Seat, member string, turn int64, window Window, takeBy time.Time) *Said {
	s := in.Lead
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: s.ID, Pool: pool.ID, Member: member,
		Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TakeBy: timestamppb.New(takeBy), Offer: s.Offers + 1,
	}
	for _, seat := range eligible {
		step.Eligible, step.Weights = append(step.Eligible, seat.Member), append(step.Weights, seat.Weight)
	}
	summary := fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): the only one of %d in pool %s who can take it now.", member, rule.ID, in.Version, len(considered), pool.Title)
	if len(eligible) > 1 {
		summary = fmt.Sprintf("Offered to %s by rule %q of the agreement (version %d): of %d who can take it in pool %s, %s must be served soonest (turn %d; due by turn %d).", member, rule.ID, in.Version, len(eligible), pool.Title, member, turn, window.To)
	}
	return &Said{
		Body: &leadv1.LeadOffered{
			AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, Member: member, Offer: s.Offers + 1,
			TakeBy: timestamppb.New(takeBy), Rule: rule.ID, Turn: leadv1.TurnKind_TURN_KIND_ROTATION, TurnNumber: turn,
			Considered: considered, Summary: summary, Overlay: rule.Overlay,
		},
		Group: pool.Group, Step: step,
	}
}

func queue(in Input, pool agreement.Pool, rule agreement.Handoff, considered []*leadv1.Candidate, blocked, text string, look time.Time) *Said {
	s := in.Lead
	since := s.WaitingSince
	if since.IsZero() {
		since = in.Now
	}
	body := &leadv1.LeadQueued{
		AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, BlockedBy: blocked, Text: text, Considered: considered, Rule: rule.ID,
	}
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_QUEUED, LeadId: s.ID, Pool: pool.ID, BlockedBy: blocked, WaitingSince: timestamppb.New(since),
	}
	if !look.IsZero() {
		body.LookAgainAt, step.LookAgainAt = timestamppb.New(look), timestamppb.New(look)
	}
	return &Said{Body: body, Group: pool.Group, Step: step}
}

// consider looks at everybody in the pool: who can take the lead now, and why
// each other cannot. at answers each eligible seat's place among the considered.
func consider(in Input, pool agreement.Pool, calendar *agreement.Calendar, counts *Counts, rotation *Rotation) (considered []*leadv1.Candidate, eligible []Seat, at []int) {
	onDuty := calendar.OnDuty(in.Now)
	reopened := reopened(in, pool)
	for i, seat := range pool.Members {
		c := &leadv1.Candidate{Member: seat.Member, Load: counts.Load[seat.Member], Capacity: seat.Capacity, Turns: rotation.Count(seat.Member), Weight: seat.Weight}
		c.Reason, c.Text = unfit(in, seat, onDuty, reopened, c.Load)
		if c.Reason == "" {
			c.Eligible = true
			eligible = append(eligible, Seat{Member: seat.Member, Weight: seat.Weight})
			at = append(at, i)
		}
		considered = append(considered, c)
	}
	return considered, eligible, at
}

// reopened says whether everybody who could still answer has let the lead run
// out: then it is open to them again, instead of waiting for nobody.
func reopened(in Input, pool agreement.Pool) bool {
	for _, seat := range pool.Members {
		m := in.Roster.Member(seat.Member)
		if m == nil || m.Deactivated || slices.Contains(in.Lead.Declined, seat.Member) {
			continue
		}
		if !slices.Contains(in.Lead.TimedOut, seat.Member) && !barred(in, seat.Member) {
			return false
		}
	}
	return true
}

// barred says whether somebody sent the lead back to marketing and does not get
// it again, unless the agreement lets them or nobody else is left.
func barred(in Input, member string) bool {
	return in.Logic != first && !in.Agreement.BackToSamePerson() && slices.Contains(in.Lead.Returned, member)
}

func unfit(in Input, seat agreement.PoolMember, onDuty, reopened bool, load int64) (reason, text string) {
	m := in.Roster.Member(seat.Member)
	switch {
	case m == nil:
		return "not-known", "is named by the agreement, but was never added"
	case m.Deactivated:
		return "deactivated", "was taken out of every pool"
	case m.AwayAt(in.Now):
		if m.Until.IsZero() {
			return "away", "is away"
		}
		return "away", "is away until " + stamp(m.Until)
	case !onDuty:
		return "off-duty", "is off duty by the pool's calendar"
	case slices.Contains(in.Lead.Declined, seat.Member):
		return "declined", "has declined this lead"
	case !reopened && slices.Contains(in.Lead.TimedOut, seat.Member):
		return "timed-out", "let this lead run out"
	case !reopened && barred(in, seat.Member):
		return "returned", "sent this lead back to marketing"
	case seat.Capacity > 0 && load >= seat.Capacity:
		return "full", fmt.Sprintf("holds %d of at most %d leads", load, seat.Capacity)
	}
	return "", ""
}

// blocking names the one rule that keeps a lead waiting, and when to look again.
func blocking(in Input, pool agreement.Pool, calendar *agreement.Calendar, considered []*leadv1.Candidate) (rule, text string, look time.Time) {
	count := map[string]int{}
	for _, c := range considered {
		count[c.GetReason()]++
		if m := in.Roster.Member(c.GetMember()); c.GetReason() == "away" && !m.Until.IsZero() && (look.IsZero() || m.Until.Before(look)) {
			look = m.Until
		}
	}
	var parts []string
	for _, reason := range []string{"off-duty", "full", "timed-out", "away", "declined", "returned", "deactivated", "not-known"} {
		if count[reason] == 0 {
			continue
		}
		if rule == "" {
			rule = reason
		}
		parts = append(parts, fmt.Sprintf("%d %s", count[reason], strings.ReplaceAll(reason, "-", " ")))
	}
	switch rule {
	case "":
		rule = "empty-pool"
	case "deactivated", "not-known":
		rule = "empty-pool"
	case "timed-out", "returned":
		rule = "declined"
	case "off-duty":
		if next, ok := calendar.NextOnDuty(in.Now); ok && (look.IsZero() || next.Before(look)) {
			look = next
		}
	}
	text = fmt.Sprintf("Nobody in pool %s can take it now: %s.", pool.Title, strings.Join(parts, ", "))
	if !look.IsZero() {
		text += " It is looked at again at " + stamp(look) + ", or as soon as somebody can."
	} else {
		text += " It goes out as soon as somebody can."
	}
	return rule, text, look
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
