package report

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

// loadBooks is what the report on load has counted.
type loadBooks struct {
	withLeads, leads, changes, handedOn, open, offers int64
}

// loads counts who had which leads, and how often they changed hands. Whoever could
// have had some and had none is there with nought.
func (s *Store) loads(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	people, total := map[string]*loadBooks{}, &loadBooks{}
	of := func(member string) *loadBooks {
		b := people[member]
		if b == nil {
			b = &loadBooks{}
			people[member] = b
		}
		return b
	}
	if err := s.idle(ctx, tx, q, of); err != nil {
		return err
	}
	sel := q.selection()
	if err := s.hands(ctx, tx, sel, of, total); err != nil {
		return err
	}
	if err := s.standing(ctx, tx, q, sel, of, total); err != nil {
		return err
	}
	ms := metricsOf(reportLoad)
	for _, member := range slices.Sorted(maps.Keys(people)) {
		b := people[member]
		if b.leads > 0 {
			b.withLeads = 1
			total.withLeads++
		}
		row := rowOf(member, ms, &tally{load: *b})
		row.Member = member
		out.Rows = append(out.Rows, row)
	}
	out.Total = rowOf(totalKey, ms, &tally{load: *total})
	return nil
}

// idle names everybody of sales who was there at the report's instant.
func (s *Store) idle(ctx context.Context, tx *sql.Tx, q Question, of func(string) *loadBooks) error {
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT m.member, m.roles FROM members m WHERE m.from_at ="+
		" (SELECT MAX(n.from_at) FROM members n WHERE n.member = m.member AND n.from_at <= ?)"), nanos(q.AsOf))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var member, roles string
		if err := rows.Scan(&member, &roles); err != nil {
			return err
		}
		if slices.Contains(strings.Fields(roles), access.Sales) {
			of(member)
		}
	}
	return rows.Err()
}

// hands follows each lead from owner to owner, by the order in which that became known.
// That nobody had it in between makes no change less of it, and what became known late of
// something else makes no change.
func (s *Store) hands(ctx context.Context, tx *sql.Tx, sel selection, of func(string) *loadBooks, total *loadBooks) error {
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT o.lead_id, o.owner, o.occurred_at FROM "+sel.from+" JOIN stage_history o ON o.lead_id = l.lead_id"+
		" WHERE "+sel.where+" AND o.owner <> '' ORDER BY o.lead_id, o.sequence"), sel.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id, owner, last string // owner is the last one by the question's instant
	had := map[string]bool{}
	for rows.Next() {
		var thisID, now string
		var at instantColumn
		if err := rows.Scan(&thisID, &now, &at); err != nil {
			return err
		}
		if thisID != id {
			clear(had)
			id, owner, last = thisID, "", ""
		}
		changed := now != last
		last = now
		if !changed || now == owner || nanos(time.Time(at)) > sel.until {
			continue
		}
		if owner == "" {
			total.leads++
		} else {
			of(now).changes++
			of(owner).handedOn++
			total.changes++
			total.handedOn++
		}
		if !had[now] {
			had[now] = true
			of(now).leads++
		}
		owner = now
	}
	return rows.Err()
}

// standing counts what each has open at the report's instant.
func (s *Store) standing(ctx context.Context, tx *sql.Tx, q Question, sel selection, of func(string) *loadBooks, total *loadBooks) error {
	at := "l"
	if q.Past {
		at = "h"
	}
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT "+at+".state, "+at+".owner, "+at+".offered_to, COUNT(*) FROM "+sel.from+
		" WHERE "+sel.where+" AND ("+at+".owner <> '' OR "+at+".offered_to <> '') GROUP BY 1, 2, 3"), sel.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var state leadv1.State
		var owner, offered string
		var n int64
		if err := rows.Scan((*stateColumn)(&state), &owner, &offered, &n); err != nil {
			return err
		}
		switch {
		case state == leadv1.State_STATE_WON, state == leadv1.State_STATE_LOST, state == leadv1.State_STATE_REFUSED:
		case owner != "":
			of(owner).open += n
			total.open += n
		default:
			of(offered).offers += n
			total.offers += n
		}
	}
	return rows.Err()
}
