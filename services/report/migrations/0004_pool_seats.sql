-- Who was there at the last turn of each pool that is so large that its turns say only
-- what has changed: the set that it was then.
CREATE TABLE pool_seats (
  pool TEXT PRIMARY KEY,
  set_id TEXT NOT NULL
);
