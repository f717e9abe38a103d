-- What version 3 of the schema left behind: one outbox, one entry, in flight. Never to be changed.
CREATE TABLE integration_schema (
    application TEXT NOT NULL,
    version     BIGINT NOT NULL
);
INSERT INTO integration_schema VALUES ('integration-store', 0);

CREATE SEQUENCE integration_turns;

CREATE TABLE integration_lanes (
    outbox  TEXT COLLATE "C" NOT NULL,
    lane    TEXT COLLATE "C" NOT NULL,
    fence   BIGINT NOT NULL DEFAULT 0,
    worker  TEXT,
    granted BIGINT NOT NULL DEFAULT 0,
    ttl     BIGINT NOT NULL DEFAULT 0,
    turn    BIGINT,
    PRIMARY KEY (outbox, lane)
);
CREATE INDEX integration_lanes_queue ON integration_lanes (outbox, turn) WHERE turn IS NOT NULL;

CREATE TABLE integration_entries (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outbox   TEXT COLLATE "C" NOT NULL,
    lane     TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    state    BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    data     BYTEA NOT NULL,
    version  BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    changed  BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    UNIQUE (outbox, key),
    FOREIGN KEY (outbox, lane) REFERENCES integration_lanes (outbox, lane)
);
CREATE INDEX integration_entries_lane ON integration_entries (outbox, lane, state, id);
CREATE INDEX integration_entries_state ON integration_entries (outbox, state, id) WHERE state <> 2;

CREATE TABLE integration_events (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry     BIGINT NOT NULL REFERENCES integration_entries (id),
    at        BIGINT NOT NULL,
    worker    TEXT NOT NULL,
    state     BIGINT NOT NULL,
    testimony BOOLEAN NOT NULL,
    data      BYTEA NOT NULL
);
CREATE INDEX integration_events_entry ON integration_events (entry, id);

CREATE TABLE integration_inbox (
    inbox TEXT COLLATE "C" NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (inbox, key)
);
CREATE INDEX integration_inbox_until ON integration_inbox (inbox, until);

CREATE TABLE integration_checkpoints (
    name     TEXT COLLATE "C" PRIMARY KEY,
    cursor   BYTEA NOT NULL,
    version  BIGINT NOT NULL,
    checksum BIGINT NOT NULL
);

CREATE TABLE integration_records (
    name       TEXT COLLATE "C" NOT NULL REFERENCES integration_checkpoints (name),
    collection TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    value      BYTEA NOT NULL,
    checksum   BIGINT NOT NULL,
    PRIMARY KEY (name, collection, key)
);

-- Search by date without a walk through the whole outbox.
CREATE INDEX integration_entries_created ON integration_entries (outbox, created);

UPDATE integration_schema SET version = 3;
SELECT nextval('integration_turns');
INSERT INTO integration_lanes VALUES ('documents', 'J-1/01', 1, 'then', 1700000000000000, 120000000, 1);
INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum) VALUES
    ('documents', 'J-1/01', 'J-1/01/7', 1, '\x7b226e223a377d', '', 2, 1700000000000000, 1700000000500000, 4369531228888772733);
INSERT INTO integration_events (entry, at, worker, state, testimony, data) VALUES
    (1, 1700000000000000, 'then', 0, FALSE, ''),
    (1, 1700000000500000, 'then', 1, FALSE, '');

-- The hash chain: each line carries the hash of the one before in its lane, the lane the newest. What is there already is
-- linked by the program, right after this and in the same transaction.
ALTER TABLE integration_lanes ADD COLUMN lines BIGINT NOT NULL DEFAULT 0;
ALTER TABLE integration_lanes ADD COLUMN tip BYTEA NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE integration_events ADD COLUMN line BIGINT NOT NULL DEFAULT 0;
ALTER TABLE integration_events ADD COLUMN body BYTEA NOT NULL DEFAULT '';
ALTER TABLE integration_events ADD COLUMN link BYTEA NOT NULL DEFAULT '';

-- The highest key of a lane without a walk through the lane.
CREATE INDEX integration_entries_keys ON integration_entries (outbox, lane, key);

UPDATE integration_lanes SET lines = 2, tip = '\x7465c894291c901a1528bc508c968f234a49c0de4b4d8e4b528ad0d755b9f7c9';
UPDATE integration_events SET line = 1, body = '\x1dd42de9287c1b6a96c617376c0df6b8304485783ed0b4803f1aac0f119471a5', link = '\x86bcdf619fa28b6c2539539c106ab066bd088f2a65bfd2da6bc953f4b9633149' WHERE id = 1;
UPDATE integration_events SET line = 2, body = '\x1dd42de9287c1b6a96c617376c0df6b8304485783ed0b4803f1aac0f119471a5', link = '\x7465c894291c901a1528bc508c968f234a49c0de4b4d8e4b528ad0d755b9f7c9' WHERE id = 2;
