package qualification

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/lead"
)

// Past is a lead as it was known when it was first decided, and each call about it
// with what was known then.
type Past struct {
	ID       string
	Received time.Time
	Known
	Calls []PastCall
}

// Known is what a decision reads of a lead, and the instant that it reads it at.
type Known struct {
	Features *leadv1.Features
	Touches  []lead.Arrival
	At       time.Time
}

// PastCall is a call with what was known of the lead then.
type PastCall struct {
	Call *leadv1.CallRecorded
	Known
}

// Trial decides past leads by two agreements and counts what comes out otherwise.
// Both read the same facts, and each is the service's own decision. The zero value
// is of no use; NewTrial makes one.
type Trial struct {
	now, then side
	most      int
	moves     map[[2]string]int64
	purposes  map[[2]string]int64
	causes    map[cause]int64
	missing   map[string]int64
	sample    []sampled
	out       *qualificationv1.Trial
}

// side is one of the two agreements.
type side struct {
	agreement *agreement.Agreement
	version   int64
}

// NewTrial tries a document that is not signed yet beside the agreement in force
// (nil = none is); the sample holds at most so many leads.
func NewTrial(now *agreement.Agreement, version int64, then *agreement.Agreement, sample int) *Trial {
	digest := then.Digest()
	return &Trial{
		now: side{now, version}, then: side{then, 0}, most: sample,
		moves: map[[2]string]int64{}, purposes: map[[2]string]int64{}, causes: map[cause]int64{}, missing: map[string]int64{},
		out: &qualificationv1.Trial{AgreementVersion: version, Digest: digest[:]},
	}
}

// Refused counts a lead that was refused at the door.
func (t *Trial) Refused() { t.out.Leads, t.out.Refused = t.out.Leads+1, t.out.Refused+1 }

// Historical counts a lead of imported history.
func (t *Trial) Historical() { t.out.Leads, t.out.Historical = t.out.Leads+1, t.out.Historical+1 }

// Where a lead stands, lowest first: waiting is for an agreement or for facts.
const (
	standsWaiting = "waiting"
	standsLead    = "LEAD"
)

// Directions of a change.
const (
	directionUp    = "up"
	directionDown  = "down"
	directionAside = "aside"
)

// verdict is what one agreement makes of a lead.
type verdict struct {
	side
	stands  string
	arrival *leadv1.Explanation
	// called explains the last decision by a call; nil = no call decided.
	called *leadv1.Explanation
	// missing are the facts for which the lead waits.
	missing []string
	// purpose of the lead; empty = it waits, or none is agreed.
	purpose string
}

// purposed says whether the agreement has purposes.
func (d side) purposed() bool { return d.agreement != nil && len(d.agreement.Purposes()) > 0 }

// explanation is that of the last decision.
func (v *verdict) explanation() *leadv1.Explanation {
	if v.called != nil {
		return v.called
	}
	return v.arrival
}

// rank orders where a lead can stand by stages: who waits or is with marketing has
// none of them yet.
func (v *verdict) rank() int {
	return slices.Index([]string{standsLead, "MQL", "SAL", "SQL"}, v.stands)
}

// decide makes the decisions on a lead by one agreement.
func (d side) decide(p *Past) verdict {
	v := verdict{side: d}
	s := &lead.State{ID: p.ID, State: leadv1.State_STATE_RECEIVED, Stage: leadv1.Stage_STAGE_LEAD, ReceivedAt: p.Received}
	said := d.say(s, &p.Known)
	v.arrival = explanationOf(said)
	for i := range p.Calls {
		c := &p.Calls[i]
		s.Evolve(c.Call, c.At, c.At)
		if by := d.say(s, &c.Known); by != nil {
			said = by
			v.called = explanationOf(said)
		}
	}
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		v.stands, v.purpose = lead.StageWord(body.GetStage()), body.GetPurpose()
	case *leadv1.LeadNurtured:
		v.stands, v.purpose = standsLead, body.GetPurpose()
	default:
		v.stands = standsWaiting
		if d.agreement != nil {
			v.missing, _, _ = d.agreement.Lacks(leadv1.Stage_STAGE_MQL, p.facts())
		}
	}
	return v
}

// say decides on what was known at one instant, and lets it be so.
func (d side) say(s *lead.State, k *Known) proto.Message {
	s.Features, s.Journey, s.Came = k.Features, k.Touches, int64(len(k.Touches))
	said := Decide(Input{Lead: s, Agreement: d.agreement, Version: d.version, Now: k.At})
	if said != nil {
		s.Evolve(said, k.At, k.At)
	}
	return said
}

func (k *Known) facts() agreement.Facts {
	return agreement.FactsOf(&lead.State{Features: k.Features, Journey: k.Touches}, k.At)
}

func explanationOf(said proto.Message) *leadv1.Explanation {
	switch body := said.(type) {
	case *leadv1.LeadQualified:
		return body.GetExplanation()
	case *leadv1.LeadNurtured:
		return body.GetExplanation()
	case *leadv1.QualificationHeld:
		return &leadv1.Explanation{Summary: body.GetText()}
	}
	return nil
}

// Take decides one lead by both agreements and counts it.
func (t *Trial) Take(p *Past) {
	now, then := t.now.decide(p), t.then.decide(p)
	o := t.out
	o.Leads++
	o.Tried++
	t.moves[[2]string{now.stands, then.stands}]++
	if t.now.purposed() || t.then.purposed() {
		t.purposes[[2]string{now.purpose, then.purpose}]++
	}
	for _, fact := range then.missing {
		t.missing[fact]++
	}
	if now.stands == then.stands {
		return
	}
	o.Changed++
	direction := directionAside
	switch a, b := max(0, now.rank()), max(0, then.rank()); {
	case b > a:
		direction = directionUp
		o.Up++
		if a == 0 {
			o.WouldBecomeMql++
		}
	case b < a:
		direction = directionDown
		o.Down++
		if b == 0 {
			o.WouldNoLongerBeMql++
		}
	default:
		o.Aside++
	}
	why := causesOf(p, &now, &then)
	for i := range why {
		why[i].direction = direction
		t.causes[why[i]]++
	}
	t.keep(p, &now, &then, why)
}

// sampled is a lead of the sample and its place in it.
type sampled struct {
	place uint64
	lead  *qualificationv1.TriedLead
}

// keep draws the sample: the leads whose ids have the smallest hashes, which is
// even over all and the same each time, in whatever order they come.
func (t *Trial) keep(p *Past, now, then *verdict, why []cause) {
	if t.most == 0 {
		return
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.ID))
	place := h.Sum64()
	if len(t.sample) == t.most && place >= t.sample[t.most-1].place {
		return
	}
	shown := &qualificationv1.TriedLead{
		LeadId: p.ID, Now: now.stands, Then: then.stands,
		WhyNow: proto.CloneOf(now.explanation()), WhyThen: proto.CloneOf(then.explanation()),
	}
	if !p.Received.IsZero() {
		shown.ReceivedAt = timestamppb.New(p.Received)
	}
	if ex := shown.GetWhyThen(); ex != nil {
		ex.Summary = unnumbered.Replace(ex.GetSummary())
	}
	for _, c := range why {
		shown.Causes = append(shown.Causes, c.text)
	}
	at, _ := slices.BinarySearchFunc(t.sample, place, func(s sampled, place uint64) int { return cmp.Compare(s.place, place) })
	t.sample = slices.Insert(t.sample, at, sampled{place, shown})
	t.sample = t.sample[:min(len(t.sample), t.most)]
}

// unnumbered words a decision by a document that has no number yet.
var unnumbered = strings.NewReplacer("agreement (version 0)", "new agreement", "agreement version 0", "new agreement")

// Result is what came out so far.
func (t *Trial) Result() *qualificationv1.Trial {
	out := proto.CloneOf(t.out)
	out.Moves, out.Purposes = moved(t.moves), moved(t.purposes)
	for c, n := range t.causes { // any order: sorted below
		out.Causes = append(out.Causes, &qualificationv1.Cause{Id: c.id, Text: c.text, Direction: c.direction, Leads: n})
	}
	slices.SortFunc(out.Causes, func(a, b *qualificationv1.Cause) int {
		return cmp.Or(cmp.Compare(b.GetLeads(), a.GetLeads()), cmp.Compare(a.GetId(), b.GetId()), cmp.Compare(a.GetText(), b.GetText()), cmp.Compare(a.GetDirection(), b.GetDirection()))
	})
	for fact, n := range t.missing { // any order: sorted below
		out.Missing = append(out.Missing, &qualificationv1.MissingFact{Fact: fact, Leads: n})
	}
	slices.SortFunc(out.Missing, func(a, b *qualificationv1.MissingFact) int {
		return cmp.Or(cmp.Compare(b.GetLeads(), a.GetLeads()), cmp.Compare(a.GetFact(), b.GetFact()))
	})
	for _, s := range t.sample {
		out.Sample = append(out.Sample, s.lead)
	}
	return out
}

// moved are counts of leads by where they stand by either agreement, most first.
func moved(counts map[[2]string]int64) (out []*qualificationv1.Move) {
	for move, n := range counts { // any order: sorted below
		out = append(out, &qualificationv1.Move{Now: move[0], Then: move[1], Leads: n})
	}
	slices.SortFunc(out, func(a, b *qualificationv1.Move) int {
		return cmp.Or(cmp.Compare(b.GetLeads(), a.GetLeads()), cmp.Compare(a.GetNow(), b.GetNow()), cmp.Compare(a.GetThen(), b.GetThen()))
	})
	return out
}

// cause is something that differs and moves leads.
type cause struct{ id, text, direction string }

// What moves leads besides criteria and signals.
const (
	causeNoAgreement = "no-agreement"
	causePoints      = "points_needed"
	causePersona     = "persona"
	causeRequired    = "required-facts"
	causeOther       = "definition"
)

// causesOf says why a lead stands elsewhere by the new document: what keeps it
// back on the lower side and does not on the higher one.
func causesOf(p *Past, now, then *verdict) []cause {
	if now.agreement == nil {
		return []cause{{id: causeNoAgreement, text: "no agreement is in force now"}}
	}
	d := differ{now: now, then: then, low: then, high: now}
	// Who waits for facts has passed the profile.
	if rise := []string{standsLead, standsWaiting, "MQL", "SAL", "SQL"}; slices.Index(rise, now.stands) < slices.Index(rise, then.stands) {
		d.low, d.high = now, then
	}
	if d.low.called != nil && d.high.called != nil {
		d.byCall()
	}
	if len(d.found) == 0 {
		d.byArrival(p)
	}
	if len(d.found) == 0 {
		return []cause{{id: causeOther, text: "the definitions differ"}}
	}
	return d.found
}

// differ looks for what keeps a lead back on the low side.
type differ struct {
	now, then, low, high *verdict
	found                []cause
}

func (d *differ) add(id, text string) {
	if !slices.ContainsFunc(d.found, func(c cause) bool { return c.id == id && c.text == text }) {
		d.found = append(d.found, cause{id: id, text: text})
	}
}

func (d *differ) byCall() {
	high := byID(d.high.called.GetCriteria())
	for _, c := range d.low.called.GetCriteria() {
		if other := high[c.GetId()]; !c.GetMet() && (other == nil || other.GetMet()) {
			d.criterion(c, other)
		}
	}
}

func (d *differ) byArrival(p *Past) {
	f := p.facts()
	if d.high.arrival.GetSignal() != "" && d.low.arrival.GetSignal() == "" {
		if _, _, shown := d.low.agreement.Signal(f); !shown {
			d.bySignal(d.high.arrival)
			return
		}
	}
	low, high := d.low.agreement.Profile(f), d.high.agreement.Profile(f)
	mine, theirs := byID(low.Criteria), byID(high.Criteria)
	for _, c := range low.Criteria {
		if other := theirs[c.GetId()]; c.GetMust() && !c.GetMet() && (other == nil || other.GetMet() || !other.GetMust()) {
			d.criterion(c, other)
		}
	}
	if low.Points < low.Needed {
		if low.Needed > high.Needed {
			a, b := low.Needed, high.Needed
			if d.low == d.then {
				a, b = b, a
			}
			d.add(causePoints, fmt.Sprintf("points needed: %d now, %d then", a, b))
		}
		for _, c := range low.Criteria {
			if c.GetPoints() < theirs[c.GetId()].GetPoints() {
				d.criterion(c, theirs[c.GetId()])
			}
		}
		for _, c := range high.Criteria {
			if mine[c.GetId()] == nil && c.GetPoints() > 0 {
				d.criterion(nil, c)
			}
		}
	}
	if a, b := d.low.agreement.Persona(f), d.high.agreement.Persona(f); !a.Met && b.Met {
		words := "only now"
		if d.high == d.then {
			words = "only then"
		}
		d.add(causePersona, fmt.Sprintf("the persona %q matches %s", b.Title, words))
	}
	if len(d.found) > 0 {
		return
	}
	missing, _, _ := d.low.agreement.Lacks(leadv1.Stage_STAGE_MQL, f)
	unwanted, _, _ := d.high.agreement.Lacks(leadv1.Stage_STAGE_MQL, f)
	for _, fact := range missing {
		if !slices.Contains(unwanted, fact) {
			words := "only now"
			if d.low == d.then {
				words = "only then"
			}
			d.add(causeRequired, fmt.Sprintf("%s must be known %s", fact, words))
		}
	}
	if len(d.found) == 0 && d.high.arrival.GetSignal() != "" {
		d.bySignal(d.high.arrival)
	}
}

func (d *differ) bySignal(ex *leadv1.Explanation) {
	words := "only now"
	if d.high == d.then {
		words = "only then"
	}
	d.add(ex.GetSignal(), fmt.Sprintf("the signal %q is seen %s", ex.GetSignal(), words))
}

// criterion words what became of a criterion between the two sides; nil = it is
// not there.
func (d *differ) criterion(low, high *leadv1.Criterion) {
	now, then := high, low
	if d.low == d.now {
		now, then = low, high
	}
	switch {
	case now == nil:
		d.add(then.GetId(), fmt.Sprintf("%s (only then: %s)", sentence(then), weight(then)))
		return
	case then == nil:
		d.add(now.GetId(), fmt.Sprintf("%s (only now: %s)", sentence(now), weight(now)))
		return
	}
	var changes []string
	if now.GetCondition() != then.GetCondition() {
		changes = append(changes, fmt.Sprintf("%s now, %s then", oneLine(now.GetCondition()), oneLine(then.GetCondition())))
	}
	if now.GetMust() != then.GetMust() {
		words := "a must-have only now"
		if then.GetMust() {
			words = "a must-have only then"
		}
		changes = append(changes, words)
	}
	if len(changes) == 0 {
		changes = append(changes, "other points")
	}
	d.add(then.GetId(), sentence(then)+" ("+strings.Join(changes, "; ")+")")
}

func sentence(c *leadv1.Criterion) string { return strings.TrimSuffix(c.GetText(), ".") }

func oneLine(condition string) string { return strings.Join(strings.Fields(condition), " ") }

func weight(c *leadv1.Criterion) string {
	switch n := c.GetPoints(); {
	case c.GetMust():
		return "a must-have"
	case n == 1, n == -1:
		return fmt.Sprintf("%d point", n)
	default:
		return fmt.Sprintf("%d points", n)
	}
}

func byID(list []*leadv1.Criterion) map[string]*leadv1.Criterion {
	out := make(map[string]*leadv1.Criterion, len(list))
	for _, c := range list {
		out[c.GetId()] = c
	}
	return out
}
