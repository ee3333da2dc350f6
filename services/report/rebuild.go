package report

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// toldEvery is after how many events a rebuild says how far it is.
const toldEvery = 5000

// Rebuild folds the log anew, into tables beside those that serve, and puts what came
// out in their place in one transaction: until then every question has the old answer,
// and from then on the new one. One rebuild is made at a time.
func (r *Reports) Rebuild(_ *feedbackv1.RebuildRequest, stream grpc.ServerStreamingServer[feedbackv1.RebuildResponse]) error {
	if !r.rebuilding.TryLock() {
		return fault.New(fault.State, "the read model is being rebuilt already; wait for that")
	}
	defer r.rebuilding.Unlock()
	began := clock.Real{}.Now()
	out, err := r.store.rebuild(stream.Context(), r.log, func(folded, of uint64) error {
		return stream.Send(&feedbackv1.RebuildResponse{Folded: folded, Of: of})
	})
	if err != nil {
		return err
	}
	if r.Logger != nil {
		r.Logger.InfoContext(stream.Context(), "the read model was rebuilt", "events", out, "took_ms", clock.Real{}.Now().Sub(began)/time.Millisecond)
	}
	return stream.Send(&feedbackv1.RebuildResponse{Folded: out, Of: out, Done: true})
}

// rebuild answers the sequence up to which the new tables are folded.
func (s *Store) rebuild(ctx context.Context, log Records, told func(folded, of uint64) error) (at uint64, err error) {
	last, err := log.Last(ctx)
	if err != nil {
		return 0, err
	}
	ledgerID, _, err := s.position(ctx, s.read)
	if err != nil {
		return 0, s.fault("read", err)
	}
	fresh, dir, err := openAside(ctx, ledgerID)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeAside(fresh, dir)) }()
	err = refold(ctx, log, fresh, 1, last, nil, func(seq uint64) error {
		if seq%toldEvery != 0 {
			return nil
		}
		return told(seq, last)
	})
	if err != nil {
		return 0, err
	}
	// Nothing is folded into the old tables from here on, so that the new ones lack
	// nothing that those had: who feeds them goes on from where the old ones were.
	s.mu.Lock()
	defer s.mu.Unlock()
	_, have, err := s.position(ctx, s.read)
	if err != nil {
		return 0, s.fault("read", err)
	}
	if err := refold(ctx, log, fresh, last+1, have, nil, nil); err != nil {
		return 0, err
	}
	if s.dialect.name == sqlite.name {
		// It copies pages of its own, which takes a fraction of reading rows and writing them.
		if _, err := s.write.ExecContext(ctx, "ATTACH DATABASE ? AS fresh", filepath.Join(dir, asideFile)); err != nil {
			return 0, s.fault("rebuilt", err)
		}
		defer func() {
			_, detached := s.write.ExecContext(context.WithoutCancel(ctx), "DETACH DATABASE fresh")
			err = errors.Join(err, detached)
		}()
	}
	err = s.inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		if _, now, err := s.position(ctx, tx); err != nil || now != have {
			return errors.Join(err, fault.New(fault.Conflict, "another process folds into the same read model: rebuild there"))
		}
		if err := s.empty(ctx, tx, ledgerID); err != nil {
			return err
		}
		if at, err = s.take(ctx, tx, fresh); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.dialect.places("UPDATE position SET sequence = ? WHERE id = 1"), int64(at))
		return err
	})
	s.drop()
	return at, s.fault("rebuilt", err)
}

// take copies all tables of a fresh read model into empty ones, and answers up to where
// they are folded.
func (s *Store) take(ctx context.Context, tx *sql.Tx, fresh *Store) (at uint64, err error) {
	err = fresh.snapshot(ctx, func(from *sql.Tx) (err error) {
		for _, table := range tables {
			if s.dialect.name == sqlite.name {
				_, err = tx.ExecContext(ctx, "INSERT INTO main."+table+" SELECT * FROM fresh."+table)
			} else {
				err = s.copyTable(ctx, from, tx, table)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
		_, at, err = fresh.position(ctx, from)
		return err
	})
	return at, err
}

// copyTable copies the rows of a table, as they are, many to a statement.
func (s *Store) copyTable(ctx context.Context, from, to *sql.Tx, table string) error {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	insert := func(n int) string {
		return s.dialect.places("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + row + strings.Repeat(", "+row, n-1))
	}
	many, err := to.PrepareContext(ctx, insert(chunk))
	if err != nil {
		return err
	}
	defer func() { _ = many.Close() }()
	var values []any
	for rows.Next() {
		one := make([]any, len(columns))
		at := make([]any, len(columns))
		for i := range one {
			at[i] = &one[i]
		}
		if err := rows.Scan(at...); err != nil {
			return err
		}
		for i, c := range types {
			// SQLite keeps what is so as a number.
			if n, ok := one[i].(int64); ok && c.DatabaseTypeName() == "BOOLEAN" {
				one[i] = n != 0
			}
		}
		if values = append(values, one...); len(values) == chunk*len(columns) {
			if _, err := many.ExecContext(ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if err := rows.Err(); err != nil || len(values) == 0 {
		return err
	}
	_, err = to.ExecContext(ctx, insert(len(values)/len(columns)), values...)
	return err
}
