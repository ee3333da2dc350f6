package report

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// seat is one person who could have been given a lead at a turn, or whose share of it
// was kept for them while they were on leave.
type seat struct {
	member string
	weight int64
	owed   bool
}

// setRow is who was there at a turn. Equal sets are stored once, so that a pool of
// many people costs no more than a small one.
type setRow struct {
	id, seats string
}

// turnRow is one lead that a pool gave to a person.
type turnRow struct {
	sequence      uint64
	step          int64
	at            time.Time
	pool, leadID  string
	offer         int64
	kind          string
	counted       bool
	member, setID string
}

// adjustmentRow is a change of a person's books in a rotation.
type adjustmentRow struct {
	sequence             uint64
	step                 int64
	at                   time.Time
	pool, leadID, member string
	kind, setID          string
	leads                int64
}

// adjusted is the kind of an adjustment that is no credit: the calibration of somebody
// who joins or comes back.
const adjusted = "calibration"

// pool takes what a group of pools did with leads.
func (c *changes) pool(e *ledger.Event, b *routingv1.PoolAdvanced) {
	for i, step := range b.GetSteps() {
		switch step.GetKind() {
		case routingv1.StepKind_STEP_KIND_OFFERED:
			rotation := step.GetTurn() == leadv1.TurnKind_TURN_KIND_ROTATION
			c.turns = append(c.turns, &turnRow{
				sequence: e.Seq, step: int64(i), at: e.Occurred, pool: step.GetPool(), leadID: step.GetLeadId(), offer: int64(step.GetOffer()),
				// Steps of before there were other kinds do not say that they count.
				kind: turnWord(step.GetTurn()), counted: step.GetCounted() || rotation,
				member: step.GetMember(), setID: c.there(step),
			})
		case routingv1.StepKind_STEP_KIND_ADJUSTED:
			kind := adjusted
			if step.GetTurn() == leadv1.TurnKind_TURN_KIND_CREDIT {
				kind = turnWord(step.GetTurn())
			}
			c.adjustments = append(c.adjustments, &adjustmentRow{
				sequence: e.Seq, step: int64(i), at: e.Occurred, pool: step.GetPool(), leadID: step.GetLeadId(), member: step.GetMember(),
				kind: kind, leads: step.GetLeads(), setID: c.set(seatsOf(step.GetEligible(), step.GetWeights(), false)),
			})
		}
	}
}

// there keeps who was there at a turn. A step of a large pool says what has changed.
func (c *changes) there(step *routingv1.PoolStep) string {
	owed := seatsOf(step.GetOwed(), step.GetOwedWeights(), true)
	if !step.GetSinceLast() {
		return c.set(append(seatsOf(step.GetEligible(), step.GetWeights(), false), owed...))
	}
	last := c.last[step.GetPool()]
	if last == nil {
		last = &lastSeats{pool: step.GetPool()}
		c.last[step.GetPool()] = last
	}
	if len(step.GetEligible()) > 0 || len(step.GetLeft()) > 0 {
		last.change(step)
		last.setID = c.set(last.seats)
		if !slices.Contains(c.changed, last) {
			c.changed = append(c.changed, last)
		}
	}
	if len(owed) == 0 {
		return last.setID
	}
	return c.set(append(slices.Clone(last.seats), owed...))
}

// lastSeats are who was there by the last step of a pool that said what had changed, and
// the set that they are.
type lastSeats struct {
	pool, setID string
	seats       []seat
}

func (l *lastSeats) change(step *routingv1.PoolStep) {
	moved := map[string]bool{}
	for _, m := range step.GetEligible() {
		moved[m] = true
	}
	for _, m := range step.GetLeft() {
		moved[m] = true
	}
	l.seats = slices.DeleteFunc(l.seats, func(s seat) bool { return moved[s.member] })
	l.seats = append(l.seats, seatsOf(step.GetEligible(), step.GetWeights(), false)...)
}

// set keeps who was there, once, and answers under which id; empty = nobody is named.
func (c *changes) set(seats []seat) string {
	if len(seats) == 0 {
		return ""
	}
	text := seatsText(seats)
	sum := sha256.Sum256([]byte(text))
	id := hex.EncodeToString(sum[:12])
	if !c.known[id] {
		c.known[id] = true
		c.sets = append(c.sets, &setRow{id, text})
	}
	return id
}

func seatsOf(members []string, weights []int64, owed bool) []seat {
	out := make([]seat, 0, len(members))
	for i, m := range members {
		if i < len(weights) && weights[i] > 0 {
			out = append(out, seat{m, weights[i], owed})
		}
	}
	return out
}

// considered are the eligible among those who were looked at for an offer; nobody where
// not each of them is named: then the pool's step says who was there.
func considered(b *leadv1.LeadOffered) []seat {
	var out []seat
	if b.GetCounts() != nil {
		return nil
	}
	for _, c := range b.GetConsidered() {
		if c.GetEligible() && c.GetWeight() > 0 {
			out = append(out, seat{member: c.GetMember(), weight: c.GetWeight()})
		}
	}
	return out
}

// seatsText writes seats as "ana=2 ben=1 | cy=1": who is owed a share stands behind
// the bar. Their order says nothing, so they are sorted.
func seatsText(seats []seat) string {
	var here, owed []string
	for _, s := range seats {
		word := s.member + "=" + strconv.FormatInt(s.weight, 10)
		if s.owed {
			owed = append(owed, word)
			continue
		}
		here = append(here, word)
	}
	slices.Sort(here)
	slices.Sort(owed)
	text := strings.Join(here, " ")
	if len(owed) > 0 {
		text += " | " + strings.Join(owed, " ")
	}
	return text
}

// readSeats reads what seatsText wrote.
func readSeats(text string) []seat {
	var out []seat
	owed := false
	for word := range strings.FieldsSeq(text) {
		if word == "|" {
			owed = true
			continue
		}
		member, weight, _ := strings.Cut(word, "=")
		if n, err := strconv.ParseInt(weight, 10, 64); err == nil {
			out = append(out, seat{member, n, owed})
		}
	}
	return out
}

// person takes who is there at all, from then on.
func (c *changes) person(e *ledger.Event) {
	be := func(member, roles string) {
		c.singles = append(c.singles, single{
			"INSERT INTO members (member, from_at, roles) VALUES (?, ?, ?) ON CONFLICT (member, from_at) DO UPDATE SET roles = excluded.roles",
			[]any{member, nanos(e.Occurred), roles},
		})
	}
	switch b := e.Body.(type) {
	case *routingv1.MemberAdded:
		be(b.GetMember(), strings.Join(b.GetRoles(), " "))
	case *routingv1.MemberDeactivated:
		be(b.GetMember(), "")
	}
}

// restated says who has a lead of the past after its history has grown.
func (r *leadRow) restated(e *ledger.Event, open func(*assignmentRow)) {
	if r.s.Owner != "" && (r.assignment == nil || r.assignment.member != r.s.Owner) {
		open(&assignmentRow{member: r.s.Owner, outcome: outcomeStated, endedAt: e.Occurred})
	}
}

// fit notes how far the lead exceeded what was asked when it was qualified. A call
// gives no points, and what the form was worth stands.
func (r *leadRow) fit(b *leadv1.LeadQualified) {
	if x := b.GetExplanation(); x.GetPointsNeeded() > 0 || x.GetPoints() > 0 || b.GetStage() == leadv1.Stage_STAGE_MQL {
		r.points, r.pointsNeeded = x.GetPoints(), x.GetPointsNeeded()
	}
}
