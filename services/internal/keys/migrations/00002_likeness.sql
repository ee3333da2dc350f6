-- What matched may be a likeness as well: how sure it was, in percent, and who
-- else might be the same person. A matched_by that is not equal is not exact.
CREATE TABLE key_persons_2 (
  data_key    INTEGER PRIMARY KEY REFERENCES data_keys (id),
  person      INTEGER NOT NULL REFERENCES persons (id),
  matched_by  TEXT    NOT NULL CHECK (matched_by IN ('email', 'phone', 'name-and-company', 'new')),
  confidence  INTEGER NOT NULL DEFAULT 0,
  other       INTEGER REFERENCES persons (id),
  other_confidence INTEGER NOT NULL DEFAULT 0,
  other_alike TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO key_persons_2 (data_key, person, matched_by) SELECT data_key, person, matched_by FROM key_persons;
DROP TABLE key_persons;
ALTER TABLE key_persons_2 RENAME TO key_persons;
CREATE INDEX key_persons_by_person ON key_persons (person);

-- What a person is compared by, sealed under the key of the submission that
-- said it: destroying that key erases it. mac = keyed hash of the same, so that
-- a person's likeness is kept once. blocks = the rows of the table below, one
-- behind the other, so that they are found again to be deleted.
CREATE TABLE likenesses (
  data_key INTEGER PRIMARY KEY REFERENCES data_keys (id),
  person   INTEGER NOT NULL REFERENCES persons (id),
  mac      BLOB    NOT NULL,
  sealed   BLOB    NOT NULL,
  blocks   BLOB    NOT NULL,
  UNIQUE (person, mac)
) STRICT;

-- By what candidates are found: keyed hashes, the person's match keys like the
-- others. likeness = its data_key.
CREATE TABLE blocks (
  mac      BLOB    NOT NULL,
  likeness INTEGER NOT NULL,
  PRIMARY KEY (mac, likeness)
) STRICT, WITHOUT ROWID;
