-- What is new here stands in the log alone, so the tables are folded again from its
-- beginning; a read model of no log is emptied first.
UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- Rides along, by the lead on whose talks somebody listens.
CREATE TABLE rides (
  lead_id TEXT NOT NULL,
  ride_id TEXT NOT NULL,
  member TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  held_at BIGINT,
  PRIMARY KEY (lead_id, ride_id)
);

CREATE VIEW v_rides AS
SELECT lead_id, ride_id, member, {{instant "asked_at"}} AS asked_at, {{instant "held_at"}} AS held_at
FROM rides;
