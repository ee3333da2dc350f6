package agreement

import (
	"crypto/sha256"
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Compile parses, type-checks and completeness-checks a document. A refusal is
// *Problems, with everything that could be found. What is worth knowing and no
// reason to refuse are the agreement's Notices.
func Compile(source []byte) (*Agreement, error) {
	d, err := read(source)
	if err != nil {
		return nil, err
	}
	d.complete()
	if err := d.err(); err != nil {
		return nil, err
	}
	return d.agreement, nil
}

// Restore compiles a document that was proposed already. It is not held against
// what its rules mean together: a check that was added since must not keep a
// signed agreement from deciding. It has no notices.
func Restore(source []byte) (*Agreement, error) {
	d, err := read(source)
	if err != nil {
		return nil, err
	}
	return d.agreement, nil
}

func read(source []byte) (*draft, error) {
	d := &draft{agreement: &Agreement{digest: sha256.Sum256(source)}}
	root, ok := parse(source, &d.findings)
	if ok {
		d.document(root)
		d.compileConditions()
		d.check()
	}
	return d, d.err()
}

// draft is an agreement while it is read, with the places that later checks
// point at.
type draft struct {
	reader
	agreement *Agreement

	conditions []pending
	parties    map[string]place
	handoffs   []reference
	handoffsAt place
	pools      []poolPlaces
	calendars  map[string]int
	// calendarPlaces are the places of the calendars' parts, setsAt those of the sets
	// of holidays.
	calendarPlaces []*calendarPlaces
	setsAt         []place
	profileAt      place
	// answerKeys are the keys of each answer, in the order of the answers.
	answerKeys [][]reference
	stageAt    [len(stageNames)]place
	// rulesAt are the places of the handoffs.
	rulesAt []place
	// required are the facts that have to be known at a stage.
	required []required
	// needed are the facts that people must know their way in, skills what rules ask
	// of them.
	needed, skills []needed
	// asked are questions that criteria of stages name, planned the touches of the
	// nurture plan, signalsAt the conditions of the signals, in their order.
	asked, planned []reference
	signalsAt      []place
	halves         []halving
	// clocksAt are the calendars that clocks name.
	clocksAt []reference
	// after are the places of what comes after the handoff.
	after afterPlaces
	// questionnaireAt is where the questions of all calls stand, questionsAt where
	// each list of questions does.
	questionnaireAt place
	questionsAt     []place
}

// required is a fact that has to be known at a stage.
type required struct {
	reference
	stage *stage
}

// halving is a criterion whose points may halve, and where that is written.
type halving struct {
	place
	criterion *criterion
}

// pending is a condition that is read but not compiled: what it may mention is
// known only when the whole document is read.
type pending struct {
	value value
	into  **condition
}

// reference is an id that has to exist elsewhere.
type reference struct {
	place
	id string
}

// poolPlaces says where the parts of a pool stand.
type poolPlaces struct {
	calendar reference
	members  []reference
	// shifts are the members' own calendars, fallback the pool that stands in.
	shifts   []reference
	fallback reference
	// said are other keys of the pool and of its members.
	said []said
}

// said is a key with its place and its value's.
type said struct {
	name       string
	key, value place
}

// at is where a key of the pool stands; false where it does not.
func (p *poolPlaces) at(name string) (said, bool) {
	return find(p.said, func(s said) bool { return s.name == name })
}

// condition reads a condition and puts it aside to be compiled.
func (d *draft) condition(into **condition) func(value) {
	return func(v value) {
		if v.shape != nil {
			v.shape.is(kindOfCondition)
			return
		}
		*into = always
		d.conditions = append(d.conditions, pending{value: v, into: into})
	}
}

// maxConditions bounds the work that one document can ask for.
const maxConditions = 300

// compileConditions compiles what was put aside.
func (d *draft) compileConditions() {
	v, err := newVocabulary(d.agreement)
	if err != nil {
		d.add(place{line: 1, col: 1}, "the vocabulary of conditions cannot be made: %v", err)
		return
	}
	d.agreement.vocabulary = v
	for i, p := range d.conditions {
		if i == maxConditions {
			d.add(p.value.key, "the agreement has more than %d conditions; put some of them together", maxConditions)
			return
		}
		source, ok := p.value.scalar()
		if !ok {
			d.add(p.value.atLeastKey(), "%s is written here; a condition is expected, such as lead.employees >= 20", p.value.kind())
			continue
		}
		compiled, complaints := v.compile(source)
		for _, c := range complaints {
			d.add(p.value.at(d.lines, source, c.offset), "%s", c.text)
		}
		if compiled != nil {
			*p.into = compiled
		}
	}
	d.resolveRequired(v)
}

// resolveRequired looks up the facts that have to be known.
func (d *draft) resolveRequired(v *vocabulary) {
	names := append(v.group("lead").names(), v.group("answers").names()...)
	for _, r := range d.required {
		group, field, _ := strings.Cut(r.id, ".")
		if !slices.Contains(names, r.id) {
			d.add(r.place, "there is no %q that a lead could be required to have%s; name one of %s", r.id, suggest(r.id, names), strings.Join(names, ", "))
			continue
		}
		r.stage.requires = append(r.stage.requires, v.group(group).find(field))
	}
	for _, n := range d.needed {
		group, field, _ := strings.Cut(n.id, ".")
		if !slices.Contains(names, n.id) {
			d.add(n.place, "there is no %q that somebody could know their way in%s; name one of %s", n.id, suggest(n.id, names), strings.Join(names, ", "))
			continue
		}
		fact := v.group(group).find(field)
		if fact.kind != kindText {
			d.add(n.place, "%s is %s, and what somebody knows is a word; name a fact that is one, such as lead.language", n.id, map[string]string{kindNumber: "a number", kindFlag: "yes or no"}[fact.kind])
			continue
		}
		n.handoff.needs = append(n.handoff.needs, fact)
	}
}

// check holds the parts of the document against each other.
func (d *draft) check() {
	a := d.agreement
	if m, s := a.marketing.key, a.sales.key; m != nil && slices.Equal(m, s) {
		d.add(d.parties[Sales], "both parties have the same key, so that one could sign for both; each needs its own (`baton agreement init` makes them)")
	}
	d.indexAnswers()
	d.checkPoints()
	d.checkHandoffs()
	d.checkPools()
	d.checkCalendars()
	d.checkClocks()
	d.checkTouches()
	d.checkQuestions()
}

// checkTouches holds what is said about touches against the agreed ones.
func (d *draft) checkTouches() {
	var kinds []string
	for _, t := range d.agreement.touches {
		kinds = append(kinds, t.Name)
	}
	for _, p := range d.planned {
		if p.id != "" && !slices.Contains(kinds, p.id) {
			d.add(p.place, "there is no touch %q%s; declare it under `touches`", p.id, suggest(p.id, kinds))
		}
	}
	touched := func(c *condition) bool {
		return slices.ContainsFunc(c.variables, func(v *variable) bool { return v.touch != "" })
	}
	for i, s := range d.agreement.signals {
		// A condition that could not be read has its own problem already.
		if i < len(d.signalsAt) && s.when != always && !touched(s.when) {
			d.add(d.signalsAt[i], "a signal is something that the person does; count a touch, such as touches.count(\"order-intent\", days:7) > 0")
		}
	}
	for _, h := range d.halves {
		if h.line != 0 && h.criterion.when != always && !touched(h.criterion.when) {
			d.add(h.place, "points halve with the age of a touch, and this condition counts none; use touches.count or remove `halves_every`")
		}
	}
}

// checkQuestions holds the questionnaires of several stages together, and what
// names their questions.
func (d *draft) checkQuestions() {
	var ids []string
	first := map[string]Question{}
	for i, sheet := range d.agreement.questionnaires {
		for _, q := range sheet.Questions {
			other, asked := first[q.ID]
			if !asked {
				first[q.ID] = q
				ids = append(ids, q.ID)
				continue
			}
			if other.Type != q.Type || other.Scale != q.Scale || other.Unit != q.Unit || !slices.Equal(other.Values, q.Values) {
				d.add(d.questionsAt[i], "the question %q is asked at another stage with another type, unit or other values; conditions could not tell the two apart, so give one another id", q.ID)
			}
		}
	}
	for _, a := range d.asked {
		if a.id != "" && !slices.Contains(ids, a.id) {
			d.add(a.place, "no question %q is asked in calls%s; add it to a questionnaire", a.id, suggest(a.id, ids))
		}
	}
}

func (d *draft) checkPoints() {
	reachable := int64(0)
	for _, c := range d.agreement.profile.criteria {
		reachable += max(c.points, 0)
	}
	if needed := d.agreement.profile.needed; needed > reachable && len(d.agreement.profile.criteria) > 0 {
		d.add(d.profileAt, "the profile needs %d points, but its criteria give at most %d; lower points_needed or add criteria with points", needed, reachable)
	}
}

func (d *draft) checkHandoffs() {
	var ids []string
	for _, p := range d.agreement.pools {
		ids = append(ids, p.ID)
	}
	for _, h := range d.handoffs {
		if h.id != "" && !slices.Contains(ids, h.id) {
			d.add(h.place, "there is no pool %q%s; add it under `pools` or hand over to %s", h.id, suggest(h.id, ids), oneOf(ids))
		}
	}
	if d.handoffsAt.line == 0 {
		return
	}
	if !slices.ContainsFunc(d.agreement.handoffs, func(h handoff) bool { return h.Stage >= leadv1.Stage_STAGE_MQL }) {
		d.add(d.handoffsAt, "no handoff takes leads of stage MQL, SAL or SQL, so that sales would get none; add one with `stage: MQL`")
	}
}

func (d *draft) checkPools() {
	a := d.agreement
	var calendars []string
	for _, c := range a.calendars {
		calendars = append(calendars, c.id)
	}
	for i, p := range d.pools {
		for _, c := range append([]reference{p.calendar}, p.shifts...) {
			// A calendar that is there but wrong has its own problem already.
			if _, there := d.calendars[c.id]; c.id != "" && !there {
				d.add(c.place, "there is no calendar %q%s; add it under `calendars`", c.id, suggest(c.id, calendars))
			}
		}
		d.checkPool(p, &a.pools[i])
	}
	// Pools that share a member must be one group: capacity and turns of that
	// member are counted per group.
	type seat struct{ pool, group string }
	first := make(map[string]seat)
	for i, p := range d.pools {
		pool := a.pools[i]
		for _, m := range p.members {
			other, taken := first[m.id]
			if !taken {
				first[m.id] = seat{pool.ID, pool.Group}
				continue
			}
			if other.group != pool.Group && pool.Group != "" && other.group != "" {
				d.add(m.place, "%q is a member of pool %q (group %q) and of pool %q (group %q); pools that share a member must be one group, so give both pools the same `group`",
					m.id, other.pool, other.group, pool.ID, pool.Group)
			}
		}
	}
}

// checkPool holds what is said about one pool together.
func (d *draft) checkPool(p poolPlaces, pool *Pool) {
	switch f := pool.Fallback; {
	case p.fallback.line == 0:
	case (f.Pool == "") == (f.Member == ""):
		d.add(p.fallback.place, "a fallback is a pool or a person; write one of `pool` and `member`")
	case f.Pool == pool.ID:
		d.add(p.fallback.place, "the pool cannot stand in for itself; name another one")
	case f.Pool != "" && !slices.ContainsFunc(d.agreement.pools, func(other Pool) bool { return other.ID == f.Pool }):
		d.add(p.fallback.place, "there is no pool %q; add it under `pools`", f.Pool)
	}
	leave, _ := p.at("after_leave")
	bound, bounded := p.at("catch_up_at_most")
	switch {
	case pool.AfterLeave == CappedCatchUp && !bounded:
		d.add(leave.value, "say how many leads somebody can catch up on: add `catch_up_at_most:` with a number")
	case pool.AfterLeave != CappedCatchUp && bounded:
		d.add(bound.value, "only `after_leave: capped` has a bound; write it, or remove this line")
	}
	if counts, stated := p.at("counts"); stated && pool.GivesBy == ByRotation && !pool.Counts(leadv1.TurnKind_TURN_KIND_ROTATION) {
		d.add(counts.value, "where a turn in the rotation does not count, nobody's turn is ever over; add rotation")
	}
	if remind, _ := p.at("remind_before"); pool.RemindBefore > 0 && pool.TakeWithin > 0 && pool.RemindBefore >= pool.TakeWithin {
		d.add(remind.value, "the reminder would come before the offer, which gives %s; write a shorter time", spelled(pool.TakeWithin))
	}
	if next, _ := p.at("next"); pool.Next != "" && pool.Next == pool.Manager {
		d.add(next.value, "%q is the manager, whose absence this is about; name somebody else", pool.Next)
	}
}
