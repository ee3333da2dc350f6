package keys

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Migrations are numbered from 1 without gaps; file n brings the schema to
// version n. They run together with the master key's check value in one
// transaction under the database's own lock, so that of several processes that
// open a new file at once one sets it up and the others find it finished. A
// migration library has no such lock on SQLite.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	applicationID   = 0x4261746b // "Batk" in the file's header: this is a key store
	masterCheckName = "master key check"
)

// establish brings the schema up to date and proves that the master key beside
// the database is the one that it was made with.
func (s *Store) establish(ctx context.Context) error {
	return s.change(ctx, "open", func(tx *sql.Tx) error {
		if err := s.migrate(ctx, tx); err != nil {
			return err
		}
		var check []byte
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", masterCheckName).Scan(&check)
		fresh := errors.Is(err, sql.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		file := filepath.Join(filepath.Dir(s.path), masterFile)
		master, err := readMaster(file)
		if errors.Is(err, fs.ErrNotExist) {
			if !fresh {
				return fault.New(fault.Corrupt, "key store %s: %s is missing, and without it nothing opens; restore it from the backup that the database belongs to", s.path, file)
			}
			master, err = createMaster(file)
		}
		if err != nil {
			return err
		}
		if s.secrets, err = derive(master); err != nil {
			return err
		}
		clear(master)
		if fresh {
			_, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?, ?)", masterCheckName, s.secrets.check)
			return err
		}
		if subtle.ConstantTimeCompare(check, s.secrets.check) != 1 {
			return fault.New(fault.Corrupt, "key store %s: %s is not the master key that this database was made with; restore both from the same backup", s.path, file)
		}
		return nil
	})
}

func (s *Store) migrate(ctx context.Context, tx *sql.Tx) error {
	var version, application, objects int
	for query, into := range map[string]*int{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &application,
		"SELECT count(*) FROM sqlite_schema": &objects,
	} {
		if err := tx.QueryRowContext(ctx, query).Scan(into); err != nil {
			return err
		}
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	switch {
	case objects > 0 && application != applicationID:
		return fault.New(fault.State, "key store %s: the file is another program's database; give a path of its own", s.path)
	case version > len(files):
		return fault.New(fault.State, "key store %s: schema version %d is newer than this program knows (%d); run the newer program", s.path, version, len(files))
	case version == len(files):
		return nil
	}
	for _, file := range files[version:] {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(files)))
	return err
}
