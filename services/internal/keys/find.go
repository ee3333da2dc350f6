package keys

import (
	"context"
	"database/sql"
	"errors"
)

// Contact is an e-mail address and a telephone number, normalised as for Admit;
// empty = none.
type Contact struct{ Email, Phone string }

// Find answers, for each contact, the person whom Admit would find; empty where
// it would make a new one. It makes nothing, and what others admit meanwhile may
// change the answer.
func (s *Store) Find(ctx context.Context, contacts []Contact) ([]string, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	persons := make([]string, len(contacts))
	for i, c := range contacts {
		for _, m := range []struct {
			key   []byte
			value string
		}{{s.secrets.email, c.Email}, {s.secrets.phone, c.Phone}} {
			if m.value == "" || persons[i] != "" {
				continue
			}
			err := s.stmt.matchRead.QueryRowContext(ctx, mac(m.key, []byte(m.value))).Scan(&persons[i])
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, s.fault("find", err)
			}
		}
	}
	return persons, nil
}
