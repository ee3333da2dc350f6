package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// readers is how many connections read side by side.
const readers = 4

// createFile makes an empty private database file where there is none, so that
// it never stands open to others, and syncs the directory that names it.
func createFile(path string) error {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return fault.New(fault.Unavailable, "key store: create directory %s: %w", dir, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), syncDir(dir))
	}
	if err != nil {
		return fault.New(fault.Unavailable, "key store: create %s: %w", path, err)
	}
	return nil
}

// makeDir makes a directory with its parents, each on disk before it returns.
func makeDir(dir string) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return errors.New("it is not a directory")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// settings hold on every connection; connect reads back those that the
// package's promise rests on.
var settings = []string{
	"journal_mode(WAL)",
	"synchronous(FULL)", // with WAL: every commit is synced before it returns
	"fullfsync(ON)",     // the same on macOS, where fsync alone is not enough
	"checkpoint_fullfsync(ON)",
	"secure_delete(ON)",
	"foreign_keys(ON)",
	"temp_store(MEMORY)", // nothing spills into a file elsewhere
}

func dataSource(path string, busy time.Duration, more url.Values) string {
	q := url.Values{"mode": {"rw"}, "_dqs": {"false"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds())}}
	q["_pragma"] = append(q["_pragma"], settings...)
	for name, values := range more {
		q[name] = append(q[name], values...)
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: q.Encode()}).String()
}

func (s *Store) connect(ctx context.Context, busy time.Duration) (err error) {
	if s.write, err = sql.Open("sqlite", dataSource(s.path, busy, url.Values{"_txlock": {"immediate"}})); err != nil {
		return s.fault("open", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dataSource(s.path, busy, url.Values{"_pragma": {"query_only(ON)"}})); err != nil {
		return s.fault("open", err)
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)

	// While another process turns a new file to WAL, SQLite answers "locked"
	// without waiting, whatever the busy timeout.
	wall := clock.Real{}
	for deadline := wall.Now().Add(busy); ; {
		err := s.write.PingContext(ctx)
		if err == nil {
			break
		}
		if now := wall.Now(); !isBusy(err) || now.After(deadline) || clock.Sleep(ctx, wall, now.Add(10*time.Millisecond)) != nil {
			return s.fault("open", err)
		}
	}
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1"} {
		var got string
		if err := s.write.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			return s.fault("read setting "+name, err)
		}
		if got != want {
			return fault.New(fault.State, "key store %s: setting %s is %q and must be %q; keep the file on a local disk that allows it", s.path, name, got, want)
		}
	}
	return nil
}

// checkpoint moves the write-ahead log into the database file and syncs both.
// done is false when a reader or writer kept it from finishing.
func (s *Store) checkpoint(ctx context.Context, mode string) (done bool, err error) {
	var busy, frames, moved int
	if err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &moved); err != nil {
		return false, s.fault("checkpoint", err)
	}
	return busy == 0, nil
}

// change runs do in one transaction that holds the write lock from its start,
// and syncs it to disk once.
func (s *Store) change(ctx context.Context, doing string, do func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.fault(doing, err)
	}
	defer tx.Rollback() // does nothing after the commit
	if err := do(tx); err != nil {
		return s.fault(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return s.fault(doing, err)
	}
	return nil
}

func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// fault says what an error of the database means for the caller. A fault stays
// as it is. SQLite's texts name tables and columns, never values.
func (s *Store) fault(doing string, err error) error {
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	kind, advice := fault.Unknown, "see the cause"
	var e *sqlite.Error
	switch {
	case s.closed.Load():
		kind, advice = fault.State, "the store is closed"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrTxDone):
		kind, advice = fault.Unavailable, "the caller gave up; nothing was changed, try again"
	case errors.As(err, &e):
		kind, advice = meaning(e.Code())
	}
	return fault.New(kind, "key store %s: %s: %w; %s", s.path, doing, err, advice)
}

func meaning(code int) (fault.Kind, string) {
	const damaged = "the file is damaged; stop, and restore database and master.key from the same backup"
	switch code {
	case sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_CORRUPTFS:
		return fault.Corrupt, damaged
	}
	switch code & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return fault.Corrupt, damaged
	case sqlite3.SQLITE_FULL:
		return fault.Unavailable, "free disk space, then try again"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return fault.Unavailable, "another process holds the file; try again"
	case sqlite3.SQLITE_INTERRUPT:
		return fault.Unavailable, "the caller gave up; try again"
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM:
		return fault.Unavailable, "check disk and permissions, then try again"
	}
	return fault.Unknown, "see the cause"
}
