-- What version 3 of the schema left behind: one outbox, one entry, in flight. Never to be changed.
CREATE TABLE integration_lanes (
    outbox  TEXT NOT NULL,
    lane    TEXT NOT NULL,
    fence   INTEGER NOT NULL DEFAULT 0,
    worker  TEXT,
    granted INTEGER NOT NULL DEFAULT 0,
    ttl     INTEGER NOT NULL DEFAULT 0,
    turn    INTEGER,
    PRIMARY KEY (outbox, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX integration_lanes_queue ON integration_lanes (outbox, turn) WHERE turn IS NOT NULL;

CREATE TABLE integration_entries (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    outbox   TEXT NOT NULL,
    lane     TEXT NOT NULL,
    key      TEXT NOT NULL,
    state    INTEGER NOT NULL,
    body     BLOB NOT NULL,
    data     BLOB NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (outbox, key),
    FOREIGN KEY (outbox, lane) REFERENCES integration_lanes (outbox, lane)
) STRICT;
CREATE INDEX integration_entries_lane ON integration_entries (outbox, lane, state, id);
CREATE INDEX integration_entries_state ON integration_entries (outbox, state, id) WHERE state <> 2;

CREATE TABLE integration_events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    entry     INTEGER NOT NULL REFERENCES integration_entries (id),
    at        INTEGER NOT NULL,
    worker    TEXT NOT NULL,
    state     INTEGER NOT NULL,
    testimony INTEGER NOT NULL,
    data      BLOB NOT NULL
) STRICT;
CREATE INDEX integration_events_entry ON integration_events (entry, id);

CREATE TABLE integration_inbox (
    inbox TEXT NOT NULL,
    key   TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (inbox, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX integration_inbox_until ON integration_inbox (inbox, until);

CREATE TABLE integration_checkpoints (
    name     TEXT PRIMARY KEY,
    cursor   BLOB NOT NULL,
    version  INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE integration_records (
    name       TEXT NOT NULL REFERENCES integration_checkpoints (name),
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      BLOB NOT NULL,
    checksum   INTEGER NOT NULL,
    PRIMARY KEY (name, collection, key)
) STRICT, WITHOUT ROWID;

-- Search by date without a walk through the whole outbox.
CREATE INDEX integration_entries_created ON integration_entries (outbox, created);

INSERT INTO integration_lanes VALUES ('documents', 'J-1/01', 1, 'then', 1700000000000000, 120000000, 1);
INSERT INTO integration_entries VALUES
    (1, 'documents', 'J-1/01', 'J-1/01/7', 1, x'7b226e223a377d', x'', 2, 1700000000000000, 1700000000500000, 4369531228888772733);
INSERT INTO integration_events VALUES (1, 1, 1700000000000000, 'then', 0, 0, x'');
INSERT INTO integration_events VALUES (2, 1, 1700000000500000, 'then', 1, 0, x'');

-- The hash chain: each line carries the hash of the one before in its lane, the lane the newest. What is there already is
-- linked by the program, right after this and in the same transaction.
ALTER TABLE integration_lanes ADD COLUMN lines INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration_lanes ADD COLUMN tip BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE integration_events ADD COLUMN line INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integration_events ADD COLUMN body BLOB NOT NULL DEFAULT x'';
ALTER TABLE integration_events ADD COLUMN link BLOB NOT NULL DEFAULT x'';

-- The highest key of a lane without a walk through the lane.
CREATE INDEX integration_entries_keys ON integration_entries (outbox, lane, key);

UPDATE integration_lanes SET lines = 2, tip = x'7465c894291c901a1528bc508c968f234a49c0de4b4d8e4b528ad0d755b9f7c9';
UPDATE integration_events SET line = 1, body = x'1dd42de9287c1b6a96c617376c0df6b8304485783ed0b4803f1aac0f119471a5', link = x'86bcdf619fa28b6c2539539c106ab066bd088f2a65bfd2da6bc953f4b9633149' WHERE id = 1;
UPDATE integration_events SET line = 2, body = x'1dd42de9287c1b6a96c617376c0df6b8304485783ed0b4803f1aac0f119471a5', link = x'7465c894291c901a1528bc508c968f234a49c0de4b4d8e4b528ad0d755b9f7c9' WHERE id = 2;
PRAGMA application_id = 1229870151;
PRAGMA user_version = 3;
