-- What version 2 of the schema left behind: one outbox, one entry, in flight. Never to be changed.
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

UPDATE integration_schema SET version = 2;
SELECT nextval('integration_turns');
INSERT INTO integration_lanes VALUES ('documents', 'J-1/01', 1, 'then', 1700000000000000, 120000000, 1);
INSERT INTO integration_entries (outbox, lane, key, state, body, data, version, created, changed, checksum) VALUES
    ('documents', 'J-1/01', 'J-1/01/7', 1, '\x7b226e223a377d', '', 2, 1700000000000000, 1700000000500000, 4369531228888772733);
INSERT INTO integration_events (entry, at, worker, state, testimony, data) VALUES
    (1, 1700000000000000, 'then', 0, FALSE, ''),
    (1, 1700000000500000, 'then', 1, FALSE, '');
