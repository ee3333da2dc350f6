package report

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// comparedOver is the longest window before and after a change of the agreement.
const comparedOver = 30 * 24 * time.Hour

// period is a version of the agreement while it was in force.
type period struct {
	version  int64
	from, to time.Time // to is zero for the one that still is
}

// decidedLead is a lead as the report on definitions counts it. What had not
// occurred by the report's instant is zero.
type decidedLead struct {
	key                                        string
	version                                    int64
	received                                   time.Time
	mql, sal, sql, returned, offered, accepted time.Time
}

// definitions counts leads by the version that decided each of them first, and
// before and after each change of the agreement.
func (s *Store) definitions(ctx context.Context, tx *sql.Tx, q Question, into map[string]*tally, out *feedbackv1.Report) error {
	periods, err := s.periods(ctx, tx, q.AsOf)
	if err != nil {
		return err
	}
	if q.By == "" {
		for _, p := range periods {
			// A version that was in force is shown even if it decided nobody.
			if (q.To.IsZero() || p.from.Before(q.To)) && (p.to.IsZero() || q.From.Before(p.to)) {
				into[strconv.FormatInt(p.version, 10)] = &tally{}
			}
		}
	}
	changes := changesOf(periods, q)
	windows := make([][2]tally, len(changes))
	err = s.decidedLeads(ctx, tx, q, func(l *decidedLead) {
		t := into[l.key]
		if t == nil {
			t = &tally{}
			into[l.key] = t
		}
		t.decided(l)
		for i, c := range changes {
			switch {
			case l.version == c.before && !l.received.Before(c.at.Add(-c.window)) && l.received.Before(c.at):
				windows[i][0].decided(l)
			case l.version == c.after && !l.received.Before(c.at) && l.received.Before(c.at.Add(c.window)):
				windows[i][1].decided(l)
			}
		}
	})
	if err != nil {
		return err
	}
	ms := metricsOf(reportDefinitions)
	for i, c := range changes {
		before, after := rowOf(strconv.FormatInt(c.before, 10), ms, &windows[i][0]), rowOf(strconv.FormatInt(c.after, 10), ms, &windows[i][1])
		before.From, before.To = timestamppb.New(c.at.Add(-c.window)), timestamppb.New(c.at)
		after.From, after.To = timestamppb.New(c.at), timestamppb.New(c.at.Add(c.window))
		out.Comparisons = append(out.Comparisons, &feedbackv1.Comparison{
			BeforeVersion: c.before, AfterVersion: c.after, At: timestamppb.New(c.at), WindowSeconds: int64(c.window / time.Second),
			Before: before, After: after,
		})
	}
	return nil
}

// inForce puts on the rows of versions when each was in force.
func (s *Store) inForce(ctx context.Context, tx *sql.Tx, q Question, rows []*feedbackv1.ReportRow) error {
	periods, err := s.periods(ctx, tx, q.AsOf)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, p := range periods {
			if row.GetKey() != strconv.FormatInt(p.version, 10) {
				continue
			}
			row.From = timestamppb.New(p.from)
			if !p.to.IsZero() {
				row.To = timestamppb.New(p.to)
			}
		}
	}
	return nil
}

// periods are the versions that were in force until an instant, in order. Of two
// that begin at the same instant the later version counts, as in decisions.
func (s *Store) periods(ctx context.Context, tx *sql.Tx, asOf time.Time) ([]period, error) {
	rows, err := tx.QueryContext(ctx, s.dialect.places("SELECT version, in_force_from FROM agreement_versions WHERE in_force_from IS NOT NULL AND in_force_from <= ?"), nanos(asOf))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []period
	for rows.Next() {
		var p period
		if err := rows.Scan(&p.version, (*instantColumn)(&p.from)); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b period) int { return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.version, b.version)) })
	var out []period
	for _, p := range all {
		if n := len(out); n > 0 && out[n-1].from.Equal(p.from) {
			out[n-1] = p
			continue
		}
		out = append(out, p)
	}
	for i := range out[:max(0, len(out)-1)] {
		out[i].to = out[i+1].from
	}
	return out, nil
}

// change is a change of the agreement with the window on either side of it.
type change struct {
	before, after int64
	at            time.Time
	window        time.Duration
}

// changesOf are the changes that the question is about. The windows on both sides
// are equally long and reach neither out of the time in which their version was in
// force nor out of the time that is asked about.
func changesOf(periods []period, q Question) []change {
	var out []change
	for i := 1; i < len(periods); i++ {
		c := change{before: periods[i-1].version, after: periods[i].version, at: periods[i].from, window: comparedOver}
		began, ended := periods[i-1].from, periods[i].to
		if q.From.After(began) {
			began = q.From
		}
		for _, t := range []time.Time{q.AsOf, q.To} {
			if !t.IsZero() && (ended.IsZero() || t.Before(ended)) {
				ended = t
			}
		}
		c.window = min(c.window, c.at.Sub(began), ended.Sub(c.at)).Truncate(time.Second)
		if c.window > 0 {
			out = append(out, c)
		}
	}
	return out
}

// decidedLeads reads the leads that some version has decided.
func (s *Store) decidedLeads(ctx context.Context, tx *sql.Tx, q Question, each func(*decidedLead)) error {
	key := "CAST(c.decided_by AS TEXT)"
	if q.By != "" && !timed(q.By) {
		key = "c." + q.By
	}
	b := &query{}
	b.add("SELECT " + key + ", c.decided_by, c.received_at, c.mql_at, c.sal_at, c.sql_at, c.returned_at, c.offered_at, c.accepted_at FROM (")
	b.cases(&info{cases: casesLeads}, q)
	b.add(") c WHERE c.decided_at IS NOT NULL")
	rows, err := tx.QueryContext(ctx, s.dialect.places(b.text.String()), b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var l decidedLead
		at := []any{&l.key, &l.version}
		for _, i := range []*time.Time{&l.received, &l.mql, &l.sal, &l.sql, &l.returned, &l.offered, &l.accepted} {
			at = append(at, (*instantColumn)(i))
		}
		if err := rows.Scan(at...); err != nil {
			return err
		}
		if timed(q.By) {
			from, _ := q.Year.Begin(l.received, q.By)
			l.key = periodName(q, from)
		}
		each(&l)
	}
	return rows.Err()
}

// decided counts one lead that a version has decided.
func (t *tally) decided(l *decidedLead) {
	count := func(n *int64, at time.Time) {
		if !at.IsZero() {
			*n++
		}
	}
	t.received++
	count(&t.mql, l.mql)
	count(&t.sal, l.sal)
	count(&t.sql, l.sql)
	count(&t.returned, l.returned)
	count(&t.offered, l.offered)
	count(&t.accepted, l.accepted)
	if !l.offered.IsZero() && !l.accepted.IsZero() {
		t.offeredAccepted++
		t.seconds = append(t.seconds, max(l.accepted.Sub(l.offered), 0).Seconds())
		t.ordered = false
	}
}
