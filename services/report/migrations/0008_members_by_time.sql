-- What is new here stands in the log alone, so the tables are folded again from its
-- beginning; a read model of no log is emptied first.
UPDATE position SET ledger_id = '', sequence = 0 WHERE id = 1;

-- Who was there from when on, and as what; without roles they were gone from then on.
DROP TABLE members;
CREATE TABLE members (
  member TEXT NOT NULL,
  from_at BIGINT NOT NULL,
  roles TEXT NOT NULL,
  PRIMARY KEY (member, from_at)
);
