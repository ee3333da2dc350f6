// Package agreement holds what marketing and sales have signed. It promises that
// a document is either refused with every problem that can be found, each at its
// line and column, or compiled into rules that always give the same answer: a
// decision reads recorded facts and nothing else, has a bounded cost, uses whole
// numbers only and explains itself by the criteria it looked at. A fact that
// nobody stated is unknown; no comparison with it holds.
package agreement

import (
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Agreement is one compiled document. It never changes and may be used by many
// at once.
type Agreement struct {
	name      string
	digest    [sha256.Size]byte
	inForce   time.Time
	hasStart  bool
	baseline  time.Time
	marketing party
	sales     party

	glossary       []Term
	industries     wordList
	roles          wordList
	products       wordList
	answers        []Question
	answerKeys     map[string]int
	touches        []Term
	signals        []signal
	profile        profile
	personas       personas
	stages         [len(stageNames)]stage
	horizon        int64
	questionnaires []Questionnaire
	nurture        nurture
	overlays       []overlay
	priorities     []Priority
	handoffs       []handoff
	pools          []Pool
	calendars      []*Calendar
	holidaySets    []holidaySet
	reasons        []Reason
	moves          []Term
	dispositions   []Disposition
	dealStages     []Term
	feedback       Feedback
	hasFeedback    bool
	disputes       Disputes
	forGood        time.Duration
	forGoodBy      string
	purposes       []purpose
	year           Year
	collision      time.Duration
	clocks         []clock
	sections       []Term
	vocabulary     *vocabulary
	notices        []Problem
}

type party struct {
	accountable string
	key         ed25519.PublicKey
}

type profile struct {
	version  string
	needed   int64
	criteria []criterion
}

type criterion struct {
	id, text string
	must     bool
	points   int64
	when     *condition
	// halves is the time in which the points of a touch halve; 0 = they stay.
	halves time.Duration
	// question of a call that decides it; empty = none does.
	question string
}

type personas struct {
	version string
	list    []persona
}

type persona struct {
	id, title, influence, text string
	when                       *condition
}

type nurture struct {
	recheckAfter time.Duration
	owner        string
	plan         []PlannedTouch
	same         bool
}

// signal is what shows that somebody wants to talk now.
type signal struct {
	Signal
	when *condition
}

// stage is a stage with what has to be known and to hold in it.
type stage struct {
	StageRules
	requires []*variable
	criteria []criterion
}

// overlay changes what holds for a part of the leads until a date.
type overlay struct {
	Overlay
	when *condition
}

type handoff struct {
	Handoff
	when  *condition
	needs []*variable
}

// Term is a word or a section of the agreement with its text.
type Term struct{ Name, Text string }

// StageRules are what the agreement says about one stage.
type StageRules struct {
	Stage leadv1.Stage
	// Title is what people call the stage.
	Title string
	// Owner is who answers for the leads in it.
	Owner string
	// Text, Enter and Exit are the rules in words.
	Text, Enter, Exit string
	// LeaveWithin is how long a lead may stay.
	LeaveWithin time.Duration
	// Responsible does the work, Informed hears of it; Owner is accountable.
	Responsible, Informed []string
}

// Signal shows that somebody wants to talk now: it promotes a lead whatever its
// points.
type Signal struct {
	ID, Title, Text string
	// TakeWithin is the working time to take such a lead; 0 = the pool's own.
	TakeWithin time.Duration
}

// PlannedTouch is one step of the nurture plan.
type PlannedTouch struct {
	// Touch is its kind, one of the agreed touches.
	Touch, Text string
	// After is how long after the step before, or after the lead came to nurture.
	After time.Duration
}

// Overlay is an exception for a part of the leads, which expires by itself.
type Overlay struct {
	ID, Text string
	// From is zero where it holds from the beginning of the version; it holds until
	// just before Until.
	From, Until time.Time
	// PointsNeeded, Pool and TakeWithin replace what holds otherwise.
	PointsNeeded *int64
	Pool         string
	TakeWithin   time.Duration
}

// Priority says which department takes precedence where, and how long.
type Priority struct {
	ID, Text string
	// Leads is "marketing" or "sales".
	Leads string
	// Scope says in words what it is about, such as a segment or a product.
	Scope string
	// From and Until bound it; zero = no bound.
	From, Until time.Time
}

// Questionnaire is what is asked in calls about leads of one stage.
type Questionnaire struct {
	// Stage of the lead; unspecified = every stage that has none of its own.
	Stage     leadv1.Stage
	Version   string
	Text      string
	Questions []Question
}

// Reason is an agreed reason for rejecting a lead.
type Reason struct {
	ID, Title   string
	Consequence leadv1.Consequence
	// Credit says that the person gets another lead for it.
	Credit bool
	// Attempts are the touches that must have been tried before it may be given; 0 =
	// none.
	Attempts int64
}

// Parties to the agreement, as PartyKey takes them.
const (
	Marketing = "marketing"
	Sales     = "sales"
)

// Name is the agreement's name.
func (a *Agreement) Name() string { return a.name }

// Digest is the SHA-256 of the document, byte for byte: what is signed.
func (a *Agreement) Digest() [32]byte { return a.digest }

// InForceFrom is the instant from which the document wants to be in force; false
// where it states none.
func (a *Agreement) InForceFrom() (time.Time, bool) { return a.inForce, a.hasStart }

// Baseline is the instant at which reports start unless somebody asks for more: what
// came before it is not held against anybody. False where none is agreed.
func (a *Agreement) Baseline() (time.Time, bool) { return a.baseline, !a.baseline.IsZero() }

// PartyKey is the public key of "marketing" or "sales"; nil for anybody else.
func (a *Agreement) PartyKey(name string) ed25519.PublicKey {
	switch name {
	case Marketing:
		return slices.Clone(a.marketing.key)
	case Sales:
		return slices.Clone(a.sales.key)
	}
	return nil
}

// Accountable names who answers for a party.
func (a *Agreement) Accountable(name string) string {
	switch name {
	case Marketing:
		return a.marketing.accountable
	case Sales:
		return a.sales.accountable
	}
	return ""
}

// Glossary lists the agreed terms in the order of the document.
func (a *Agreement) Glossary() []Term { return slices.Clone(a.glossary) }

// Horizon is the number of months within which a lead can be SQL.
func (a *Agreement) Horizon() int64 { return a.horizon }

// RecheckAfter is how long a lead stays with marketing before it is looked at
// again.
func (a *Agreement) RecheckAfter() time.Duration { return a.nurture.recheckAfter }

// BackToSamePerson says whether somebody who sent a lead back to marketing may
// get it again.
func (a *Agreement) BackToSamePerson() bool { return a.nurture.same }

// NurtureOwner is who answers for the leads that stay with marketing.
func (a *Agreement) NurtureOwner() string { return a.nurture.owner }

// Questionnaire is what is asked in a call about a lead of a stage; ok is false
// where nothing is agreed.
func (a *Agreement) Questionnaire(of leadv1.Stage) (q Questionnaire, ok bool) {
	for _, one := range a.questionnaires {
		switch one.Stage {
		case of:
			one.Questions = slices.Clone(one.Questions)
			return one, true
		case leadv1.Stage_STAGE_UNSPECIFIED:
			q, ok = one, true
		}
	}
	q.Questions = slices.Clone(q.Questions)
	return q, ok
}

// Questionnaires lists them in the order of the document.
func (a *Agreement) Questionnaires() []Questionnaire { return slices.Clone(a.questionnaires) }

// Touches lists the kinds of touches that conditions can count.
func (a *Agreement) Touches() []Term { return slices.Clone(a.touches) }

// Plan is the nurture plan, step by step.
func (a *Agreement) Plan() []PlannedTouch { return slices.Clone(a.nurture.plan) }

// Overlays lists the exceptions in the order of the document.
func (a *Agreement) Overlays() []Overlay {
	out := make([]Overlay, len(a.overlays))
	for i, o := range a.overlays {
		out[i] = o.Overlay
	}
	return out
}

// Priorities lists which department takes precedence where.
func (a *Agreement) Priorities() []Priority { return slices.Clone(a.priorities) }

// StageTitle is what people call a stage; its short name where the agreement has
// no title for it.
func (a *Agreement) StageTitle(s leadv1.Stage) string {
	rules, ok := a.Stage(s)
	if !ok {
		return "no stage"
	}
	return rules.Title
}

// Stage answers the rules of a stage.
func (a *Agreement) Stage(s leadv1.Stage) (StageRules, bool) {
	i := int(s) - int(leadv1.Stage_STAGE_LEAD)
	if i < 0 || i >= len(a.stages) {
		return StageRules{}, false
	}
	return a.stages[i].StageRules, true
}

// Pool answers one pool.
func (a *Agreement) Pool(id string) (Pool, bool) {
	for _, p := range a.pools {
		if p.ID == id {
			return p.clone(), true
		}
	}
	return Pool{}, false
}

// Pools lists the pools in the order of the document.
func (a *Agreement) Pools() []Pool {
	out := make([]Pool, len(a.pools))
	for i, p := range a.pools {
		out[i] = p.clone()
	}
	return out
}

// clone keeps the agreement's members out of other hands.
func (p Pool) clone() Pool {
	p.Members = slices.Clone(p.Members)
	return p
}

// Calendar answers one working calendar.
func (a *Agreement) Calendar(id string) (*Calendar, bool) {
	for _, c := range a.calendars {
		if c.id == id {
			return c, true
		}
	}
	return nil, false
}

// Reason answers one agreed reason for rejecting a lead.
func (a *Agreement) Reason(id string) (Reason, bool) {
	for _, r := range a.reasons {
		if r.ID == id {
			return r, true
		}
	}
	return Reason{}, false
}

// Reasons lists the agreed reasons in the order of the document.
func (a *Agreement) Reasons() []Reason { return slices.Clone(a.reasons) }
