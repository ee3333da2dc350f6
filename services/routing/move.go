package routing

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Moves by hand. Whoever had the lead loses it; it goes to the person who is named, or
// to whom the rules choose next; and the whole of it can be taken back for as long as
// nobody has answered.

// undone is the reason of a move that takes another back, where none is given.
const undone = "undone"

// byHand is how a lead was found its person by a move that names one.
const byHand = "override"

// ask is what somebody wants moved leads to do.
type ask struct {
	// to is who gets them; empty = whoever the rules choose.
	to, reason string
	excluded   []string
	// batch is the move that this is, undoes the one that it takes back.
	batch, undoes string
	note          *leadv1.Sealed
}

// askOf is what a recorded move asked for.
func askOf(body *leadv1.LeadReassigned) ask {
	a := ask{to: body.GetTo(), reason: body.GetReason(), excluded: body.GetExcluded(), batch: body.GetBatchId(), undoes: body.GetUndoes(), note: body.GetNote()}
	if a.undoes != "" {
		// Who gets it back follows from the move of before.
		a.to = ""
	}
	return a
}

// mayAsk refuses what can be asked of no lead.
func (t *Turn) mayAsk(a ask) error {
	if t.agreement == nil {
		return fault.New(fault.State, "no agreement is in force, so nobody can be chosen")
	}
	if reasons, _ := t.agreement.Moves(); (a.undoes == "" || a.reason != undone) && !slices.ContainsFunc(reasons, func(r agreement.Term) bool { return r.Name == a.reason }) {
		var known []string
		for _, r := range reasons {
			known = append(known, r.Name)
		}
		return fault.New(fault.Invalid, "%q is not a reason for moving a lead; use one of %s", a.reason, strings.Join(known, ", "))
	}
	for _, handle := range a.excluded {
		if t.roster.Member(handle) == nil {
			return fault.New(fault.Invalid, "%s is to be left out, and is not known", handle)
		}
	}
	if a.to == "" {
		return nil
	}
	if slices.Contains(a.excluded, a.to) {
		return fault.New(fault.Invalid, "%s is named both as who gets it and as who does not", a.to)
	}
	if why := t.mayGet(a.to); why != "" {
		return fault.New(fault.State, "%s", why)
	}
	return nil
}

// mayGet says why nobody may hand somebody a lead; empty = they may. How much they hold
// already does not matter: it is shown, and whoever moves the lead answers for it.
func (t *Turn) mayGet(handle string) string {
	m := t.roster.Member(handle)
	switch {
	case m == nil:
		return fmt.Sprintf("there is no member %s", handle)
	case m.Deactivated:
		return handle + " was taken out of every pool"
	case !slices.Contains(m.Roles, "sales") && !slices.Contains(m.Roles, "qualifier"):
		return handle + " has neither the role sales nor qualifier, and could not take it"
	}
	switch back, away := m.BackAt(t.now); {
	case !away:
		return ""
	case back.IsZero():
		return handle + " is away"
	default:
		return handle + " is away until " + stamp(back)
	}
}

// moved answers what moving a lead says, or why it may not be moved.
func (t *Turn) moved(s *lead.State, a ask) (body *leadv1.LeadReassigned, why string) {
	holder, held := s.Held()
	switch {
	case s.Historical:
		return nil, "it is imported history, which nobody routes"
	case s.State == leadv1.State_STATE_QUALIFIED && a.undoes == "":
		return nil, "it is just being given out; come again in a moment"
	case !held && s.State != leadv1.State_STATE_WAITING && s.State != leadv1.State_STATE_QUALIFIED:
		return nil, fmt.Sprintf("it is %s, not with sales", lead.StateWord(s.State))
	}
	body = &leadv1.LeadReassigned{From: holder, To: a.to, Reason: a.reason, BatchId: a.batch, Excluded: a.excluded, Undoes: a.undoes, Accepted: s.Owner != "", Note: a.note}
	if _, agreed := t.agreement.Moves(); agreed && a.reason != undone {
		body.AgreementVersion = t.version
	}
	if a.undoes != "" {
		return t.givenBack(s, body)
	}
	switch {
	case a.to == "":
		if held && !slices.Contains(a.excluded, holder) {
			body.Excluded = append(slices.Clone(a.excluded), holder)
		}
	case a.to == holder:
		return nil, holder + " has it already"
	default:
		if _, _, ok := poolFor(t.input(s), a.to); !ok {
			return nil, fmt.Sprintf("no handoff rule takes it, and %s is in no pool from which it could be given", a.to)
		}
	}
	return body, ""
}

// givenBack completes a move that takes another back: whoever had the lead has it again.
func (t *Turn) givenBack(s *lead.State, body *leadv1.LeadReassigned) (_ *leadv1.LeadReassigned, why string) {
	if s.Batch != body.GetUndoes() {
		return nil, movedOn(s)
	}
	was := s.Moved
	body.To, body.Accepted = was.From, was.Accepted
	if was.Accepted {
		// Away or not, it was theirs.
		if m := t.roster.Member(was.From); m == nil || m.Deactivated {
			return nil, was.From + " had it, and was taken out of every pool"
		}
		body.Pool, body.Group, body.Working = was.Pool, was.Group, was.Working
		return body, ""
	}
	if was.From == "" {
		if s.State == leadv1.State_STATE_WAITING && !was.WaitingSince.After(s.WaitingSince) && len(s.Excluded) == 0 {
			return nil, "it waits in line, as it did before"
		}
		body.WaitingSince = timestamppb.New(was.WaitingSince)
		return body, ""
	}
	if was.From == body.GetFrom() {
		return nil, was.From + " has it already"
	}
	if why := t.mayGet(was.From); why != "" {
		return nil, why
	}
	if _, _, ok := poolFor(t.input(s), was.From); !ok {
		return nil, fmt.Sprintf("no handoff rule takes it, and %s is in no pool from which it could be given", was.From)
	}
	return body, ""
}

// movedOn says what has become of a lead since a move that is to be taken back.
func movedOn(s *lead.State) string {
	holder, held := s.Held()
	switch {
	case s.Batch != "":
		return "it was moved again since, by " + s.Batch
	case s.Owner != "" && held:
		return holder + " has accepted it since"
	case held || s.State == leadv1.State_STATE_WAITING:
		return "somebody has answered it since"
	}
	return fmt.Sprintf("it is %s by now", lead.StateWord(s.State))
}

// reassign moves the batch on by a move.
func (t *Turn) reassign(s *lead.State, body *leadv1.LeadReassigned) {
	if member, held := s.Held(); held {
		t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_RELEASED, LeadId: s.ID, Pool: s.Pool, Member: member, Offer: s.Offers})
	}
	back := lead.GivenBack(body)
	if w, waits := t.moves(s, body.GetGroup()); back && waits {
		t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_LEFT, LeadId: s.ID, Pool: w.Pool})
	}
	s.Evolve(body, t.now, t.now)
	if !back {
		return
	}
	// Theirs again without a turn and without a clock.
	t.step(s.Group, &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: s.ID, Pool: s.Pool, Member: body.GetTo(), Turn: leadv1.TurnKind_TURN_KIND_OVERRIDE, TakeBy: timestamppb.New(t.now), Offer: s.Offers,
	})
	t.step(s.Group, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_ACCEPTED, LeadId: s.ID, Pool: s.Pool, Member: body.GetTo(), Offer: s.Offers})
}

// give answers where a lead goes: to whom a move by hand names, or by the rules.
func give(in Input) *Said {
	said := override(in)
	if said == nil {
		said = assign(in)
	}
	if body, ok := said.Body.(*leadv1.LeadOffered); ok {
		body.BatchId = in.Lead.Batch
	}
	return said
}

// poolFor answers by which rule and from which pool somebody is given a lead by hand:
// the pool of the rule that takes the lead, or one of their own where they are not in
// it.
func poolFor(in Input, member string) (rule agreement.Handoff, pool agreement.Pool, ok bool) {
	rule, _, ruled := handoff(in)
	if ruled {
		if pool, ok = in.Agreement.Pool(rule.Pool); ok && seatOf(pool, member) != nil {
			return rule, pool, true
		}
	}
	for _, own := range in.Agreement.Pools() {
		if seatOf(own, member) != nil {
			return rule, own, true
		}
	}
	return rule, pool, ruled && ok
}

func seatOf(pool agreement.Pool, member string) *agreement.PoolMember {
	for i := range pool.Members {
		if pool.Members[i].Member == member {
			return &pool.Members[i]
		}
	}
	return nil
}

// override offers a lead to whom a move names; nil = none names anybody. Everybody of
// the pool is considered as by the rules, so that what they would have said is recorded
// beside it.
func override(in Input) *Said {
	to := in.Lead.MoveTo
	if to == "" {
		return nil
	}
	rule, pool, ok := poolFor(in, to)
	if !ok {
		return nil
	}
	calendar, known := in.Agreement.Calendar(pool.Calendar)
	if !known {
		return nil
	}
	if _, facts, ruled := handoff(in); ruled {
		in.needs = in.Agreement.Needs(rule.ID, facts)
	}
	held := in.Counts(pool.Group)
	rotation := held.Rotations[pool.ID]
	if rotation == nil {
		rotation = &Rotation{}
	}
	considered, eligible, _ := consider(in, pool, calendar, held, rotation)
	i := slices.IndexFunc(considered, func(c *leadv1.Candidate) bool { return c.GetMember() == to })
	if i < 0 {
		i = len(considered)
		considered = append(considered, &leadv1.Candidate{Member: to, Load: held.Load[to], Text: "is not in pool " + pool.Title})
	}
	summary := fmt.Sprintf("Given to %s by hand, out of pool %s (agreement version %d)", to, pool.Title, in.Version)
	if c := considered[i]; !c.GetEligible() {
		summary += fmt.Sprintf(", although %s %s", to, c.GetText())
		c.Text += "; given by hand all the same"
	}
	by := deadline(in, pool, rule, calendar, to)
	const turn = leadv1.TurnKind_TURN_KIND_OVERRIDE
	considered, number := named(in, considered, nil, to)
	body := &leadv1.LeadOffered{
		AgreementVersion: in.Version, Pool: pool.ID, Group: pool.Group, Member: to, Offer: in.Lead.Offers + 1,
		TakeBy: timestamppb.New(by.take), Rule: rule.ID, Turn: turn, Considered: considered, Counts: number,
		Summary: summary + ".", Overlay: rule.Overlay, ChosenBy: byHand,
	}
	if body.Rule == "" {
		body.Rule = byHand
	}
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: in.Lead.ID, Pool: pool.ID, Member: to,
		Turn: turn, TakeBy: body.GetTakeBy(), Offer: body.GetOffer(), Counted: counts(pool, turn), Periods: periods(in, pool, to),
	}
	sayEligible(step, in, pool, rotation, eligible)
	return by.on(&Said{Body: body, Group: pool.Group, Step: step}, "")
}

// reassigned checks a recorded move: it is what the lead, the agreement and the people
// of that moment give.
func (r *rederiving) reassigned(s *lead.State, body *leadv1.LeadReassigned) string {
	a := askOf(body)
	if err := r.turn.mayAsk(a); err != nil {
		return err.Error()
	}
	again, why := r.turn.moved(s, a)
	if why != "" {
		return why
	}
	r.before(s.Group, s.ID)
	if again.GetGroup() != "" && again.GetGroup() != s.Group {
		r.before(again.GetGroup(), s.ID)
	}
	r.turn.reassign(s, again)
	if !proto.Equal(again, body) {
		return difference(again, body)
	}
	return ""
}

// move moves leads by hand, as one batch of the log. Each lead has a cause of its own,
// so that a repeat goes on where the first call stopped.
type move struct {
	ask
	leads []moving
}

type moving struct{ lead, cause string }

// movedLead is what became of one lead of a move; seq is where it was moved before.
type movedLead struct {
	*routingv1.Moved
	seq uint64
}

// move carries a move out; the answer is one movedLead for each lead. What no lead may
// be asked is refused as a whole.
func (r *Routing) move(leads folds, b *batch, item *ledger.Item, cmd *move) {
	out := make([]movedLead, 0, len(cmd.leads))
	refusal := b.turn.mayAsk(cmd.ask)
	before := false
	for _, one := range cmd.leads {
		m := b.moveOne(leads, item, cmd, one, refusal)
		before = before || m.seq != 0
		out = append(out, m)
	}
	if refusal != nil && !before {
		item.Err = refusal
		return
	}
	item.Reply = out
}

func (b *batch) moveOne(leads folds, item *ledger.Item, cmd *move, one moving, refusal error) movedLead {
	out := &routingv1.Moved{LeadId: one.lead}
	refused := func(why string) movedLead {
		out.Refused = why
		return movedLead{Moved: out}
	}
	folded, err := leads(one.lead)
	switch {
	case err != nil:
		return refused("its history cannot be read now; come again")
	case folded.ID == "":
		return refused("there is no such lead")
	}
	if seq, done := folded.Done(one.cause); done {
		return movedLead{out, seq}
	}
	if same := b.commanded[one.cause]; same != nil {
		return same.Reply.(movedLead)
	}
	if refusal != nil {
		return refused(refusal.Error())
	}
	s := b.turn.Lead(folded)
	body, why := b.turn.moved(s, cmd.ask)
	if why != "" {
		return refused(why)
	}
	out.From = body.GetFrom()
	owned := s.Owner != ""
	part := &ledger.Item{Lead: s.ID, Cause: one.cause, Actor: item.Actor, Trace: item.Trace}
	b.fact(s, part, body)
	b.turn.reassign(s, body)
	if owned || s.Owner != "" {
		b.owner(s, part, s.Owner)
	}
	b.look(s, &ledger.Item{Lead: s.ID, Cause: one.cause + next, Trace: item.Trace})
	out.To, _ = s.Held()
	out.BlockedBy = s.BlockedBy
	part.Reply = movedLead{Moved: out}
	b.commanded[one.cause] = part
	return movedLead{Moved: out}
}

// next follows the cause of a command in the cause of what it led to.
const next = ":next"
