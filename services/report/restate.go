package report

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Judge answers the stage to which one version of the agreement brings a lead, by what
// is known of it at an instant and the calls until then: qualification's own decision.
type Judge func(f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage

// restatedStages are those that are re-stated, in order.
var restatedStages = []leadv1.Stage{leadv1.Stage_STAGE_MQL, leadv1.Stage_STAGE_SAL, leadv1.Stage_STAGE_SQL}

// restatement says when a version of the agreement would have brought leads to the
// stages MQL, SAL and SQL; zero = it would not have. A lead is judged whenever something
// became known of it, by what was known of it by then.
type restatement struct {
	judge Judge
	leads map[string]*restatedLead
}

type restatedLead struct {
	state lead.State
	calls []*leadv1.CallRecorded
	at    [3]time.Time
}

// apply folds one event; they come in the order of the log.
func (r *restatement) apply(e *ledger.Event) {
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	l := r.leads[id]
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		l = &restatedLead{state: lead.State{ID: id}}
		r.leads[id] = l
		l.state.Evolve(body, e.Occurred, e.Recorded)
	case *leadv1.CallRecorded:
		if l == nil {
			return
		}
		l.calls = append(l.calls, body)
	case *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded:
		if l == nil {
			return
		}
		l.state.Evolve(body, e.Occurred, e.Recorded)
	default:
		return
	}
	l.state.Personal = nil
	stage := r.judge(agreement.FactsOf(&l.state, e.Recorded), l.calls)
	for i, s := range restatedStages {
		if stage >= s {
			first(&l.at[i], e.Occurred)
		}
	}
}

// restated is when leads would have come to each stage; those that would have come to
// none are left out.
type restated map[string][3]time.Time

// restatedFor says what a re-statement is of.
type restatedFor struct {
	version  int64
	knownAt  time.Time
	sequence uint64
}

// restate judges the leads of a question under a version of the agreement, by the log up
// to a sequence. What came out last is kept for the next question.
func (r *Reports) restate(ctx context.Context, q Question, sequence uint64) (restated, error) {
	of := restatedFor{q.Definition, q.KnownAt, sequence}
	r.restating.Lock()
	defer r.restating.Unlock()
	if r.lastFor == of {
		return r.last, nil
	}
	began := clock.Real{}.Now()
	var judge Judge
	if r.Under != nil {
		judge = r.Under(q.Definition)
	}
	if judge == nil {
		return nil, fault.New(fault.Invalid, "definition: the agreement has no version %d", q.Definition)
	}
	fold := restatement{judge: judge, leads: map[string]*restatedLead{}}
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
	out := restated{}
	for id, l := range fold.leads { // any order: a map again
		if !l.at[0].IsZero() {
			out[id] = l.at
		}
	}
	r.lastFor, r.last = of, out
	if r.Logger != nil {
		r.Logger.InfoContext(ctx, "leads were judged under a version of the agreement", "version", q.Definition, "events", sequence, "leads", len(fold.leads),
			"took_ms", clock.Real{}.Now().Sub(began).Milliseconds())
	}
	return out, nil
}

// restating puts beside the tables, for as long as the transaction, when leads would
// have come to each stage; f may ask for it. Where nothing is to be re-stated, f is
// called as it is.
func (s *Store) restating(ctx context.Context, tx *sql.Tx, q Question, sequence uint64, f func() error) error {
	if q.Definition == 0 {
		return f()
	}
	leads, err := q.Restate(ctx, q, sequence)
	if err != nil {
		return err
	}
	// Gone with the transaction if anything fails.
	if _, err := tx.ExecContext(ctx, "CREATE TEMPORARY TABLE restated (lead_id TEXT PRIMARY KEY, mql_at BIGINT, sal_at BIGINT, sql_at BIGINT)"); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, s.dialect.places("INSERT INTO restated (lead_id, mql_at, sal_at, sql_at) VALUES (?, ?, ?, ?)"))
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, id := range slices.Sorted(maps.Keys(leads)) {
		at := leads[id]
		if _, err := insert.ExecContext(ctx, id, (*instantColumn)(&at[0]), (*instantColumn)(&at[1]), (*instantColumn)(&at[2])); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP TABLE restated")
	return err
}

// restatedMetrics are the figures of the funnel that are there only where a version is
// named under which stages are re-stated.
func restatedMetrics() []Metric {
	const received = "leads received in the period and not refused at the door"
	s := &sheet{report: reportFunnel}
	for _, stage := range []struct{ name, word, owner string }{{"mql", "MQL", ownerMarketing}, {"sal", "SAL", ownerBoth}, {"sql", "SQL", ownerBoth}} {
		stated, restated := stage.name+"_at IS NOT NULL", stage.name+"_restated_at IS NOT NULL"
		s.count(stage.name+"_restated", unitLeads, stage.owner, "leads that the named version of the agreement would have brought to "+stage.word+", judged whenever something became known of them", received, restated)
		s.count(stage.name+"_both", unitLeads, stage.owner, "of those, the leads that reached "+stage.word+" as stated as well", received, stated+" AND "+restated)
		s.count(stage.name+"_only_stated", unitLeads, stage.owner, "leads that reached "+stage.word+" as stated, and would not have: "+stage.name+" = both + only stated", received, stated+" AND "+stage.name+"_restated_at IS NULL")
		s.count(stage.name+"_only_restated", unitLeads, stage.owner, "leads that would have reached "+stage.word+", and did not as stated: "+stage.name+"_restated = both + only restated", received, restated+" AND "+stage.name+"_at IS NULL")
	}
	for i := range s.metrics {
		s.metrics[i].restated = true
	}
	return s.metrics
}

// of is the report with the figures that a question asks for: those of a re-statement
// only where a version is named.
func (r *info) of(q Question) *info {
	if q.Definition != 0 || !slices.ContainsFunc(r.metrics, func(m Metric) bool { return m.restated }) {
		return r
	}
	out := *r
	out.metrics = slices.DeleteFunc(slices.Clone(r.metrics), func(m Metric) bool { return m.restated })
	return &out
}
