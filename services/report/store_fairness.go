package report

import (
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// fairness counts who was given the leads of each pool beside who was there.
func (s *Store) fairness(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	pools, err := s.poolBooks(ctx, tx, q)
	if err != nil {
		return err
	}
	ms := metricsOf(reportFairness)
	total := &tally{}
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		books := pools[name]
		books.close()
		for _, member := range books.members() {
			t := &tally{turns: *books.people[member]}
			if b := &t.turns; b.eligible == 0 && b.offered == 0 && b.quota == 0 && math.Abs(b.granted) < 1e-9 && b.credits == 0 && b.adjustments == 0 {
				continue // was there before the time that is asked about only
			}
			row := rowOf(name+"/"+member, ms, t)
			row.Pool, row.Member = name, member
			out.Rows = append(out.Rows, row)
			total.add(t)
		}
	}
	out.Total = rowOf(totalKey, ms, total)
	out.Findings = findings(pools)
	return nil
}

// turnsUntil is the instant up to which turns count.
func (q Question) turnsUntil() (before int64) {
	before = nanos(q.AsOf)
	if !q.To.IsZero() {
		before = min(before, nanos(q.To)-1)
	}
	return before
}

// poolBooks reads all turns up to the end of the time that is asked about: the books of
// a rotation go back to its first turn.
func (s *Store) poolBooks(ctx context.Context, tx *sql.Tx, q Question) (map[string]*poolBooks, error) {
	pools := map[string]*poolBooks{}
	of := func(pool string) *poolBooks {
		b := pools[pool]
		if b == nil {
			b = newPoolBooks()
			pools[pool] = b
		}
		return b
	}
	sets, err := s.presents(ctx, tx)
	if err != nil {
		return nil, err
	}
	until := q.turnsUntil()
	where, args := " WHERE t.at <= ?", []any{until}
	if q.Pool != "" {
		where += " AND t.pool = ?"
		args = append(args, q.Pool)
	}
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT t.pool, t.member, t.kind, t.counted, t.at, t.set_id, COALESCE(a.set_id, ''),"+
		" COALESCE(a.outcome, ''), a.ended_at, COALESCE(a.stage, ''), COALESCE(a.points - a.points_needed, 0), COALESCE(NULLIF(a.chosen_by, ''), t.kind)"+
		" FROM turns t LEFT JOIN assignments a ON a.lead_id = t.lead_id AND a.offer = t.offer AND a.offered_at IS NOT NULL"+where+
		" ORDER BY t.sequence, t.step"), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var g given
		var set, decided string
		var ended time.Time
		var stage leadv1.Stage
		if err := rows.Scan(&g.pool, &g.member, &g.kind, &g.counted, (*instantColumn)(&g.at), &set, &decided, &g.outcome, (*instantColumn)(&ended),
			(*stageColumn)(&stage), &g.quality.margin, &g.how); err != nil {
			return nil, err
		}
		// What the step does not name, the decision does.
		if set == "" {
			set = decided
		}
		if g.there = sets[set]; g.there != nil && g.there.here == 0 {
			g.there = nil
		}
		if q.Past && nanos(ended) > nanos(q.AsOf) {
			g.outcome = outcomeStanding
		}
		g.quality.stage = int(stage)
		of(g.pool).take(g, !g.at.Before(q.From))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return pools, s.adjustments(ctx, tx, q, where, args, sets, of)
}

func (s *Store) adjustments(ctx context.Context, tx *sql.Tx, q Question, where string, args []any, sets map[string]*present, of func(string) *poolBooks) error {
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT t.pool, t.member, t.kind, t.leads, t.at, t.set_id FROM turn_adjustments t"+where+" ORDER BY t.sequence, t.step"), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var pool, member, kind, set string
		var leads int64
		var at time.Time
		if err := rows.Scan(&pool, &member, &kind, &leads, (*instantColumn)(&at), &set); err != nil {
			return err
		}
		of(pool).adjust(member, kind, leads, sets[set], !at.Before(q.From))
	}
	return rows.Err()
}

// presents reads who was there, each set once.
func (s *Store) presents(ctx context.Context, tx *sql.Tx) (map[string]*present, error) {
	rows, err := tx.QueryContext(ctx, "SELECT set_id, seats FROM turn_sets")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*present{}
	for rows.Next() {
		var id, seats string
		if err := rows.Scan(&id, &seats); err != nil {
			return nil, err
		}
		out[id] = newPresent(seats)
	}
	return out, rows.Err()
}
