package report

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// mostListed is how many leads a report lists.
const mostListed = 500

// chanceBooks is what the report on second chances has counted.
type chanceBooks struct {
	declined, taken, sql, won int64
	// worth is the value of the won deals in minor units, by currency.
	worth map[string]int64
	// minor is the same in the one currency of the report; digits are its decimals, -1
	// where there is not one.
	minor  int64
	digits int
}

// held is one person's time with a lead, as far as second chances need it.
type held struct {
	pool, member, outcome, reason string
	ended, released               time.Time
	declined                      bool
}

// when the person declined the lead, or gave it back.
func (h *held) when() time.Time {
	if h.released.IsZero() {
		return h.ended
	}
	return h.released
}

// triedLead is a lead that somebody declined.
type triedLead struct {
	id       string
	state    leadv1.State
	sqlAt    time.Time
	minor    int64
	currency string
	held     []*held
}

// secondChance counts the leads that one person declined and another took.
func (s *Store) secondChance(ctx context.Context, tx *sql.Tx, q Question, out *feedbackv1.Report) error {
	leads, err := s.tried(ctx, tx, q)
	if err != nil {
		return err
	}
	people, total := map[string]*chanceBooks{}, &chanceBooks{worth: map[string]int64{}}
	for _, l := range leads {
		said := map[string]bool{}
		all := &chanceBooks{worth: map[string]int64{}}
		for i, h := range l.held {
			at := h.when()
			if !h.declined || nanos(at) > nanos(q.AsOf) || said[h.member] || q.Pool != "" && q.Pool != h.pool {
				continue
			}
			said[h.member] = true
			who := people[h.member]
			if who == nil {
				who = &chanceBooks{worth: map[string]int64{}}
				people[h.member] = who
			}
			next := l.next(i, q.AsOf)
			who.count(l, at, next)
			all.count(l, at, next)
			if next != nil {
				out.SecondChances = append(out.SecondChances, &feedbackv1.SecondChance{
					LeadId: l.id, Pool: h.pool, DeclinedBy: h.member, Reason: h.reason, DeclinedAt: timestamppb.New(at),
					TakenBy: next.member, TakenAt: timestamppb.New(next.ended), State: stateWord(l.state), ValueMinor: l.worth(), Currency: l.currency,
				})
			}
		}
		total.once(all)
	}
	slices.SortStableFunc(out.SecondChances, func(a, b *feedbackv1.SecondChance) int {
		return cmp.Or(b.GetTakenAt().AsTime().Compare(a.GetTakenAt().AsTime()), cmp.Compare(a.GetLeadId(), b.GetLeadId()))
	})
	if n := len(out.SecondChances); n > mostListed {
		out.SecondChances, out.NotListed = out.SecondChances[:mostListed], int64(n-mostListed)
	}
	if len(total.worth) == 1 {
		for currency := range total.worth { // any order: there is one
			out.Currency = currency
		}
	}
	ms := metricsOf(reportSecondChance)
	for _, member := range slices.Sorted(maps.Keys(people)) {
		row := rowOf(member, ms, &tally{chance: people[member].in(out.Currency)})
		row.Member = member
		out.Rows = append(out.Rows, row)
	}
	out.Total = rowOf(totalKey, ms, &tally{chance: total.in(out.Currency)})
	return nil
}

// next is who took a lead last after somebody had declined it; nil = nobody else has
// it from then on.
func (l *triedLead) next(declined int, until time.Time) *held {
	for i := len(l.held) - 1; i > declined; i-- {
		h := l.held[i]
		if h.outcome != outcomeAccepted || nanos(h.ended) > nanos(until) {
			continue
		}
		if h.member == l.held[declined].member || !h.released.IsZero() && nanos(h.released) <= nanos(until) {
			return nil
		}
		return h
	}
	return nil
}

func (l *triedLead) worth() int64 {
	if l.state != leadv1.State_STATE_WON {
		return 0
	}
	return l.minor
}

func (b *chanceBooks) count(l *triedLead, declined time.Time, next *held) {
	b.declined++
	if next == nil {
		return
	}
	b.taken++
	if l.sqlAt.After(declined) {
		b.sql++
	}
	if l.state == leadv1.State_STATE_WON {
		b.won++
		if l.minor != 0 {
			b.worth[l.currency] += l.minor
		}
	}
}

// once counts a lead that several may have declined: it counts once, and what came of it
// for one of them came of it.
func (b *chanceBooks) once(lead *chanceBooks) {
	b.declined += min(lead.declined, 1)
	b.taken += min(lead.taken, 1)
	b.sql += min(lead.sql, 1)
	b.won += min(lead.won, 1)
	for currency, minor := range lead.worth { // any order: each by itself
		b.worth[currency] += minor / lead.won
	}
}

// in is the value in the report's one currency.
func (b *chanceBooks) in(currency string) chanceBooks {
	out := *b
	out.minor, out.digits = b.worth[currency], -1
	if digits, ok := lead.MinorDigits(currency); ok {
		out.digits = digits
	}
	return out
}

// tried reads the leads of the population that somebody declined, with all who had
// them.
func (s *Store) tried(ctx context.Context, tx *sql.Tx, q Question) ([]*triedLead, error) {
	sel := q.selection()
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT l.lead_id, "+q.state()+", l.sql_at, l.value_minor, l.currency,"+
		" a.pool, a.member, a.outcome, a.reason, a.ended_at, a.released_at, a.declined"+
		" FROM "+sel.from+" JOIN assignments a ON a.lead_id = l.lead_id"+
		" WHERE "+sel.where+" AND l.rejections > 0 ORDER BY l.lead_id, a.sequence"), sel.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*triedLead
	for rows.Next() {
		var l triedLead
		var h held
		if err := rows.Scan(&l.id, (*stateColumn)(&l.state), (*instantColumn)(&l.sqlAt), &l.minor, &l.currency,
			&h.pool, &h.member, &h.outcome, &h.reason, (*instantColumn)(&h.ended), (*instantColumn)(&h.released), &h.declined); err != nil {
			return nil, err
		}
		if nanos(l.sqlAt) > sel.until {
			l.sqlAt = time.Time{}
		}
		if n := len(out); n == 0 || out[n-1].id != l.id {
			out = append(out, &l)
		}
		last := out[len(out)-1]
		last.held = append(last.held, &h)
	}
	return out, rows.Err()
}
