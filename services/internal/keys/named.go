package keys

import (
	"context"
	"database/sql"
	"errors"
	"unicode/utf8"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// maxName bounds ids, as in the events that carry them.
const maxName = 64

func nameable(id string) bool { return id != "" && len(id) <= maxName && utf8.ValidString(id) }

// Seal seals under the key of that name, and makes the key if there is none. The
// key is on disk before Seal returns. A destroyed key is a NotFound fault: its
// name gets no other.
func (s *Store) Seal(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	if !nameable(keyID) || isDayID(keyID) {
		return nil, fault.New(fault.Invalid, "key store: a key's name has 1 to %d bytes and does not begin with %q", maxName, dayPrefix)
	}
	key, err := s.openDataKey(ctx, keyID)
	if fault.Is(err, fault.NotFound) {
		err = s.change(ctx, "add key", func(tx *sql.Tx) error {
			_, key, err = s.ensureKey(ctx, tx, keyID)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return key.seal(plain, aad), nil
}

// Open opens what SealDay, Seal or Admit sealed with the same aad.
func (s *Store) Open(ctx context.Context, sealed *leadv1.Sealed, aad []byte) ([]byte, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	if !wellFormed(sealed) {
		return nil, fault.New(fault.Corrupt, "sealed data under key %q lacks a part; check the record that holds it", sealed.GetKeyId())
	}
	read := s.openDataKey
	if isDayID(sealed.GetKeyId()) {
		read = s.openDayKey
	}
	key, err := read(ctx, sealed.GetKeyId())
	if err != nil {
		return nil, err
	}
	return key.open(sealed, aad)
}

func (s *Store) openDataKey(ctx context.Context, id string) (*dataKey, error) {
	var (
		wrapped   []byte
		destroyed bool
	)
	err := s.stmt.keyRead.QueryRowContext(ctx, id).Scan(&wrapped, &destroyed)
	return s.found(id, wrapped, destroyed, err)
}

// ensureKey finds or makes a named key within a transaction, and answers its row
// as well.
func (s *Store) ensureKey(ctx context.Context, tx *sql.Tx, id string) (int64, *dataKey, error) {
	var (
		row       int64
		wrapped   []byte
		destroyed bool
	)
	err := tx.StmtContext(ctx, s.stmt.keyWrite).QueryRowContext(ctx, id).Scan(&row, &wrapped, &destroyed)
	if !errors.Is(err, sql.ErrNoRows) {
		key, err := s.found(id, wrapped, destroyed, err)
		return row, key, err
	}
	key, wrapped, err := s.secrets.generate(id)
	if err != nil {
		return 0, nil, err
	}
	result, err := tx.StmtContext(ctx, s.stmt.insertKey).ExecContext(ctx, id, wrapped, clock.Real{}.Now().Unix())
	if err != nil {
		return 0, nil, err
	}
	row, err = result.LastInsertId()
	return row, key, err
}
