-- What is new here stands in the log alone, so the tables are folded again from its
-- beginning; a read model of no log is emptied first.
UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- What happened to each lead as its clocks see it, and what they said: a line for each.
CREATE TABLE courses (
  lead_id TEXT PRIMARY KEY,
  course TEXT NOT NULL
);

CREATE INDEX turn_adjustments_lead ON turn_adjustments (lead_id);
