package report

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// cachedLeads bounds the leads kept in memory between batches.
const cachedLeads = 20_000

// chunk is how many rows one statement carries; what is left goes one by one.
const chunk = 32

// Position answers the LEDGER sequence up to which the read model is folded.
func (s *Store) Position(ctx context.Context) (uint64, error) {
	_, at, err := s.position(ctx, s.read)
	return at, s.fault("read", err)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) position(ctx context.Context, q queryer) (ledgerID string, at uint64, err error) {
	var n int64
	err = q.QueryRowContext(ctx, "SELECT ledger_id, sequence FROM position WHERE id = 1").Scan(&ledgerID, &n)
	return ledgerID, uint64(n), err
}

// Attach says which log the read model is to follow, and answers the sequence
// that it has folded of it. A read model of another log is emptied first.
func (s *Store) Attach(ctx context.Context, ledgerID string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at uint64
	err := s.inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		have, seq, err := s.position(ctx, tx)
		if err != nil {
			return err
		}
		if have == ledgerID {
			at = seq
			return nil
		}
		return s.empty(ctx, tx, ledgerID)
	})
	s.drop()
	return at, s.fault("attached to the log", err)
}

// Reset empties the read model, so that it is folded again from the first event
// of the log.
func (s *Store) Reset(ctx context.Context, ledgerID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	return s.fault("emptied", s.inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		return s.empty(ctx, tx, ledgerID)
	}))
}

// tables are all of them but the position.
var tables = []string{
	"leads", "stage_history", "assignments", "duplicates", "agreement_versions", "turns", "turn_sets", "turn_adjustments", "pool_seats", "members",
	"touches", "rejections", "feedback", "disputes", "member_places", "standings", "courses", "rides",
}

func (s *Store) empty(ctx context.Context, tx *sql.Tx, ledgerID string) error {
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, s.dialect.places("UPDATE position SET ledger_id = ?, sequence = 0 WHERE id = 1"), ledgerID)
	return err
}

// drop forgets what is in memory of the tables.
func (s *Store) drop() {
	clear(s.rows)
	clear(s.sets)
	s.last = nil
}

// Apply folds events, which come in the order of the log, in one transaction
// with the position. Events at or below the position are skipped, so that a
// batch that comes again changes nothing.
func (s *Store) Apply(ctx context.Context, events []*ledger.Event) error {
	if len(events) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.inTx(ctx, s.write, nil, func(tx *sql.Tx) (err error) {
		s.remembered, err = s.applyIn(ctx, tx, events)
		return err
	})
	if err != nil || len(s.rows) > cachedLeads || len(s.sets) > cachedLeads {
		// After a failure what is in memory may be ahead of the tables.
		s.drop()
	}
	return s.fault("brought forward", err)
}

func (s *Store) applyIn(ctx context.Context, tx *sql.Tx, events []*ledger.Event) (uint64, error) {
	ledgerID, before, err := s.position(ctx, tx)
	if err != nil {
		return 0, err
	}
	if before != s.remembered {
		// Somebody else folded on: what is in memory is of another time.
		s.drop()
	}
	at, fresh := before, events[:0:0]
	for _, e := range events {
		if e.Seq <= at {
			continue
		}
		at = e.Seq
		fresh = append(fresh, e)
		if opened, ok := e.Body.(*auditv1.LedgerOpened); ok {
			if ledgerID != "" && ledgerID != opened.GetLedgerId() {
				return 0, fault.New(fault.Corrupt, "the read model follows log %s and was given events of log %s: attach it to the right one first", ledgerID, opened.GetLedgerId())
			}
			ledgerID = opened.GetLedgerId()
		}
	}
	if at == before {
		return at, nil
	}
	if s.last == nil {
		if s.last, err = s.lastSeats(ctx, tx); err != nil {
			return 0, err
		}
	}
	c := newChanges(s.sets, s.last)
	if err := s.load(ctx, tx, fresh); err != nil {
		return 0, err
	}
	for _, e := range fresh {
		id, ok := lead.FromSubject(e.Subject)
		if !ok {
			if err := s.version(ctx, tx, e); err != nil {
				return 0, err
			}
			if b, ok := e.Body.(*routingv1.PoolAdvanced); ok {
				c.pool(e, b)
			}
			c.person(e)
			c.placed(e)
			continue
		}
		r := s.rows[id]
		if c.leads[id] == nil {
			c.leads[id] = r
			c.order = append(c.order, r)
		}
		before := r.stood()
		r.fold(e, c)
		if err := s.stands(ctx, tx, c, r, before, e); err != nil {
			return 0, err
		}
	}
	if err := s.store(ctx, tx, c); err != nil {
		return 0, err
	}
	// Another process that folds the same tables would have moved the position.
	res, err := tx.ExecContext(ctx, s.dialect.places("UPDATE position SET ledger_id = ?, sequence = ? WHERE id = 1 AND sequence = ?"), ledgerID, int64(at), int64(before))
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return 0, errors.Join(err, fault.New(fault.Conflict, "another process folds into the same read model: run one, or give each its own database"))
	}
	return at, nil
}

// version keeps which versions of the agreement there are, and from when each is in
// force. There are few, so they are written one by one.
func (s *Store) version(ctx context.Context, tx *sql.Tx, e *ledger.Event) (err error) {
	switch b := e.Body.(type) {
	case *agreementv1.AgreementProposed:
		_, err = tx.ExecContext(ctx, s.dialect.places("INSERT INTO agreement_versions (version, proposed_at) VALUES (?, ?) ON CONFLICT (version) DO NOTHING"), b.GetVersion(), nanos(e.Recorded))
	case *agreementv1.AgreementSigned:
		if b.GetInForceFrom() != nil {
			_, err = tx.ExecContext(ctx, s.dialect.places("UPDATE agreement_versions SET in_force_from = ? WHERE version = ?"), nanos(b.GetInForceFrom().AsTime()), b.GetVersion())
		}
	}
	return err
}

// load brings the leads of the events into memory.
func (s *Store) load(ctx context.Context, tx *sql.Tx, events []*ledger.Event) error {
	var missing []any
	for _, e := range events {
		id, ok := lead.FromSubject(e.Subject)
		if !ok || s.rows[id] != nil {
			continue
		}
		r := &leadRow{}
		r.s.ID = id
		s.rows[id] = r
		missing = append(missing, id)
	}
	for len(missing) > 0 {
		ids := missing[:min(len(missing), chunk)]
		missing = missing[len(ids):]
		for len(ids) < chunk {
			ids = append(ids[:len(ids):len(ids)], ids[0])
		}
		if err := s.loadLeads(ctx, tx, ids); err != nil {
			return err
		}
		if err := s.loadAssignments(ctx, tx, ids); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) loadLeads(ctx context.Context, tx *sql.Tx, ids []any) error {
	rows, err := tx.StmtContext(ctx, s.statements.selectLeads).QueryContext(ctx, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r leadRow
		if err := rows.Scan(places(r.columns())...); err != nil {
			return err
		}
		*s.rows[r.s.ID] = r
	}
	return rows.Err()
}

func (s *Store) loadAssignments(ctx context.Context, tx *sql.Tx, ids []any) error {
	rows, err := tx.StmtContext(ctx, s.statements.selectAssignments).QueryContext(ctx, ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a assignmentRow
		if err := rows.Scan(places(a.columns())...); err != nil {
			return err
		}
		s.rows[a.leadID].assignment = &a
	}
	return rows.Err()
}

func (s *Store) store(ctx context.Context, tx *sql.Tx, c *changes) error {
	st := &s.statements
	if err := put(ctx, tx, st.leads, c.order); err != nil {
		return err
	}
	if err := put(ctx, tx, st.history, c.history); err != nil {
		return err
	}
	if err := put(ctx, tx, st.assignments, c.assignments); err != nil {
		return err
	}
	if err := put(ctx, tx, st.duplicates, c.duplicates); err != nil {
		return err
	}
	if err := put(ctx, tx, st.sets, c.sets); err != nil {
		return err
	}
	if err := put(ctx, tx, st.turns, c.turns); err != nil {
		return err
	}
	if err := put(ctx, tx, st.adjustments, c.adjustments); err != nil {
		return err
	}
	if err := put(ctx, tx, st.last, c.changed); err != nil {
		return err
	}
	if err := put(ctx, tx, st.touches, c.touches); err != nil {
		return err
	}
	if err := put(ctx, tx, st.rejections, c.rejections); err != nil {
		return err
	}
	if err := put(ctx, tx, st.feedback, c.feedback); err != nil {
		return err
	}
	if err := put(ctx, tx, st.standings, c.standings); err != nil {
		return err
	}
	if err := put(ctx, tx, st.courses, c.courses); err != nil {
		return err
	}
	for _, one := range c.singles {
		if _, err := tx.ExecContext(ctx, s.dialect.places(one.query), one.args...); err != nil {
			return err
		}
	}
	return nil
}

// lastSeats reads who was there last in each pool that says what has changed.
func (s *Store) lastSeats(ctx context.Context, tx *sql.Tx) (map[string]*lastSeats, error) {
	rows, err := tx.QueryContext(ctx, "SELECT p.pool, p.set_id, COALESCE(t.seats, '') FROM pool_seats p LEFT JOIN turn_sets t ON t.set_id = p.set_id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]*lastSeats{}
	for rows.Next() {
		l := &lastSeats{}
		var seats string
		if err := rows.Scan(&l.pool, &l.setID, &seats); err != nil {
			return nil, err
		}
		l.seats = readSeats(seats)
		out[l.pool] = l
	}
	return out, rows.Err()
}

// put writes rows, many to a statement.
func put[R interface{ columns() []column }](ctx context.Context, tx *sql.Tx, u upsert, rows []R) error {
	var values []any
	for len(rows) > 0 {
		stmt, n := u.one, 1
		if len(rows) >= chunk {
			stmt, n = u.many, chunk
		}
		values = values[:0]
		for _, r := range rows[:n] {
			for _, c := range r.columns() {
				values = append(values, c.at)
			}
		}
		if _, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, values...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// upsert writes rows of one table: new ones, or over those with the same key.
type upsert struct{ one, many *sql.Stmt }

// statements are prepared once.
type statements struct {
	leads, history, assignments, duplicates upsert
	turns, adjustments, sets, last          upsert
	touches, rejections, feedback, courses  upsert
	standings                               upsert
	selectLeads, selectAssignments          *sql.Stmt
	selectStandings                         *sql.Stmt

	all []*sql.Stmt
}

func (st *statements) close() error {
	var err error
	for _, s := range st.all {
		err = errors.Join(err, s.Close())
	}
	st.all = nil
	return err
}

func (s *Store) prepare(ctx context.Context) error {
	st := &s.statements
	var failed error
	prepare := func(query string) *sql.Stmt {
		if failed != nil {
			return nil
		}
		stmt, err := s.write.PrepareContext(ctx, s.dialect.places(query))
		if err != nil {
			failed = err
			return nil
		}
		st.all = append(st.all, stmt)
		return stmt
	}
	both := func(table string, key, columns []string) upsert {
		return upsert{one: prepare(upsertSQL(table, key, columns, 1)), many: prepare(upsertSQL(table, key, columns, chunk))}
	}
	byEvent := []string{"lead_id", "sequence"}
	leadColumns, assignmentColumns := names(new(leadRow).columns()), names(new(assignmentRow).columns())
	st.leads = both("leads", []string{"lead_id"}, leadColumns)
	st.history = both("stage_history", byEvent, names(new(historyRow).columns()))
	st.assignments = both("assignments", byEvent, assignmentColumns)
	st.duplicates = both("duplicates", byEvent, names(new(duplicateRow).columns()))
	st.touches = both("touches", byEvent, names(new(touchRow).columns()))
	st.rejections = both("rejections", byEvent, names(new(rejectionRow).columns()))
	st.feedback = both("feedback", byEvent, names(new(feedbackRow).columns()))
	// What is new of a course is added to what is there.
	grown := func(rows int) *sql.Stmt {
		return prepare(strings.Replace(upsertSQL("courses", []string{"lead_id"}, names(new(courseRow).columns()), rows), "= excluded.course", "= courses.course || excluded.course", 1))
	}
	st.courses = upsert{one: grown(1), many: grown(chunk)}
	byStep := []string{"sequence", "step"}
	st.turns = both("turns", byStep, names(new(turnRow).columns()))
	st.adjustments = both("turn_adjustments", byStep, names(new(adjustmentRow).columns()))
	st.sets = both("turn_sets", []string{"set_id"}, names(new(setRow).columns()))
	st.last = both("pool_seats", []string{"pool"}, names(new(lastSeats).columns()))
	standingColumns := names(new(stoodRow).columns())
	st.standings = both("standings", []string{"lead_id", "from_at"}, standingColumns)
	st.selectStandings = prepare("SELECT " + strings.Join(standingColumns, ", ") + " FROM standings WHERE lead_id = ?")
	in := " WHERE lead_id IN (?" + strings.Repeat(", ?", chunk-1) + ")"
	st.selectLeads = prepare("SELECT " + strings.Join(leadColumns, ", ") + " FROM leads" + in)
	st.selectAssignments = prepare("SELECT " + strings.Join(assignmentColumns, ", ") + " FROM assignments" + in + " AND active")
	return s.fault("prepared", failed)
}

func upsertSQL(table string, key, columns []string, rows int) string {
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	var set []string
	for _, c := range columns {
		if c != key[0] && c != key[len(key)-1] {
			set = append(set, c+" = excluded."+c)
		}
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + row + strings.Repeat(", "+row, rows-1) +
		" ON CONFLICT (" + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}
