package report

import (
	"context"
	"database/sql"
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// stood is all that is asked of a lead as of a moment. What follows from an event
// follows from it alone, so that an event that becomes known late can be folded into how
// the lead stood in between.
type stood struct {
	standing
	country, industry, product, purpose string
	employees                           int64
	closedAt                            time.Time
	valueMinor                          int64
	currency                            string
}

// stoodRow is how a lead stood from an instant on.
type stoodRow struct {
	leadID string
	from   time.Time
	stood
}

func (r *stoodRow) columns() []column {
	n := &r.stood
	return []column{
		{"lead_id", &r.leadID},
		{"from_at", (*instantColumn)(&r.from)},
		{"state", (*stateColumn)(&n.state)},
		{"stage", (*stageColumn)(&n.stage)},
		{"definition", &n.definition},
		{"persona", &n.persona},
		{"pool", &n.pool},
		{"owner", &n.owner},
		{"offered_to", &n.offeredTo},
		{"blocked_by", &n.blockedBy},
		{"country", &n.country},
		{"employees", &n.employees},
		{"industry", &n.industry},
		{"product", &n.product},
		{"purpose", &n.purpose},
		{"closed_at", (*instantColumn)(&n.closedAt)},
		{"value_minor", &n.valueMinor},
		{"currency", &n.currency},
	}
}

// stored is an instant as it comes back from the tables.
func stored(t time.Time) time.Time {
	var c instantColumn
	if n := nanos(t); n != 0 {
		c = instantColumn(time.Unix(0, n).UTC())
	}
	return time.Time(c)
}

func (r *leadRow) stood() stood {
	return stood{
		standing: r.standing(), country: r.country, industry: r.industry, product: r.product, purpose: r.purpose, employees: r.employees,
		closedAt: stored(r.s.ClosedAt), valueMinor: r.s.ValueMinor, currency: r.s.Currency,
	}
}

// after is how the lead stands after an event, if it stood so before.
func (n stood) after(r *leadRow, e *ledger.Event) stood {
	then := &leadRow{
		s: lead.State{
			ID: r.s.ID, Historical: r.s.Historical, State: n.state, Stage: n.stage, Persona: n.persona, Pool: n.pool,
			Owner: n.owner, OfferedTo: n.offeredTo, BlockedBy: n.blockedBy, ClosedAt: n.closedAt, ValueMinor: n.valueMinor, Currency: n.currency,
		},
		definition: n.definition, country: n.country, industry: n.industry, product: n.product, purpose: n.purpose, employees: n.employees,
	}
	aside := newChanges(nil, nil)
	then.s.Evolve(e.Body, e.Occurred, e.Recorded)
	then.instants(e, aside)
	then.told(e, aside)
	then.features()
	return then.stood()
}

// standingKey is one row of standings.
type standingKey struct {
	leadID string
	from   int64
}

// stand notes how a lead stood from an instant on.
func (c *changes) stand(leadID string, from time.Time, n stood) {
	key := standingKey{leadID, nanos(from)}
	if row := c.stoodAt[key]; row != nil {
		row.stood = n
		return
	}
	row := &stoodRow{leadID: leadID, from: stored(from), stood: n}
	c.stoodAt[key] = row
	c.standings = append(c.standings, row)
}

// stands takes an event into how the lead stood: from then on, and where it became known
// late into all that stands after it already.
func (s *Store) stands(ctx context.Context, tx *sql.Tx, c *changes, r *leadRow, before stood, e *ledger.Event) error {
	after := r.stood()
	if !e.Occurred.Before(r.stoodAt) {
		if after != before {
			c.stand(r.s.ID, e.Occurred, after)
			r.stoodAt = stored(e.Occurred)
		}
		return nil
	}
	// Most of what becomes known late, such as a touch, moves nothing, however the lead
	// stood.
	if stillAnyhow(e) {
		return nil
	}
	rows, err := s.standings(ctx, tx, c, r.s.ID)
	if err != nil {
		return err
	}
	var then stood
	for _, row := range rows {
		if row.from.After(e.Occurred) {
			break
		}
		then = row.stood
	}
	c.stand(r.s.ID, e.Occurred, then.after(r, e))
	for _, row := range rows {
		if row.from.After(e.Occurred) {
			c.stand(r.s.ID, row.from, row.stood.after(r, e))
		}
	}
	return nil
}

// standings reads how a lead stood, in order, what the batch has changed of it included.
func (s *Store) standings(ctx context.Context, tx *sql.Tx, c *changes, leadID string) ([]*stoodRow, error) {
	var out []*stoodRow
	found, err := tx.StmtContext(ctx, s.statements.selectStandings).QueryContext(ctx, leadID)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		row := &stoodRow{}
		if err := found.Scan(places(row.columns())...); err != nil {
			return nil, err
		}
		if c.stoodAt[standingKey{leadID, nanos(row.from)}] == nil {
			out = append(out, row)
		}
	}
	for _, row := range c.standings {
		if row.leadID == leadID {
			copied := *row
			out = append(out, &copied)
		}
	}
	slices.SortFunc(out, func(a, b *stoodRow) int { return a.from.Compare(b.from) })
	return out, found.Err()
}

// stillAnyhow says whether an event leaves how a lead stands as it is, however it stood.
func stillAnyhow(e *ledger.Event) bool {
	switch b := e.Body.(type) {
	case *leadv1.CallRecorded, *leadv1.TouchAdded, *leadv1.SubmissionRepeated:
		return true
	case *leadv1.OutcomeRecorded:
		return b.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH && !b.GetHistorical()
	}
	return lead.Telling(e.Type)
}
