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
	marketing party
	sales     party

	glossary         []Term
	industries       wordList
	roles            wordList
	products         wordList
	answers          []Question
	answerKeys       map[string]int
	profile          profile
	personas         personas
	stages           [len(stageNames)]StageRules
	horizon          int64
	questionsVersion string
	questions        []Question
	nurture          nurture
	handoffs         []handoff
	pools            []Pool
	calendars        []*Calendar
	reasons          []Reason
	sections         []Term
	vocabulary       *vocabulary
	notices          []Problem
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
}

type handoff struct {
	Handoff
	when *condition
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
}

// Handoff is a rule that gives leads of a stage to a pool.
type Handoff struct {
	ID, Text string
	Stage    leadv1.Stage
	Pool     string
}

// PoolMember is one member of a pool.
type PoolMember struct {
	// Member is the handle.
	Member string
	// Weight is the member's share in the rotation.
	Weight int64
	// Capacity is the most open leads; 0 = no limit.
	Capacity int64
}

// Pool is a group of people who take turns.
type Pool struct {
	ID, Title string
	// Group names the pools that share people.
	Group    string
	Manager  string
	Calendar string
	// TakeWithin is the working time that a member has to take an offered lead.
	TakeWithin time.Duration
	Members    []PoolMember
}

// Reason is an agreed reason for rejecting a lead.
type Reason struct {
	ID, Title   string
	Consequence leadv1.Consequence
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

// Sections lists the parts that are plain text: meetings, responsibilities,
// goals.
func (a *Agreement) Sections() []Term { return slices.Clone(a.sections) }

// Horizon is the number of months within which a lead can be SQL.
func (a *Agreement) Horizon() int64 { return a.horizon }

// RecheckAfter is how long a lead stays with marketing before it is looked at
// again.
func (a *Agreement) RecheckAfter() time.Duration { return a.nurture.recheckAfter }

// NurtureOwner is who answers for the leads that stay with marketing.
func (a *Agreement) NurtureOwner() string { return a.nurture.owner }

// Questionnaire is what a qualifier asks in a call.
func (a *Agreement) Questionnaire() (version string, questions []Question) {
	return a.questionsVersion, slices.Clone(a.questions)
}

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
	return a.stages[i], true
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
