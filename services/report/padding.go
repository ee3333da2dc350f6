package report

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/chance"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Thresholds of the checks on padding. What they are is said in the catalogue.
const (
	// lateAfter is how long after it is said to have happened an MQL may be recorded,
	// lateByAQuarter the same where another quarter began in between.
	lateAfter      = 24 * time.Hour
	lateByAQuarter = time.Hour
	// burstWindow is the end of a quarter that is looked at. A quarter is tested that has
	// so many MQL and so many days at least.
	burstWindow = 14 * 24 * time.Hour
	burstFewest = 20
	burstSpan   = 42 * 24 * time.Hour
	// hugPart is which part of the points needed an MQL may have too many of to be just
	// enough. A source is tested that has so many MQL, beside so many others.
	hugPart   = 20
	hugFewest = 10
	hugOthers = 20
	// timesExpected is how many times what was to be expected is worth a word.
	timesExpected = 2
	// paddingAlarms is how often, at most, each of the two tests finds anything at all in
	// a report where nobody has padded anything.
	paddingAlarms = FalseAlarms / 2
)

// mql is how a lead came to be an MQL, by the log.
type mql struct {
	lead               string
	occurred, recorded time.Time
	seq                uint64
	source             string
	version            int64
	points, needed     int64
	historical         bool
	// fails says that the version that it cites does not make it an MQL, by what was
	// known of it then.
	fails bool
}

// justEnough says whether it has hardly more points than it needs.
func (m *mql) justEnough() bool {
	return m.needed > 0 && m.points >= m.needed && (m.points-m.needed)*hugPart <= m.needed
}

// mqls is the fold of the log into how leads came to be MQL. Where several decisions made
// one an MQL, that counts which is said to have happened first.
type mqls struct {
	under  func(version int64) Judge
	judges map[int64]Judge
	leads  map[string]*qualifiedLead
	found  map[string]*mql
}

type qualifiedLead struct {
	state lead.State
	calls []*leadv1.CallRecorded
}

// apply folds one event; they come in the order of the log.
func (m *mqls) apply(e *ledger.Event) {
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	l := m.leads[id]
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		l = &qualifiedLead{state: lead.State{ID: id}}
		m.leads[id] = l
		l.state.Evolve(body, e.Occurred, e.Recorded)
	case *leadv1.CallRecorded:
		if l != nil {
			l.calls = append(l.calls, body)
		}
	case *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded:
		if l != nil {
			l.state.Evolve(body, e.Occurred, e.Recorded)
		}
	case *leadv1.LeadQualified:
		if l != nil {
			m.qualified(l, body, e)
		}
	default:
		return
	}
	if l != nil {
		l.state.Personal = nil
	}
}

func (m *mqls) qualified(l *qualifiedLead, body *leadv1.LeadQualified, e *ledger.Event) {
	if before := m.found[l.state.ID]; body.GetStage() < leadv1.Stage_STAGE_MQL || before != nil && !e.Occurred.Before(before.occurred) {
		return
	}
	one := &mql{
		lead: l.state.ID, occurred: e.Occurred, recorded: e.Recorded, seq: e.Seq, source: l.state.Source, version: body.GetAgreementVersion(),
		points: body.GetExplanation().GetPoints(), needed: body.GetExplanation().GetPointsNeeded(), historical: l.state.Historical,
	}
	judge, asked := m.judges[one.version]
	if !asked && m.under != nil {
		judge = m.under(one.version)
		m.judges[one.version] = judge
	}
	if judge != nil {
		one.fails = judge(agreement.FactsOf(&l.state, e.Recorded), l.calls) < leadv1.Stage_STAGE_MQL
	}
	m.found[one.lead] = one
}

// foldedFor says what a fold of MQL is of.
type foldedFor struct {
	knownAt  time.Time
	sequence uint64
}

// counted reads how leads came to be MQL, by the log up to a sequence. What came out last
// is kept for the next question.
func (r *Reports) counted(ctx context.Context, q Question, sequence uint64) (*mqls, error) {
	of := foldedFor{q.KnownAt, sequence}
	r.restating.Lock()
	defer r.restating.Unlock()
	if r.foldedFor == of && r.folded != nil {
		return r.folded, nil
	}
	fold := &mqls{under: r.Under, judges: map[int64]Judge{}, leads: map[string]*qualifiedLead{}, found: map[string]*mql{}}
	if sequence > 0 {
		err := r.log.Read(ctx, 1, sequence, func(e *ledger.Event) error {
			if q.KnownAt.IsZero() || !e.Recorded.After(q.KnownAt) {
				fold.apply(e)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	fold.leads = nil // what they were judged by is not asked for again
	r.foldedFor, r.folded = of, fold
	return fold, nil
}

// padded is what the checks say of the MQL of a log.
type padded struct {
	repeated, failing, late, otherQuarter, burst, hugging map[string]bool
	// with is, of a person's MQL, the ones before it in the same quarter.
	with map[string][]string
}

// checkPadding looks at all MQL of a log as they stood at an instant. Whose each is says
// person; empty = nobody knows, and then it is no repetition of anything.
func checkPadding(all map[string]*mql, person map[string]string, year agreement.Year, historical bool, asOf time.Time) *padded {
	out := &padded{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string][]string{}}
	var list []*mql
	for _, m := range all { // any order: they are sorted
		if !m.occurred.After(asOf) && (historical || !m.historical) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *mql) int { return cmp.Or(a.occurred.Compare(b.occurred), cmp.Compare(a.lead, b.lead)) })
	before := map[[2]string][]string{}
	for _, m := range list {
		quarter := year.Quarter(m.occurred)
		if who := person[m.lead]; who != "" {
			key := [2]string{who, quarter}
			if len(before[key]) > 0 {
				out.repeated[m.lead], out.with[m.lead] = true, slices.Clone(before[key])
			}
			before[key] = append(before[key], m.lead)
		}
		behind := m.recorded.Sub(m.occurred)
		if m.historical { // a file of the past is recorded when it is read
			behind = 0
		}
		mark := func(in map[string]bool, is bool) {
			if is {
				in[m.lead] = true
			}
		}
		mark(out.failing, m.fails)
		mark(out.late, behind > lateAfter)
		mark(out.otherQuarter, behind > lateByAQuarter && year.Quarter(m.recorded) != quarter)
	}
	out.bursts(list, year, asOf)
	out.hugs(list, year)
	return out
}

// bursts marks the last MQL of quarters in which far more came at the end than would by
// chance.
func (p *padded) bursts(list []*mql, year agreement.Year, asOf time.Time) {
	type tested struct {
		last []*mql
		n    int
		part float64
	}
	var tests []tested
	for i := 0; i < len(list); {
		from, to := year.Begin(list[i].occurred, "quarter")
		if i == 0 {
			from = list[0].occurred // nobody knows what was before
		}
		t := tested{}
		first := i
		for ; i < len(list) && list[i].occurred.Before(to); i++ {
			if !list[i].occurred.Before(to.Add(-burstWindow)) {
				t.last = append(t.last, list[i])
			}
		}
		t.n, t.part = i-first, burstWindow.Hours()/to.Sub(from).Hours()
		if !to.After(asOf) && t.n >= burstFewest && to.Sub(from) >= burstSpan {
			tests = append(tests, t)
		}
	}
	for _, t := range tests {
		if stands(len(t.last), float64(t.n)*t.part, chance.Binomial(t.n, t.part), len(tests)) {
			for _, m := range t.last {
				p.burst[m.lead] = true
			}
		}
	}
}

// hugs marks the MQL that have just enough points, of sources that have far more of such
// in a quarter than all others under the same version of the agreement.
func (p *padded) hugs(list []*mql, year agreement.Year) {
	type cell struct {
		version         int64
		source, quarter string
	}
	cells, versions := map[cell][]*mql{}, map[int64][2]int{}
	for _, m := range list {
		if m.needed <= 0 {
			continue
		}
		c := cell{m.version, m.source, year.Quarter(m.occurred)}
		cells[c] = append(cells[c], m)
		n := versions[m.version]
		n[0]++
		if m.justEnough() {
			n[1]++
		}
		versions[m.version] = n
	}
	tested := slices.DeleteFunc(slices.Collect(maps.Keys(cells)), func(c cell) bool { // any order: each by itself
		return len(cells[c]) < hugFewest || versions[c.version][0]-len(cells[c]) < hugOthers
	})
	for _, c := range tested {
		var just []*mql
		for _, m := range cells[c] {
			if m.justEnough() {
				just = append(just, m)
			}
		}
		all, own := versions[c.version], len(cells[c])
		if stands(len(just), float64(own)*float64(all[1]-len(just))/float64(all[0]-own), chance.Hypergeometric(all[0], all[1], own), len(tested)) {
			for _, m := range just {
				p.hugging[m.lead] = true
			}
		}
	}
}

// stands says whether a number is far above what was to be expected: several times as
// much, some more at least, and more than chance gives at the level that all tests of the
// report share.
func stands(got int, expected float64, by chance.Spread, tests int) bool {
	return float64(got) >= timesExpected*expected && float64(got)-expected >= leastLeads && by.AtLeast(got)*float64(tests) <= paddingAlarms
}

// workPadding works out the MQL of a question and what stands out of each.
func workPadding(ctx context.Context, w *working) error {
	all, checked, err := w.padded(ctx)
	if err != nil {
		return err
	}
	return w.read(ctx, "", "", nil, func(c *workedCase) error {
		m := all[c.leadID]
		if m == nil || !w.q.saw(m.occurred) {
			return nil
		}
		clear(c.numbers)
		c.came = m.occurred
		for name, leads := range checked.named() { // any order: each is a column
			c.set(name, leads[c.leadID])
		}
		c.set("redated", checked.late[c.leadID] || checked.otherQuarter[c.leadID])
		c.set("flagged", len(checked.of(c.leadID)) > 0)
		w.say(c)
		return nil
	})
}

func (w *working) padded(ctx context.Context) (map[string]*mql, *padded, error) {
	if w.q.Counted == nil {
		return nil, &padded{}, nil
	}
	_, sequence, err := w.store.position(ctx, w.tx)
	if err != nil {
		return nil, nil, err
	}
	all, err := w.q.Counted(ctx, w.q, sequence)
	if err != nil {
		return nil, nil, err
	}
	person, err := w.store.personOf(ctx, w.tx, w.q)
	if err != nil {
		return nil, nil, err
	}
	// Whoever was refused is no MQL of anybody's.
	kept := map[string]*mql{}
	for id := range person { // any order: a map again
		if m := all.found[id]; m != nil {
			kept[id] = m
		}
	}
	until := w.q.AsOf
	return kept, checkPadding(kept, person, w.q.Year, w.q.Historical, until), nil
}

// personOf is whose each lead is that was not refused by the question's instant; empty =
// nobody knows.
func (s *Store) personOf(ctx context.Context, tx *sql.Tx, q Question) (map[string]string, error) {
	q.From, q.To = time.Time{}, time.Time{}
	sel := q.selection()
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT l.lead_id, l.person_id FROM "+sel.from+" WHERE "+sel.where+" AND l.mql_at IS NOT NULL AND "+q.state()+" <> 'refused'"), sel.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var id, person string
		if err := rows.Scan(&id, &person); err != nil {
			return nil, err
		}
		if q.Current != nil && person != "" {
			person = q.Current(person)
		}
		out[id] = person
	}
	return out, rows.Err()
}

// named are the checks by the names of their figures.
func (p *padded) named() map[string]map[string]bool {
	return map[string]map[string]bool{
		"repeated": p.repeated, "failing": p.failing, "late": p.late, "other_quarter": p.otherQuarter, "burst": p.burst, "hugging": p.hugging,
	}
}

// of are the checks that a lead does not pass, sorted.
func (p *padded) of(leadID string) (names []string) {
	named := p.named()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if named[name][leadID] {
			names = append(names, name)
		}
	}
	return names
}
