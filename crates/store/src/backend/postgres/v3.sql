-- The hash chain: each line carries the hash of the one before in its lane, the lane the newest. What is there already is
-- linked by the program, right after this and in the same transaction.
ALTER TABLE integration_lanes ADD COLUMN lines BIGINT NOT NULL DEFAULT 0;
ALTER TABLE integration_lanes ADD COLUMN tip BYTEA NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE integration_events ADD COLUMN line BIGINT NOT NULL DEFAULT 0;
ALTER TABLE integration_events ADD COLUMN body BYTEA NOT NULL DEFAULT '';
ALTER TABLE integration_events ADD COLUMN link BYTEA NOT NULL DEFAULT '';

-- The highest key of a lane without a walk through the lane.
CREATE INDEX integration_entries_keys ON integration_entries (outbox, lane, key);
