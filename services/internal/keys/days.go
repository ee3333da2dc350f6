package keys

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	dayPrefix = "day-"
	dayLayout = "day-2006-01-02"
	secondDay = 24 * 60 * 60

	// maxDays bounds one EnsureDays: more is a mistake in the dates.
	maxDays = 1000
)

// dayOf is the number of the UTC day of t, counted from 1970-01-01.
func dayOf(t time.Time) int64 {
	seconds := t.Unix()
	day := seconds / secondDay
	if seconds%secondDay < 0 {
		day--
	}
	return day
}

func dayStart(day int64) time.Time { return time.Unix(day*secondDay, 0).UTC() }

func dayID(day int64) string { return dayStart(day).Format(dayLayout) }

// dayOfID reads the name of a day key.
func dayOfID(id string) (int64, bool) {
	t, err := time.Parse(dayLayout, id)
	if err != nil {
		return 0, false
	}
	return dayOf(t), true
}

func isDayID(id string) bool { return strings.HasPrefix(id, dayPrefix) }

// EnsureDays sees to it that each UTC day from the one of from to the one of to,
// both included, has a key that is on disk and that SealDay can use. A day
// whose key was destroyed gets no second one: then nothing is made, and the
// answer is a State fault.
func (s *Store) EnsureDays(ctx context.Context, from, to time.Time) error {
	if err := s.usable(); err != nil {
		return err
	}
	first, last := dayOf(from), dayOf(to)
	if last < first || last-first >= maxDays || dayStart(first).Year() < 1 || dayStart(last).Year() > 9999 {
		return fault.New(fault.Invalid, "key store: day keys from %s to %s: give 1 to %d days in order", from.UTC().Format(time.DateOnly), to.UTC().Format(time.DateOnly), maxDays)
	}
	s.dayWrite.Lock()
	defer s.dayWrite.Unlock()

	found, err := s.loadDays(ctx, s.stmt.daysRead, first, last)
	if err != nil {
		return err
	}
	if int64(len(found)) <= last-first {
		err := s.change(ctx, "add day keys", func(tx *sql.Tx) error {
			// Another process may have been faster since the look from outside.
			if found, err = s.loadDays(ctx, tx.StmtContext(ctx, s.stmt.daysWrite), first, last); err != nil {
				return err
			}
			now := clock.Real{}.Now().Unix()
			for day := first; day <= last; day++ {
				if found[day] != nil {
					continue
				}
				key, wrapped, err := s.secrets.generate(dayID(day))
				if err != nil {
					return err
				}
				if _, err := tx.StmtContext(ctx, s.stmt.insertDay).ExecContext(ctx, day, wrapped, now); err != nil {
					return err
				}
				found[day] = key
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	s.dayRead.Lock()
	defer s.dayRead.Unlock()
	if s.closed.Load() {
		return s.usable()
	}
	for day, key := range found {
		s.days[day] = key
	}
	return nil
}

// forget takes day keys out of SealDay's reach.
func (s *Store) forget(which func(day int64) bool) {
	s.dayRead.Lock()
	defer s.dayRead.Unlock()
	for day := range s.days {
		if which(day) {
			delete(s.days, day)
		}
	}
}

// loadDays reads the keys of a range of days; a destroyed one is a fault.
func (s *Store) loadDays(ctx context.Context, query *sql.Stmt, first, last int64) (map[int64]*dataKey, error) {
	rows, err := query.QueryContext(ctx, first, last)
	if err != nil {
		return nil, s.fault("read day keys", err)
	}
	defer rows.Close()
	found := make(map[int64]*dataKey)
	for rows.Next() {
		var (
			day       int64
			wrapped   []byte
			destroyed bool
		)
		if err := rows.Scan(&day, &wrapped, &destroyed); err != nil {
			return nil, s.fault("read day keys", err)
		}
		if destroyed { // by another process, if it is still in memory here
			s.forget(func(d int64) bool { return d == day })
			return nil, fault.New(fault.State, "key %q was destroyed at the end of its retention, and its day gets no other; seal under a later day", dayID(day))
		}
		if found[day], err = s.secrets.unwrap(dayID(day), wrapped); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.fault("read day keys", err)
	}
	return found, nil
}

// SealDay seals under the key of the UTC day of day. It touches no disk: the key
// must have come from EnsureDays, or the answer is Unavailable.
func (s *Store) SealDay(day time.Time, plain, aad []byte) (*leadv1.Sealed, error) {
	number := dayOf(day)
	s.dayRead.RLock()
	key := s.days[number]
	s.dayRead.RUnlock()
	if key == nil {
		return nil, fault.New(fault.Unavailable, "key %q is not at hand; try again once the day keys are ensured", dayID(number))
	}
	return key.seal(plain, aad), nil
}

// DropDaysBefore destroys the keys of all UTC days before the one of t, and
// answers how many. When it returns without a fault, no file of the store holds
// anything of them. With the keys go the records of recent bodies that no
// delivery of a remaining day can meet. Open finds a destroyed key gone at once
// in every process; SealDay of another process forgets it with that process's
// next EnsureDays or DropDaysBefore, so days still being sealed under must not
// be dropped. After a fault, call it again: it also finishes what an earlier call
// began.
func (s *Store) DropDaysBefore(ctx context.Context, t time.Time) (int, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	before := dayOf(t)
	s.dayWrite.Lock()
	defer s.dayWrite.Unlock()

	// Out of memory first: nothing may be sealed under a key that is being
	// destroyed.
	s.forget(func(day int64) bool { return day < before })

	var dropped int64
	err := s.change(ctx, "destroy day keys", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE day_keys SET wrapped = zeroblob(length(wrapped)), destroyed = 1 WHERE day < ? AND destroyed = 0", before)
		if err != nil {
			return err
		}
		if dropped, err = result.RowsAffected(); err != nil {
			return err
		}
		if oldest, ok := nanos(dayStart(before).Add(-bodyWindow)); ok {
			_, err = tx.ExecContext(ctx, "DELETE FROM recent_bodies WHERE received_at <= ?", oldest)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	done, err := s.checkpoint(ctx, "TRUNCATE")
	if err != nil {
		return int(dropped), err
	}
	if !done {
		return int(dropped), fault.New(fault.Unavailable, "key store %s: the day keys are destroyed, but the write-ahead log could not be cut while others use it; call again", s.path)
	}
	return int(dropped), nil
}

// openDayKey reads the key of a day from disk, whatever memory holds, so that a
// key destroyed by any process opens nothing in another.
func (s *Store) openDayKey(ctx context.Context, id string) (*dataKey, error) {
	day, ok := dayOfID(id)
	if !ok {
		return nil, fault.New(fault.Corrupt, "key %q is not the name of a day key; check the record that holds it", id)
	}
	var (
		wrapped   []byte
		destroyed bool
	)
	err := s.stmt.dayRead.QueryRowContext(ctx, day).Scan(&wrapped, &destroyed)
	return s.found(id, wrapped, destroyed, err)
}

// found turns the row of a key into the key.
func (s *Store) found(id string, wrapped []byte, destroyed bool, err error) (*dataKey, error) {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fault.New(fault.NotFound, "key %q is not in the key store %s; what it sealed cannot be read here", id, s.path)
	case err != nil:
		return nil, s.fault("read key", err)
	case destroyed:
		return nil, fault.New(fault.NotFound, "key %q was destroyed; what it sealed is erased", id)
	}
	return s.secrets.unwrap(id, wrapped)
}
