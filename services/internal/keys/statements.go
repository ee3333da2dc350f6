package keys

import (
	"context"
	"database/sql"
)

// statements are prepared once. Those that change something, or look before a
// change, belong to the writing connection and run in its transaction only.
type statements struct {
	dayRead, daysRead, keyRead, matchRead *sql.Stmt

	daysWrite, insertDay              *sql.Stmt
	keyWrite, insertKey               *sql.Stmt
	owner, insertOwner                *sql.Stmt
	match, insertMatch                *sql.Stmt
	insertPerson, personRow           *sql.Stmt
	likeness, candidates              *sql.Stmt
	insertLikeness, insertBlocks      *sql.Stmt
	bodyOfLead, firstBody, insertBody *sql.Stmt
}

func (s *Store) prepare(ctx context.Context) error {
	const days = "SELECT day, wrapped, destroyed FROM day_keys WHERE day BETWEEN ? AND ?"
	for _, p := range []struct {
		into **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&s.stmt.dayRead, s.read, "SELECT wrapped, destroyed FROM day_keys WHERE day = ?"},
		{&s.stmt.daysRead, s.read, days},
		{&s.stmt.keyRead, s.read, "SELECT wrapped, destroyed FROM data_keys WHERE key_id = ?"},
		{&s.stmt.matchRead, s.read, "SELECT p.person_id FROM match_keys m JOIN persons p ON p.id = m.person WHERE m.mac = ?"},

		{&s.stmt.daysWrite, s.write, days},
		{&s.stmt.insertDay, s.write, "INSERT INTO day_keys (day, wrapped, created_at) VALUES (?, ?, ?)"},
		{&s.stmt.keyWrite, s.write, "SELECT id, wrapped, destroyed FROM data_keys WHERE key_id = ?"},
		{&s.stmt.insertKey, s.write, "INSERT INTO data_keys (key_id, wrapped, created_at) VALUES (?, ?, ?)"},
		{&s.stmt.owner, s.write, "SELECT p.id, p.person_id, k.matched_by, k.confidence, coalesce(o.person_id, ''), k.other_confidence, k.other_alike FROM key_persons k JOIN persons p ON p.id = k.person LEFT JOIN persons o ON o.id = k.other WHERE k.data_key = ?"},
		{&s.stmt.insertOwner, s.write, "INSERT INTO key_persons (data_key, person, matched_by, confidence, other, other_confidence, other_alike) VALUES (?, ?, ?, ?, nullif(?, 0), ?, ?)"},
		{&s.stmt.match, s.write, "SELECT p.id, p.person_id FROM match_keys m JOIN persons p ON p.id = m.person WHERE m.mac = ?"},
		{&s.stmt.insertMatch, s.write, "INSERT INTO match_keys (kind, mac, person) VALUES (?, ?, ?)"},
		{&s.stmt.insertPerson, s.write, "INSERT INTO persons (person_id, created_at) VALUES (?, ?)"},
		{&s.stmt.likeness, s.write, "SELECT 1 FROM likenesses WHERE person = ? AND mac = ?"},
		{&s.stmt.candidates, s.write, candidatesQuery()},
		{&s.stmt.insertLikeness, s.write, "INSERT INTO likenesses (data_key, person, mac, sealed, blocks) VALUES (?, ?, ?, ?, ?)"},
		{&s.stmt.insertBlocks, s.write, insertBlocksQuery()},
		{&s.stmt.personRow, s.write, "SELECT id, person_id FROM persons WHERE person_id = ?"},
		{&s.stmt.bodyOfLead, s.write, "SELECT first_lead_id FROM recent_bodies WHERE lead_id = ?"},
		{&s.stmt.firstBody, s.write, "SELECT lead_id FROM recent_bodies WHERE lead_id = first_lead_id AND source_id = ? AND mac = ? AND received_at > ? AND received_at <= ? ORDER BY received_at, id LIMIT 1"},
		{&s.stmt.insertBody, s.write, "INSERT INTO recent_bodies (lead_id, source_id, mac, received_at, first_lead_id, person) VALUES (?, ?, ?, ?, ?, ?)"},
	} {
		stmt, err := p.db.PrepareContext(ctx, p.text)
		if err != nil {
			return s.fault("prepare", err)
		}
		*p.into = stmt
	}
	return nil
}
