-- Rows that hold a key are appended and never change their size or their
-- place: a destroyed key is overwritten with zeros where it lies. A row that
-- moves can leave its old bytes behind in the unused part of a page, which
-- secure_delete does not always reach.

-- What the database says about itself.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys of the door, one per UTC day. day = days since 1970-01-01.
CREATE TABLE day_keys (
  id         INTEGER PRIMARY KEY,
  day        INTEGER NOT NULL UNIQUE,
  wrapped    BLOB    NOT NULL,
  created_at INTEGER NOT NULL,
  destroyed  INTEGER NOT NULL DEFAULT 0 CHECK (destroyed IN (0, 1))
) STRICT;

-- Keys of submissions, calls and notes.
CREATE TABLE data_keys (
  id         INTEGER PRIMARY KEY,
  key_id     TEXT    NOT NULL UNIQUE,
  wrapped    BLOB    NOT NULL,
  created_at INTEGER NOT NULL,
  destroyed  INTEGER NOT NULL DEFAULT 0 CHECK (destroyed IN (0, 1))
) STRICT;

CREATE TABLE persons (
  id         INTEGER PRIMARY KEY,
  person_id  TEXT    NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

-- Whose key it is, and what matched when it was given to them.
CREATE TABLE key_persons (
  data_key   INTEGER PRIMARY KEY REFERENCES data_keys (id),
  person     INTEGER NOT NULL REFERENCES persons (id),
  matched_by TEXT    NOT NULL CHECK (matched_by IN ('email', 'phone', 'new'))
) STRICT;
CREATE INDEX key_persons_by_person ON key_persons (person);

-- The unique index that hands out persons.
CREATE TABLE match_keys (
  id     INTEGER PRIMARY KEY,
  kind   TEXT    NOT NULL CHECK (kind IN ('email', 'phone')),
  mac    BLOB    NOT NULL UNIQUE,
  person INTEGER NOT NULL REFERENCES persons (id)
) STRICT;
CREATE INDEX match_keys_by_person ON match_keys (person);

-- Bodies that came without an id of the sender's, and what was decided about
-- each lead. received_at = nanoseconds since 1970-01-01.
CREATE TABLE recent_bodies (
  id            INTEGER PRIMARY KEY,
  lead_id       TEXT    NOT NULL UNIQUE,
  source_id     TEXT    NOT NULL,
  mac           BLOB    NOT NULL,
  received_at   INTEGER NOT NULL,
  first_lead_id TEXT    NOT NULL,
  person        INTEGER NOT NULL REFERENCES persons (id)
) STRICT;
CREATE INDEX recent_bodies_first ON recent_bodies (source_id, mac, received_at)
  WHERE lead_id = first_lead_id;
