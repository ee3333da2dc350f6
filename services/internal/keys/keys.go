// Package keys holds the keys that personal data is sealed with, and nothing
// else does: who destroys a key here has erased what it sealed, wherever
// copies of the sealed data lie.
//
// It promises:
//
//   - What it answered is on disk. A key, a person or a match that a caller has
//     in hand was synced before; no event can name a key that a power cut takes
//     back.
//   - A destroyed key is gone from the store's files, not only from its tables,
//     and its name is never given to another key.
//   - One e-mail address or telephone number belongs to one person, whoever
//     asks at the same time, from however many processes on the same file.
//     Person ids are random: nothing about a person follows from one.
//   - The files hold no personal data: data keys wrapped under the master key,
//     addresses and numbers as keyed hashes. The master key lies beside the
//     database in master.key, readable by its owner alone. Without it the
//     database opens nothing, so the two are backed up together, apart from
//     copies that others can read.
//   - A ciphertext opens under one key only: it carries a commitment to key and
//     name, and is bound to the text that the caller gave (aad).
//   - Errors hold nothing personal. A full disk or a locked file is Unavailable,
//     a damaged file Corrupt, a key that is gone NotFound.
//
// The database is SQLite. One process holding it open must not open and close
// its file by other means: on POSIX systems that drops the locks.
package keys

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// busyTimeout is how long a write waits for another process's transaction.
const busyTimeout = 5 * time.Second

// Store is an open key store. It is safe for concurrent use.
type Store struct {
	path    string
	secrets *secrets
	write   *sql.DB // one connection: writers of this process queue here
	read    *sql.DB
	stmt    statements
	closed  atomic.Bool

	dayWrite sync.Mutex // EnsureDays and DropDaysBefore, one at a time
	dayRead  sync.RWMutex
	days     map[int64]*dataKey // what SealDay may use
}

// opening is held while a store opens: the file is created by hand, to be
// private from its first byte, and must not be closed by one goroutine while
// SQLite in another holds a lock on it.
var opening sync.Mutex

// Open opens the key store in the SQLite file at path, and creates it, its
// directory and master.key beside it where they are missing. Several processes
// may have the same file open.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, busyTimeout)
}

func open(ctx context.Context, path string, busy time.Duration) (_ *Store, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "key store: path: %w", err)
	}
	opening.Lock()
	defer opening.Unlock()

	if err := createFile(path); err != nil {
		return nil, err
	}
	s := &Store{path: path, days: make(map[int64]*dataKey)}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if err := s.connect(ctx, busy); err != nil {
		return nil, err
	}
	if err := s.establish(ctx); err != nil {
		return nil, err
	}
	// A process that was killed between writing and syncing leaves commits that
	// can be read but are not on disk yet. The checkpoint syncs them before
	// anybody builds on them.
	if _, err := s.checkpoint(ctx, "PASSIVE"); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Close gives the file back. Calling it again does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.dayRead.Lock()
	clear(s.days)
	s.dayRead.Unlock()

	var first error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db == nil {
			continue
		}
		if err := db.Close(); err != nil && first == nil {
			first = s.fault("close", err)
		}
	}
	return first
}

// Ping says whether the store answers, and still fits its master key.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return err
	}
	var check []byte
	if err := s.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", masterCheckName).Scan(&check); err != nil {
		return s.fault("ping", err)
	}
	if subtle.ConstantTimeCompare(check, s.secrets.check) != 1 {
		return fault.New(fault.Corrupt, "key store %s: the file was replaced by one of another master key; stop, and restore database and master.key from the same backup", s.path)
	}
	return nil
}

func (s *Store) usable() error {
	if s.closed.Load() {
		return fault.New(fault.State, "key store %s: closed", s.path)
	}
	return nil
}
