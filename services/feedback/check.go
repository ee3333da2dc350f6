package feedback

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/chance"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// When a month calls for a check of how both departments work together.
const (
	// checkAfter is how long after a month it is looked at: deals are entered late.
	checkAfter = 72 * time.Hour
	// opportunityMonths are the months before that opportunities are held against.
	// CheckAlarms is how often, at most, so few come by chance where nothing has changed.
	opportunityMonths = 3
	CheckAlarms       = 0.005
	// revenueMonths are those that revenue is held against: it has to be less than in any
	// of them, and less than half of their mean.
	revenueMonths = 6
	// breachedPart is which part of a month's offers may run out of agreed times before that
	// is a sign.
	breachedPart = 10
)

// Checks is the fold of what falls can be seen by, of the signs that the log shows, and of
// the checks that were opened. It is asked within a view of the log.
type Checks struct {
	Register *agreement.Register
	Quarters *Quarters

	first time.Time
	leads map[string]*checkedLead
	// What happened when, in the order of the log.
	opportunities []time.Time
	won           []wonDeal
	seen          map[string][]time.Time

	byMonth map[string]*check

	mu    sync.Mutex
	nudge func()
}

// checkedLead is what is kept of a lead.
type checkedLead struct {
	reached, won bool
	// rejected by whom first.
	rejected string
}

type wonDeal struct {
	at       time.Time
	minor    int64
	currency string
}

type check struct {
	*feedbackv1.AlignmentCheckOpened
	openedAt, closedAt time.Time
	found, cause       string
}

// What is seen besides opportunities and deals.
const (
	seenDispute   = "dispute"
	seenRejection = "rejection"
	seenChange    = "change"
	seenCollision = "collision"
	seenBreach    = "breach"
	seenOffer     = "offer"
	seenSecond    = "second"
	seenRide      = "ride"
)

// NewChecks is the fold of nothing, on top of agreements and quarters, which are folded
// before it.
func NewChecks(register *agreement.Register, quarters *Quarters) *Checks {
	return &Checks{Register: register, Quarters: quarters, leads: map[string]*checkedLead{}, seen: map[string][]time.Time{}, byMonth: map[string]*check{}, nudge: func() {}}
}

func (c *Checks) see(what string, at time.Time) { c.seen[what] = append(c.seen[what], at) }

// Apply implements ledger.Fold.
func (c *Checks) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *agreementv1.AgreementProposed:
		c.see(seenChange, e.Occurred)
		return
	case *routingv1.CollisionRaised:
		c.see(seenCollision, e.Occurred)
		return
	case *feedbackv1.AlignmentCheckOpened:
		if c.byMonth[body.GetMonth()] == nil {
			c.byMonth[body.GetMonth()] = &check{AlignmentCheckOpened: body, openedAt: e.Recorded}
		}
		return
	case *feedbackv1.AlignmentCheckClosed:
		if one := c.byMonth[body.GetMonth()]; one != nil && one.found == "" {
			one.found, one.closedAt, one.cause = body.GetFound(), e.Recorded, e.Cause
		}
		return
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	if body, ok := e.Body.(*leadv1.LeadReceived); ok {
		if !body.GetHistorical() {
			c.leads[id] = &checkedLead{}
			if c.first.IsZero() || e.Occurred.Before(c.first) {
				c.first = e.Occurred
			}
		}
		return
	}
	if l := c.leads[id]; l != nil {
		c.ofLead(l, e)
	}
}

func (c *Checks) ofLead(l *checkedLead, e *ledger.Event) {
	switch body := e.Body.(type) {
	case *leadv1.LeadQualified:
		if body.GetStage() == leadv1.Stage_STAGE_SQL && !l.reached {
			l.reached = true
			c.opportunities = append(c.opportunities, e.Occurred)
			c.begun()
		}
	case *leadv1.OutcomeRecorded:
		if body.GetKind() != leadv1.OutcomeKind_OUTCOME_KIND_WON || l.won {
			return
		}
		l.won = true
		c.won = append(c.won, wonDeal{e.Occurred, body.GetValueMinor(), body.GetCurrency()})
		c.begun()
		if l.rejected != "" && l.rejected != body.GetMember() {
			c.see(seenSecond, e.Occurred)
		}
	case *leadv1.OfferRejected:
		c.see(seenRejection, e.Occurred)
		l.rejected = cmp.Or(l.rejected, body.GetMember())
	case *leadv1.DisputeOpened:
		c.see(seenDispute, e.Occurred)
	case *leadv1.LeadOffered:
		c.see(seenOffer, e.Occurred)
	case *leadv1.ClockBreached:
		c.see(seenBreach, e.Occurred)
	case *leadv1.RideAlongHeld:
		c.see(seenRide, e.Occurred)
	}
}

// year is how the agreement in force at an instant divides time.
func (c *Checks) year(at time.Time) agreement.Year {
	if v := c.Register.InForce(at); v != nil && v.Agreement != nil {
		return v.Agreement.Year()
	}
	return agreement.Year{Starts: time.January, Zone: time.UTC}
}

// look answers the month that is to be looked at by an instant, the latest whose time to
// be looked at has come, and when the next one's has.
func (c *Checks) look(now time.Time) (from, to, next time.Time) {
	year := c.year(now)
	begins, ends := year.Begin(now, "month")
	if next = begins.Add(checkAfter); now.Before(next) {
		begins, _ = year.Begin(begins.Add(-time.Hour), "month")
		from, to = year.Begin(begins.Add(-time.Hour), "month")
		return from, to, next
	}
	from, to = year.Begin(begins.Add(-time.Hour), "month")
	return from, to, ends.Add(checkAfter)
}

// due is the check that has to be opened by an instant; nil = none.
func (c *Checks) due(now time.Time) *feedbackv1.AlignmentCheckOpened {
	from, to, _ := c.look(now)
	month := from.In(c.year(now).Zone).Format("2006-01")
	if c.first.IsZero() || c.byMonth[month] != nil || c.open() != nil {
		return nil
	}
	falls := c.falls(from, to)
	if len(falls) == 0 {
		return nil
	}
	return &feedbackv1.AlignmentCheckOpened{Month: month, From: timestamppb.New(from), To: timestamppb.New(to), Falls: falls, Signs: c.signs(from, to)}
}

// open is the check that is open; nil = none is.
func (c *Checks) open() *check {
	for _, month := range slices.Sorted(maps.Keys(c.byMonth)) {
		if c.byMonth[month].found == "" {
			return c.byMonth[month]
		}
	}
	return nil
}

// before are the whole months before one that are known, the latest first.
func (c *Checks) before(from time.Time, n int) (begins []time.Time) {
	year := c.year(from)
	for at := from; len(begins) < n; {
		at, _ = year.Begin(at.Add(-time.Hour), "month")
		if at.Before(c.first) {
			return begins
		}
		begins = append(begins, at)
	}
	return begins
}

func count(in []time.Time, from, to time.Time) (n int64) {
	for _, at := range in {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// falls are what fell in a month against those before it.
func (c *Checks) falls(from, to time.Time) (out []*feedbackv1.Fall) {
	if begins := c.before(from, opportunityMonths); len(begins) == opportunityMonths {
		first := begins[len(begins)-1]
		now, was := count(c.opportunities, from, to), count(c.opportunities, first, from)
		by := chance.Binomial(int(was+now), to.Sub(from).Hours()/to.Sub(first).Hours())
		if by.AtMost(int(now)) <= CheckAlarms {
			out = append(out, &feedbackv1.Fall{What: "opportunities", Month: now, Before: was, Months: opportunityMonths})
		}
	}
	begins := c.before(from, revenueMonths)
	if len(begins) < revenueMonths {
		return out
	}
	sum := func(currency string, from, to time.Time) (minor int64) {
		for _, d := range c.won {
			if d.currency == currency && !d.at.Before(from) && d.at.Before(to) {
				minor += d.minor
			}
		}
		return minor
	}
	currencies := map[string]bool{}
	for _, d := range c.won {
		if d.currency != "" {
			currencies[d.currency] = true
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(currencies)) {
		now, least, was, until := sum(currency, from, to), int64(math.MaxInt64), int64(0), from
		for _, at := range begins {
			one := sum(currency, at, until)
			least, was, until = min(least, one), was+one, at
		}
		if now < least && 2*revenueMonths*now < was {
			out = append(out, &feedbackv1.Fall{What: "revenue", Month: now, Before: was, Months: revenueMonths, Currency: currency})
		}
	}
	return out
}

// signs are the seven signs of a month, as far as the log can say.
func (c *Checks) signs(from, to time.Time) []*feedbackv1.Sign {
	n := func(what string) int64 { return count(c.seen[what], from, to) }
	var out []*feedbackv1.Sign
	say := func(name, state, text string, args ...any) {
		out = append(out, &feedbackv1.Sign{Number: int32(len(out) + 1), Name: name, State: state, Text: fmt.Sprintf(text, args...)}) // #nosec G115 -- seven
	}
	shown := func(is bool) string {
		if is {
			return "shown"
		}
		return "not-shown"
	}
	agreed := false
	for _, q := range c.Quarters.All() {
		r := q.Holds()
		agreed = agreed || r != nil && r.GetFrom().AsTime().Before(to) && from.Before(r.GetTo().AsTime())
	}
	signed := map[bool]string{true: "targets that both parties have signed held in the month", false: "no targets that both parties have signed held in the month, so no number has both names on it"}[agreed]
	say("nobody-accountable", shown(!agreed), "%s", signed)
	say("different-languages", shown(n(seenCollision) > 0), "%d times two people acted on one person", n(seenCollision))
	quiet := n(seenDispute)+n(seenRejection)+n(seenChange) == 0
	say("harmony-hides-decline", shown(quiet), "%d disputes, %d rejections and %d proposals to change the agreement, while figures fell", n(seenDispute), n(seenRejection), n(seenChange))
	say("no-meetings", "not-measured", "the log holds no meetings: ask when the two leaders met last")
	say("no-trust", shown(n(seenSecond) > 0), "%d deals were won by another than the first who had rejected the lead; whether leads are given fairly says baton report fairness", n(seenSecond))
	say("learning-apart", "not-measured", "the log holds no trials and what came of them; %d times marketing listened to a talk of sales", n(seenRide))
	say("rush-then-wait", shown(breachedPart*n(seenBreach) > n(seenOffer)), "%d agreed times ran out, beside %d offers; a sign are more than one in %d", n(seenBreach), n(seenOffer), breachedPart)
	return out
}

// Nudge sets what is called when there is something that can fall. It must not wait.
func (c *Checks) Nudge(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nudge = f
}

// begun nudges with the first thing that can fall; from then on the clock leads.
func (c *Checks) begun() {
	if len(c.opportunities)+len(c.won) != 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nudge()
}

// Watch opens checks when they are due: a ledger.Decider that hears nothing and is led by
// the clock. A check is the first event on its month's subject, so that of two who open it
// one is heard.
type Watch struct{ Checks *Checks }

// Service implements ledger.Decider.
func (w *Watch) Service() string { return Name }

// Due implements ledger.Decider. While nothing can fall, nothing is due.
func (w *Watch) Due(v *ledger.View) time.Time {
	if len(w.Checks.opportunities)+len(w.Checks.won) == 0 {
		return time.Time{}
	}
	_, _, next := w.Checks.look(v.Woken)
	return next
}

// Wake implements ledger.Decider.
func (w *Watch) Wake(v *ledger.View) []*ledger.Item {
	if due := w.Checks.due(v.Now); due != nil {
		return []*ledger.Item{{Cause: "check:" + due.GetMonth()}}
	}
	return nil
}

// Decide implements ledger.Decider.
func (w *Watch) Decide(v *ledger.View, _ []*ledger.Item) ([]ledger.Draft, error) {
	due := w.Checks.due(v.Now)
	if due == nil {
		return nil, nil
	}
	draft := ledger.Draft{Subject: subjectCheck(due.GetMonth()), Body: due, Cause: "check:" + due.GetMonth(), Correlation: "check:" + due.GetMonth()}
	if version := w.Checks.Register.InForce(v.Now); version != nil {
		draft.Agreement = version.Number
	}
	return []ledger.Draft{draft}, nil
}

// subjectCheck is where the check of a month stands.
func subjectCheck(month string) string { return lead.SubjectOrg + "check." + month }
