package routing

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	// The embedded store is one SQLite file.
	_ "modernc.org/sqlite"

	"github.com/leadbaton/baton/services/internal/fault"
)

// embedded keeps the routing state in one file beside the log: each save is a
// transaction, so a process that dies leaves the last whole one.
type embedded struct {
	db   *sql.DB
	path string
}

// layout is the version of the file. A file of another layout is begun anew:
// all of it is in the log.
const layout = 1

const schema = `
CREATE TABLE past (log TEXT NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL);
CREATE TABLE rows (grp TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (grp, kind, key)) WITHOUT ROWID;
`

// OpenEmbedded opens the store of a process that has no other. A file that
// cannot be used is begun anew.
func OpenEmbedded(ctx context.Context, path string) (Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "the folder of the routing state cannot be made: %w", err)
	}
	s, err := openEmbedded(ctx, path)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fault.New(fault.Unavailable, "the kept routing state %s cannot be read or removed; remove it, it is made again from the log: %w", path, err)
		}
	}
	return openEmbedded(ctx, path)
}

func openEmbedded(ctx context.Context, path string) (Store, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	slashed := filepath.ToSlash(whole)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	// Synced now and then only: what a power cut takes is folded again.
	query := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &embedded{db, path}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(s.fault(err), db.Close())
	}
	return s, nil
}

func (s *embedded) prepare(ctx context.Context) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case layout:
			return nil
		case 0:
			_, err := tx.ExecContext(ctx, schema+"PRAGMA user_version = 1;")
			return err
		}
		return fault.New(fault.State, "layout %d", version)
	})
}

func (s *embedded) fault(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "routing state %s: %w", s.path, err)
}

func (s *embedded) change(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// past answers what is kept; the zero Past if nothing is.
func past(ctx context.Context, tx *sql.Tx) (Past, error) {
	var p Past
	var hash []byte
	err := tx.QueryRowContext(ctx, "SELECT log, position, hash FROM past").Scan(&p.Log, &p.Position, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Past{}, nil
	}
	copy(p.Hash[:], hash)
	return p, err
}

// Load implements Store.
func (s *embedded) Load(ctx context.Context) (state State, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		if state.Past, err = past(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT grp, kind, key, value FROM rows")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Row
			if err := rows.Scan(&r.Group, &r.Kind, &r.Key, &r.Value); err != nil {
				return err
			}
			state.Rows = append(state.Rows, r)
		}
		return rows.Err()
	})
	return state, s.fault(err)
}

// Save implements Store.
func (s *embedded) Save(ctx context.Context, c Change) (kept uint64, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		held, err := past(ctx, tx)
		if err != nil {
			return err
		}
		if !takes(held, c) {
			kept = held.Position
			if held.Log != c.Log {
				kept = 0
			}
			return nil
		}
		kept = c.Position
		if held == c.Past && !c.Whole && len(c.Rows) == 0 {
			return nil
		}
		if c.Whole {
			if _, err := tx.ExecContext(ctx, "DELETE FROM rows"); err != nil {
				return err
			}
		}
		if err := put(ctx, tx, c.Rows); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM past"); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO past (log, position, hash) VALUES (?, ?, ?)", c.Log, c.Position, c.Hash[:])
		return err
	})
	return kept, s.fault(err)
}

// takes is the fence of every store: a change is taken onto what it builds on,
// and never onto something later.
func takes(held Past, c Change) bool {
	if held.Log != c.Log {
		return c.Whole
	}
	return held.Position <= c.Position && (c.Whole || c.From <= held.Position)
}

func put(ctx context.Context, tx *sql.Tx, rows []Row) error {
	upsert, err := tx.PrepareContext(ctx, "INSERT OR REPLACE INTO rows (grp, kind, key, value) VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	remove, err := tx.PrepareContext(ctx, "DELETE FROM rows WHERE grp = ? AND kind = ? AND key = ?")
	if err != nil {
		return err
	}
	// Both are closed with the transaction.
	for _, r := range rows {
		if r.Value == nil {
			_, err = remove.ExecContext(ctx, r.Group, string(r.Kind), r.Key)
		} else {
			_, err = upsert.ExecContext(ctx, r.Group, string(r.Kind), r.Key, r.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Clear implements Store.
func (s *embedded) Clear(ctx context.Context) error {
	return s.fault(s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM rows; DELETE FROM past;")
		return err
	}))
}

// Close implements Store.
func (s *embedded) Close() error { return s.fault(s.db.Close()) }
