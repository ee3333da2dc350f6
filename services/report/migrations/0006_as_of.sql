-- How each lead stood as of any moment, by when things occurred. It stands in the log
-- alone, so the tables are folded again from its beginning.
DELETE FROM leads;

DELETE FROM stage_history;

DELETE FROM assignments;

DELETE FROM duplicates;

DELETE FROM agreement_versions;

DELETE FROM turns;

DELETE FROM turn_sets;

DELETE FROM turn_adjustments;

DELETE FROM pool_seats;

DELETE FROM members;

DELETE FROM touches;

DELETE FROM rejections;

DELETE FROM feedback;

DELETE FROM disputes;

DELETE FROM member_places;

UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

ALTER TABLE leads ADD COLUMN stood_at BIGINT;

CREATE TABLE standings (
  lead_id TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  stage TEXT NOT NULL,
  definition BIGINT NOT NULL,
  persona TEXT NOT NULL,
  pool TEXT NOT NULL,
  owner TEXT NOT NULL,
  offered_to TEXT NOT NULL,
  blocked_by TEXT NOT NULL,
  country TEXT NOT NULL,
  employees BIGINT NOT NULL,
  industry TEXT NOT NULL,
  product TEXT NOT NULL,
  purpose TEXT NOT NULL,
  closed_at BIGINT,
  value_minor BIGINT NOT NULL,
  currency TEXT NOT NULL,
  PRIMARY KEY (lead_id, from_at)
);
