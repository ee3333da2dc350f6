package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/report"
)

const (
	// foldedAtOnce is how many events a transaction takes where many are at hand, as in
	// operation.
	foldedAtOnce = 2000
	// plainAtOnce is how many rows a plain statement carries, as a fold's do.
	plainAtOnce = 32
)

// database is where tables are made for a measurement, and dropped after it.
type database struct {
	name, driver, address string
	drop                  func(context.Context) error
}

// databases are a SQLite file on this run's disk, and a schema of its own where a
// PostgreSQL server is named.
func (b *bench) databases(ctx context.Context) ([]*database, error) {
	dir := b.place("tables")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	all := []*database{{name: "SQLite", driver: "sqlite", address: filepath.Join(dir, "read.db"), drop: func(context.Context) error {
		return errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
	}}}
	if b.postgres == "" {
		return all, nil
	}
	at, err := url.Parse(b.postgres)
	if err != nil {
		return nil, errors.New("--postgres is no address") // the error's own text may repeat the password
	}
	schema := "baton_bench_" + strconv.Itoa(os.Getpid())
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	d := &database{name: "PostgreSQL", driver: "pgx", address: at.String()}
	run := func(ctx context.Context, text string) error {
		db, err := sql.Open(d.driver, b.postgres)
		if err != nil {
			return errors.New("--postgres is not an address that PostgreSQL's driver can read") // its own text may repeat the password
		}
		_, err = db.ExecContext(ctx, text)
		return errors.Join(err, db.Close())
	}
	d.drop = func(ctx context.Context) error {
		return run(ctx, "DROP SCHEMA "+schema+" CASCADE; CREATE SCHEMA "+schema)
	}
	b.after = append(b.after, func(ctx context.Context) error { return run(ctx, "DROP SCHEMA "+schema+" CASCADE") })
	return append(all, d), run(ctx, "CREATE SCHEMA "+schema)
}

// open opens the database beside the read model, by the same driver with the same care.
func (d *database) open(file string) (*sql.DB, error) {
	if d.driver != "sqlite" {
		return sql.Open(d.driver, d.address)
	}
	return sql.Open(d.driver, "file:"+filepath.Join(filepath.Dir(d.address), file)+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
}

// size is how many bytes the tables of the read model take.
func (d *database) size(ctx context.Context) (bytes float64, err error) {
	db, err := d.open(filepath.Base(d.address))
	if err != nil {
		return 0, err
	}
	query := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if d.driver != "sqlite" {
		query = "SELECT SUM(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
	}
	err = db.QueryRowContext(ctx, query).Scan(&bytes)
	return bytes, errors.Join(err, db.Close())
}

// folded is what one fold of a log took.
type folded struct {
	events        float64
	took, longest time.Duration
	cpu           time.Duration // of this process
	memory        float64       // MiB, the most that was seen
}

// batches reads a log in batches, and answers what the calls took together and at most.
// Making up what is read does not count.
func batches(ctx context.Context, log report.Records, to uint64, apply func([]*ledger.Event) error) (f folded, err error) {
	var events []*ledger.Event
	flush := func() error {
		began, before := time.Now(), cpuTime()
		err := apply(events)
		took := time.Since(began)
		f.cpu += cpuTime() - before
		f.took, f.longest = f.took+took, max(f.longest, took)
		if f.events == 0 || int(f.events)/50_000 != (int(f.events)+len(events))/50_000 {
			if now, _, err := memory(os.Getpid()); err == nil {
				f.memory = max(f.memory, now)
			}
		}
		f.events += float64(len(events))
		events = events[:0:0]
		return err
	}
	err = log.Read(ctx, 1, to, func(e *ledger.Event) error {
		if events = append(events, e); len(events) == foldedAtOnce {
			return flush()
		}
		return nil
	})
	if err == nil && len(events) > 0 {
		err = flush()
	}
	return f, err
}

func (f folded) cpuEach() float64 { return float64(f.cpu.Microseconds()) / f.events }

func (f folded) perSecond() float64 { return f.events / f.took.Seconds() }

// plain inserts a row for each event and nothing else: as many bytes as the read model
// holds for each, in transactions and statements of the same length as its own.
func (d *database) plain(ctx context.Context, log report.Records, to uint64, each int) (f folded, err error) {
	db, err := d.open("plain.db")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE plain (lead_id TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (lead_id, sequence))"); err != nil {
		return f, err
	}
	insert := func(rows int) (*sql.Stmt, error) {
		var text strings.Builder
		text.WriteString("INSERT INTO plain (lead_id, sequence, at, body) VALUES ")
		for i := range rows {
			if i > 0 {
				text.WriteString(", ")
			}
			fmt.Fprintf(&text, "($%d, $%d, $%d, $%d)", 4*i+1, 4*i+2, 4*i+3, 4*i+4)
		}
		return db.PrepareContext(ctx, text.String())
	}
	one, err := insert(1)
	if err != nil {
		return f, err
	}
	many, err := insert(plainAtOnce)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, one.Close(), many.Close()) }()
	body := strings.Repeat("x", max(1, each))
	return batches(ctx, log, to, func(events []*ledger.Event) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		var values []any
		for len(events) > 0 {
			statement, n := one, 1
			if len(events) >= plainAtOnce {
				statement, n = many, plainAtOnce
			}
			values = values[:0]
			for _, e := range events[:n] {
				values = append(values, e.Subject, int64(e.Seq), e.Occurred.UnixNano(), body) // #nosec G115 -- as it is stored
			}
			if _, err := tx.StmtContext(ctx, statement).ExecContext(ctx, values...); err != nil {
				return errors.Join(err, tx.Rollback())
			}
			events = events[n:]
		}
		return tx.Commit()
	})
}
