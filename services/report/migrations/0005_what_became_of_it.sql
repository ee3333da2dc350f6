-- What is new here stands in the log alone, so the tables are folded again from
-- its beginning.
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

UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- What the lead is for, where it came in, how far its deal is, when it was first with
-- marketing, when somebody was first told of it, and whether it was taken before its
-- offer ran out.
ALTER TABLE leads ADD COLUMN purpose TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN landing TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN deal_stage TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN nurtured_at BIGINT;

ALTER TABLE leads ADD COLUMN told_at BIGINT;

ALTER TABLE leads ADD COLUMN in_time_at BIGINT;

-- One row for each act of sales on a lead: a touch or a call.
CREATE TABLE touches (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  at BIGINT,
  recorded_at BIGINT,
  member TEXT NOT NULL,
  channel TEXT NOT NULL,
  direction TEXT NOT NULL,
  disposition TEXT NOT NULL,
  reached BOOLEAN NOT NULL,
  minutes BIGINT NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

-- One row for each time a lead was rejected or given back with a reason.
CREATE TABLE rejections (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  at BIGINT,
  member TEXT NOT NULL,
  pool TEXT NOT NULL,
  reason TEXT NOT NULL,
  consequence TEXT NOT NULL,
  agreement_version BIGINT NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

-- One row for each time somebody said something of a lead; what each said last counts.
-- why, missing and phrases hold one word or phrase a line.
CREATE TABLE feedback (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  at BIGINT,
  member TEXT NOT NULL,
  interest BIGINT NOT NULL,
  ease BIGINT NOT NULL,
  talk TEXT NOT NULL,
  vertical TEXT NOT NULL,
  persona TEXT NOT NULL,
  campaign TEXT NOT NULL,
  why TEXT NOT NULL,
  missing TEXT NOT NULL,
  phrases TEXT NOT NULL,
  agreement_version BIGINT NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

-- One row for each dispute.
CREATE TABLE disputes (
  dispute_id TEXT PRIMARY KEY,
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  opened_at BIGINT,
  party TEXT NOT NULL,
  claim TEXT NOT NULL,
  offer BIGINT NOT NULL,
  agreement_version BIGINT NOT NULL,
  answered_at BIGINT,
  agrees BOOLEAN NOT NULL,
  steps BIGINT NOT NULL,
  decided_at BIGINT,
  verdict TEXT NOT NULL,
  criterion TEXT NOT NULL,
  questionnaire_version TEXT NOT NULL,
  finding TEXT NOT NULL
);

CREATE INDEX disputes_lead ON disputes (lead_id);

-- Where people work, from when on.
CREATE TABLE member_places (
  member TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  team TEXT NOT NULL,
  manager TEXT NOT NULL,
  office TEXT NOT NULL,
  PRIMARY KEY (member, from_at)
);

CREATE VIEW v_touches AS
SELECT lead_id, sequence, {{instant "at"}} AS at, {{instant "recorded_at"}} AS recorded_at, member, channel, direction, disposition, reached, minutes
FROM touches;

CREATE VIEW v_rejections AS
SELECT lead_id, sequence, {{instant "at"}} AS at, member, pool, reason, consequence, agreement_version
FROM rejections;

CREATE VIEW v_feedback AS
SELECT lead_id, sequence, {{instant "at"}} AS at, member, interest, ease, talk, vertical, persona, campaign, why, missing, phrases, agreement_version
FROM feedback;

CREATE VIEW v_disputes AS
SELECT dispute_id, lead_id, {{instant "opened_at"}} AS opened_at, party, claim, agreement_version,
  {{instant "answered_at"}} AS answered_at, agrees, steps,
  {{instant "decided_at"}} AS decided_at, verdict, criterion, questionnaire_version, finding
FROM disputes;

CREATE VIEW v_member_places AS
SELECT member, {{instant "from_at"}} AS from_at, team, manager, office
FROM member_places;
