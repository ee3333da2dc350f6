-- What is new here stands in the log alone, so the tables are folded again from
-- its beginning.
DELETE FROM leads;

DELETE FROM stage_history;

DELETE FROM assignments;

DELETE FROM duplicates;

UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- Where a lead that is with marketing stands in the agreed plan. nurture_due is
-- NULL where it is not with marketing.
ALTER TABLE leads ADD COLUMN nurture_reason TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN nurture_text TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN nurture_since BIGINT;

ALTER TABLE leads ADD COLUMN nurture_made BIGINT NOT NULL DEFAULT 0;

ALTER TABLE leads ADD COLUMN next_touch TEXT NOT NULL DEFAULT '';

ALTER TABLE leads ADD COLUMN next_touch_due BIGINT;

ALTER TABLE leads ADD COLUMN nurture_due BIGINT;

CREATE INDEX leads_nurture_due ON leads (nurture_due, lead_id);

-- The version of the agreement that first decided the lead, whatever it decided.
ALTER TABLE leads ADD COLUMN decided_by BIGINT NOT NULL DEFAULT 0;

ALTER TABLE leads ADD COLUMN decided_at BIGINT;

-- When it first came back to marketing after it had been qualified.
ALTER TABLE leads ADD COLUMN returned_at BIGINT;

-- Versions of the agreement; in_force_from is NULL until both parties have signed.
CREATE TABLE agreement_versions (
  version BIGINT PRIMARY KEY,
  proposed_at BIGINT NOT NULL,
  in_force_from BIGINT
);

CREATE VIEW v_nurture AS
SELECT lead_id, stage, source, nurture_reason AS reason, nurture_text AS text,
  {{instant "nurture_since"}} AS since,
  nurture_made AS made, next_touch,
  {{instant "next_touch_due"}} AS next_touch_due,
  {{instant "recheck_at"}} AS recheck_at,
  {{instant "nurture_due"}} AS due
FROM leads
WHERE state = 'nurturing';

CREATE VIEW v_definitions AS
SELECT lead_id, source, campaign, historical, decided_by AS version,
  {{instant "received_at"}} AS received_at,
  {{instant "decided_at"}} AS decided_at,
  {{instant "mql_at"}} AS mql_at,
  {{instant "sal_at"}} AS sal_at,
  {{instant "sql_at"}} AS sql_at,
  {{instant "returned_at"}} AS returned_at,
  {{instant "offered_at"}} AS first_offered_at,
  {{instant "accepted_at"}} AS first_accepted_at
FROM leads
WHERE decided_by > 0;

CREATE VIEW v_agreement_versions AS
SELECT version,
  {{instant "proposed_at"}} AS proposed_at,
  {{instant "in_force_from"}} AS in_force_from
FROM agreement_versions;
