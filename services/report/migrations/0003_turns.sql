-- What is new here stands in the log alone, so the tables are folded again from
-- its beginning.
DELETE FROM leads;

DELETE FROM stage_history;

DELETE FROM assignments;

DELETE FROM duplicates;

DELETE FROM agreement_versions;

UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- Points at the last qualification that gave any, and how many were needed.
ALTER TABLE leads ADD COLUMN points BIGINT NOT NULL DEFAULT 0;

ALTER TABLE leads ADD COLUMN points_needed BIGINT NOT NULL DEFAULT 0;

-- How good the lead was when it was offered, and who was there by the decision itself.
ALTER TABLE assignments ADD COLUMN stage TEXT NOT NULL DEFAULT '';

ALTER TABLE assignments ADD COLUMN points BIGINT NOT NULL DEFAULT 0;

ALTER TABLE assignments ADD COLUMN points_needed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE assignments ADD COLUMN set_id TEXT NOT NULL DEFAULT '';

-- How the person was found, and whether they declined the lead or gave it back with a
-- reason, which nobody did for them.
ALTER TABLE assignments ADD COLUMN chosen_by TEXT NOT NULL DEFAULT '';

ALTER TABLE assignments ADD COLUMN declined BOOLEAN NOT NULL DEFAULT FALSE;

-- One row for each lead that a pool gave to a person. counted says whether the turn is
-- of the pool's rotation.
CREATE TABLE turns (
  sequence BIGINT NOT NULL,
  step BIGINT NOT NULL,
  at BIGINT,
  pool TEXT NOT NULL,
  lead_id TEXT NOT NULL,
  offer BIGINT NOT NULL,
  kind TEXT NOT NULL,
  counted BOOLEAN NOT NULL,
  member TEXT NOT NULL,
  set_id TEXT NOT NULL,
  PRIMARY KEY (sequence, step)
);

CREATE INDEX turns_pool ON turns (pool, at);

-- Who was there, each set once: member=weight, and behind a bar those on leave whose
-- share was kept for them.
CREATE TABLE turn_sets (
  set_id TEXT PRIMARY KEY,
  seats TEXT NOT NULL
);

-- One row for each change of a person's books: a credit for a bad lead, or a calibration.
-- set_id names those off whose books it is taken.
CREATE TABLE turn_adjustments (
  sequence BIGINT NOT NULL,
  step BIGINT NOT NULL,
  at BIGINT,
  pool TEXT NOT NULL,
  lead_id TEXT NOT NULL,
  member TEXT NOT NULL,
  kind TEXT NOT NULL,
  leads BIGINT NOT NULL,
  set_id TEXT NOT NULL,
  PRIMARY KEY (sequence, step)
);

-- People of the company; removed_at is NULL while they are.
CREATE TABLE members (
  member TEXT PRIMARY KEY,
  roles TEXT NOT NULL,
  added_at BIGINT,
  removed_at BIGINT
);

CREATE VIEW v_turns AS
SELECT t.sequence, t.step, {{instant "t.at"}} AS at, t.pool, t.lead_id, t.offer, t.kind, t.counted, t.member,
  COALESCE(s.seats, '') AS seats
FROM turns t
LEFT JOIN turn_sets s ON s.set_id = t.set_id;

CREATE VIEW v_turn_adjustments AS
SELECT t.sequence, t.step, {{instant "t.at"}} AS at, t.pool, t.lead_id, t.member, t.kind, t.leads,
  COALESCE(s.seats, '') AS others
FROM turn_adjustments t
LEFT JOIN turn_sets s ON s.set_id = t.set_id;
