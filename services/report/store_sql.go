package report

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for PostgreSQL
	_ "modernc.org/sqlite"             // the driver of the default read model

	"github.com/leadbaton/baton/services/internal/fault"
)

// Store is the read model: SQLite in a file, or PostgreSQL. It is a fold of
// LEDGER and holds nothing personal. One Store folds; any number may read.
type Store struct {
	dialect dialect
	// SQLite has one writer at a time, so the folding side has a pool of its own
	// with one connection; on PostgreSQL both are the same.
	write, read *sql.DB

	mu         sync.Mutex // held by who writes
	statements statements
	// rows are the leads touched lately, as they stand in the tables at the
	// sequence remembered.
	rows       map[string]*leadRow
	remembered uint64
	// sets are ids of sets of people that the tables hold.
	sets map[string]bool
	// last are the seats of the pools that say what has changed of them, as the tables
	// have them; nil = not read yet.
	last map[string]*lastSeats

	// Working is the working time between two instants by the calendar of a pool, in the
	// agreement in force at the first; not known where there is no such calendar. nil =
	// none is. It is set before the first report is asked for.
	Working func(pool string, from, to time.Time) (took time.Duration, known bool)
}

// dialect is what differs between the databases; all other SQL is shared.
type dialect struct {
	name string
	// numbered says that places are written $1, $2 instead of ?.
	numbered bool
	// instant makes a readable instant out of a column of nanoseconds.
	instant string
	// each lists the different values of a column, with commas between them.
	each string
	// lock keeps a second process from migrating at the same time.
	lock string
	// snapshot is the isolation under which one report sees one state.
	snapshot sql.IsolationLevel
}

var sqlite = dialect{
	name:    "sqlite",
	instant: "strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', %s / 1000000000.0, 'unixepoch')",
	each:    "GROUP_CONCAT(DISTINCT %s)",
}

var postgres = dialect{
	name: "postgres", numbered: true,
	instant:  "to_timestamp(%s / 1000000000.0)",
	each:     "STRING_AGG(DISTINCT %s, ',')",
	lock:     "SELECT pg_advisory_xact_lock(7021001)",
	snapshot: sql.LevelRepeatableRead,
}

// postgresDriver is the database/sql driver that a program links in to keep its
// read model in PostgreSQL.
const postgresDriver = "pgx"

// Open opens the read model and brings its tables up to date. The address is
// postgres://… for PostgreSQL, else the path of a SQLite file, which is made
// where it does not exist.
func Open(ctx context.Context, address string) (*Store, error) { return open(ctx, address, kept) }

// kept and passing are how much care SQLite takes of a file: one that is read while it is
// written, and outlives a crash, and one of a process that is thrown away with it.
const (
	kept    = "&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	passing = "&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)"
)

func open(ctx context.Context, address, care string) (*Store, error) {
	s, err := connect(address, care)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func connect(address, care string) (*Store, error) {
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		if !slices.Contains(sql.Drivers(), postgresDriver) {
			return nil, fault.New(fault.Invalid, "the read model cannot be kept in PostgreSQL: this program was built without the driver %q; leave the SQL address empty to use a file", postgresDriver)
		}
		db, err := sql.Open(postgresDriver, address)
		if err != nil {
			// The driver's own text may repeat the password.
			return nil, fault.New(fault.Invalid, "the SQL address is not one that PostgreSQL's driver can read; write postgres://user:password@host:port/database")
		}
		db.SetMaxOpenConns(8)
		return &Store{dialect: postgres, write: db, read: db, rows: map[string]*leadRow{}, sets: map[string]bool{}}, nil
	}
	if address == "" {
		return nil, fault.New(fault.Invalid, "the read model has no address: name a file or postgres://…")
	}
	path, err := filepath.Abs(strings.TrimPrefix(address, "sqlite://"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the read model's file %s has no absolute path: %w", address, err)
	}
	// Made here so that nobody else on the machine may read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the read model's file cannot be opened: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fault.New(fault.Unavailable, "the read model's file cannot be written: %w", err)
	}
	open := func(query string, conns int) (*sql.DB, error) {
		u := url.URL{
			Scheme: "file", OmitHost: true, Path: path,
			RawQuery: query + "&_pragma=busy_timeout(10000)" + care,
		}
		db, err := sql.Open("sqlite", u.String())
		if err != nil {
			return nil, fault.New(fault.Invalid, "the read model's file %s cannot be opened: %w", path, err)
		}
		db.SetMaxOpenConns(conns)
		return db, nil
	}
	// Who folds comes back to the same pages: they are kept in memory, as is what would
	// undo a single statement, and pages go from the log of writes to the file some
	// thousands at a time.
	write, err := open("_txlock=immediate&_pragma=cache_size(-32000)&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(4000)", 1)
	if err != nil {
		return nil, err
	}
	read, err := open("_txlock=deferred&_pragma=cache_size(-16000)", 4)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &Store{dialect: sqlite, write: write, read: read, rows: map[string]*leadRow{}, sets: map[string]bool{}}, nil
}

// Close lets go of the database.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.statements.close(), s.write.Close())
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// places writes ? the way the database wants it.
func (d dialect) places(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c != '?' {
			b.WriteRune(c)
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies what the database does not have yet, all in one transaction.
// The files are numbered; one that was released never changes.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fault.New(fault.Corrupt, "the read model's migrations cannot be listed: %w", err)
	}
	slices.Sort(files)
	err = s.inTx(ctx, s.write, nil, func(tx *sql.Tx) error {
		if s.dialect.lock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.lock); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)"); err != nil {
			return err
		}
		var at int
		if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&at); err != nil {
			return err
		}
		if at > len(files) {
			return fault.New(fault.State, "the read model was made by a newer version of the program (schema %d, this one knows %d): use that version, or remove the read model, which is then folded again from the log", at, len(files))
		}
		for i := at; i < len(files); i++ {
			if err := s.apply(ctx, tx, files[i]); err != nil {
				return fmt.Errorf("%s: %w", files[i], err)
			}
			if _, err := tx.ExecContext(ctx, s.dialect.places("INSERT INTO schema_version (version) VALUES (?)"), i+1); err != nil {
				return err
			}
		}
		return nil
	})
	return s.fault("brought up to date", err)
}

func (s *Store) apply(ctx context.Context, tx *sql.Tx, file string) error {
	source, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	t, err := template.New(file).Funcs(template.FuncMap{
		"instant": func(column string) string { return fmt.Sprintf(s.dialect.instant, column) },
	}).Parse(string(source))
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return err
	}
	for statement := range strings.SplitSeq(b.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// inTx runs f in one transaction.
func (s *Store) inTx(ctx context.Context, db *sql.DB, opts *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// snapshot runs f on one unchanging state of the tables.
func (s *Store) snapshot(ctx context.Context, f func(*sql.Tx) error) error {
	return s.inTx(ctx, s.read, &sql.TxOptions{Isolation: s.dialect.snapshot}, f)
}

// fault keeps a fault that is one, and makes the database's own errors
// something that passes.
func (s *Store) fault(did string, err error) error {
	if err == nil || fault.Of(err) != fault.Unknown || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.New(fault.Unavailable, "the read model (%s) could not be %s: %w", s.dialect.name, did, err)
}
