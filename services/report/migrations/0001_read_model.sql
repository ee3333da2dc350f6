-- Instants are whole nanoseconds since 1970 in UTC; NULL = has not happened.
-- Nothing in these tables is personal.

CREATE TABLE position (
  id BIGINT PRIMARY KEY,
  ledger_id TEXT NOT NULL,
  sequence BIGINT NOT NULL
);

INSERT INTO position (id, ledger_id, sequence) VALUES (1, '', 0);

CREATE TABLE leads (
  lead_id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  stage TEXT NOT NULL,
  source TEXT NOT NULL,
  source_id TEXT NOT NULL,
  submission_id TEXT NOT NULL,
  signed BOOLEAN NOT NULL,
  historical BOOLEAN NOT NULL,
  needs_mapping BOOLEAN NOT NULL,
  conflict BOOLEAN NOT NULL,
  received_at BIGINT,
  country TEXT NOT NULL,
  employees BIGINT NOT NULL,
  industry TEXT NOT NULL,
  person_role TEXT NOT NULL,
  product TEXT NOT NULL,
  language TEXT NOT NULL,
  contact_wish TEXT NOT NULL,
  utm_source TEXT NOT NULL,
  utm_medium TEXT NOT NULL,
  campaign TEXT NOT NULL,
  person_id TEXT NOT NULL,
  definition BIGINT NOT NULL,
  agreement_version BIGINT NOT NULL,
  persona TEXT NOT NULL,
  pool TEXT NOT NULL,
  pool_group TEXT NOT NULL,
  rule TEXT NOT NULL,
  owner TEXT NOT NULL,
  offered_to TEXT NOT NULL,
  take_by BIGINT,
  offers BIGINT NOT NULL,
  blocked_by TEXT NOT NULL,
  blocked_text TEXT NOT NULL,
  waiting_since BIGINT,
  recheck_at BIGINT,
  refused_reason TEXT NOT NULL,
  refused_at BIGINT,
  mql_at BIGINT,
  sal_at BIGINT,
  sql_at BIGINT,
  offered_at BIGINT,
  accepted_at BIGINT,
  owned_since BIGINT,
  rejected_at BIGINT,
  first_touch_at BIGINT,
  won_at BIGINT,
  lost_at BIGINT,
  closed_at BIGINT,
  reason TEXT NOT NULL,
  rejections BIGINT NOT NULL,
  repeats BIGINT NOT NULL,
  revisions BIGINT NOT NULL,
  joined BIGINT NOT NULL,
  touches BIGINT NOT NULL,
  value_minor BIGINT NOT NULL,
  currency TEXT NOT NULL,
  failure TEXT NOT NULL,
  failed_service TEXT NOT NULL,
  events BIGINT NOT NULL,
  first_sequence BIGINT NOT NULL,
  last_sequence BIGINT NOT NULL,
  last_recorded_at BIGINT
);

CREATE INDEX leads_received ON leads (received_at, lead_id);

CREATE INDEX leads_state ON leads (state, received_at);

CREATE INDEX leads_owner ON leads (owner);

CREATE INDEX leads_offered_to ON leads (offered_to);

-- One row for each event that moved a lead: how it stood from then on.
CREATE TABLE stage_history (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  occurred_at BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  event TEXT NOT NULL,
  state TEXT NOT NULL,
  stage TEXT NOT NULL,
  definition BIGINT NOT NULL,
  persona TEXT NOT NULL,
  pool TEXT NOT NULL,
  owner TEXT NOT NULL,
  offered_to TEXT NOT NULL,
  blocked_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

-- One row for each time a lead was given to a member.
CREATE TABLE assignments (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  offer BIGINT NOT NULL,
  member TEXT NOT NULL,
  pool TEXT NOT NULL,
  pool_group TEXT NOT NULL,
  rule TEXT NOT NULL,
  turn TEXT NOT NULL,
  agreement_version BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  offered_at BIGINT,
  take_by BIGINT,
  ended_at BIGINT,
  released_at BIGINT,
  active BOOLEAN NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

-- One row for each further delivery of a submission that was kept already.
CREATE TABLE duplicates (
  lead_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  occurred_at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  PRIMARY KEY (lead_id, sequence)
);

CREATE VIEW v_leads AS
SELECT lead_id, state, stage, source, signed, historical, needs_mapping, conflict,
  {{instant "received_at"}} AS received_at,
  country, employees, industry, person_role, product, language, contact_wish,
  utm_source, utm_medium, campaign, person_id, definition, agreement_version, persona,
  pool, owner, offered_to, offers, blocked_by, refused_reason,
  {{instant "refused_at"}} AS refused_at,
  {{instant "mql_at"}} AS mql_at,
  {{instant "sal_at"}} AS sal_at,
  {{instant "sql_at"}} AS sql_at,
  {{instant "offered_at"}} AS first_offered_at,
  {{instant "accepted_at"}} AS first_accepted_at,
  {{instant "rejected_at"}} AS first_rejected_at,
  {{instant "first_touch_at"}} AS first_touch_at,
  {{instant "won_at"}} AS won_at,
  {{instant "lost_at"}} AS lost_at,
  reason, rejections, repeats + revisions + joined AS duplicates, touches,
  value_minor, currency, failure, last_sequence
FROM leads
WHERE received_at IS NOT NULL;

CREATE VIEW v_stage_history AS
SELECT lead_id, sequence,
  {{instant "occurred_at"}} AS occurred_at,
  {{instant "recorded_at"}} AS recorded_at,
  event, state, stage, definition, persona, pool, owner, offered_to, blocked_by, reason
FROM stage_history;

CREATE VIEW v_speed_to_lead AS
SELECT lead_id, source, campaign, country, persona, pool, owner, definition, historical,
  {{instant "received_at"}} AS received_at,
  {{instant "first_touch_at"}} AS first_touch_at,
  (CASE WHEN first_touch_at < received_at THEN 0 ELSE first_touch_at - received_at END) / 1000000000.0 AS seconds,
  CASE
    WHEN first_touch_at IS NULL THEN 'unanswered'
    WHEN first_touch_at - received_at <= 3600000000000 THEN 'up_to_1h'
    WHEN first_touch_at - received_at <= 86400000000000 THEN 'from_1h_to_24h'
    ELSE 'over_24h'
  END AS bucket
FROM leads
WHERE received_at IS NOT NULL AND state <> 'refused';

CREATE VIEW v_assignments AS
SELECT lead_id, sequence, offer, member, pool, pool_group, rule, turn, agreement_version, outcome, reason,
  {{instant "offered_at"}} AS offered_at,
  {{instant "take_by"}} AS take_by,
  {{instant "ended_at"}} AS ended_at,
  {{instant "released_at"}} AS released_at,
  active
FROM assignments;
