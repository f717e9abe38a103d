CREATE TABLE geosite_integrations (
    name TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    state TEXT NOT NULL,
    version BIGINT NOT NULL
);
CREATE TABLE geosite_leases (
    integration TEXT PRIMARY KEY,
    worker TEXT,
    until TEXT NOT NULL,
    fence BIGINT NOT NULL,
    last_run BIGINT NOT NULL
);
CREATE TABLE geosite_runs (
    integration TEXT NOT NULL,
    run BIGINT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    outcome TEXT,
    run_trigger TEXT NOT NULL,
    mode TEXT NOT NULL,
    report TEXT NOT NULL,
    plan TEXT NOT NULL,
    PRIMARY KEY (integration, run)
);
CREATE TABLE geosite_checkpoints (
    integration TEXT NOT NULL,
    run BIGINT NOT NULL,
    shelf TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    PRIMARY KEY (integration, run, shelf)
);
CREATE TABLE geosite_candidates (
    integration TEXT NOT NULL,
    run BIGINT NOT NULL,
    shelf TEXT NOT NULL,
    fid BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (integration, run, shelf, fid)
);
CREATE TABLE geosite_cursors (
    integration TEXT NOT NULL,
    feature TEXT NOT NULL,
    changed_since TEXT NOT NULL,
    PRIMARY KEY (integration, feature)
);
-- One table a family, all with the same columns: each begins with the key, and ends with what the synchronisation needs.
CREATE TABLE geosite_splitters (
    integration TEXT NOT NULL,
    fid BIGINT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT,
    name TEXT,
    latitude_e7 BIGINT,
    longitude_e7 BIGINT,
    box_fid BIGINT,
    role TEXT,
    ports BIGINT,
    free_ports BIGINT,
    changed_at TEXT,
    extra TEXT NOT NULL,
    flag TEXT,
    digest BYTEA NOT NULL,
    run BIGINT NOT NULL,
    tombstoned_at TEXT,
    tombstone_reason TEXT,
    PRIMARY KEY (integration, fid)
);
CREATE INDEX geosite_splitters_box ON geosite_splitters (integration, box_fid);
CREATE TABLE geosite_boxes (
    integration TEXT NOT NULL,
    fid BIGINT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT,
    name TEXT,
    latitude_e7 BIGINT,
    longitude_e7 BIGINT,
    ports BIGINT,
    free_ports BIGINT,
    changed_at TEXT,
    extra TEXT NOT NULL,
    flag TEXT,
    digest BYTEA NOT NULL,
    run BIGINT NOT NULL,
    tombstoned_at TEXT,
    tombstone_reason TEXT,
    PRIMARY KEY (integration, fid)
);
CREATE TABLE geosite_customers (
    integration TEXT NOT NULL,
    fid BIGINT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT,
    name TEXT,
    latitude_e7 BIGINT,
    longitude_e7 BIGINT,
    splitter_fid BIGINT,
    document TEXT,
    contract TEXT,
    port BIGINT,
    changed_at TEXT,
    extra TEXT NOT NULL,
    flag TEXT,
    digest BYTEA NOT NULL,
    run BIGINT NOT NULL,
    tombstoned_at TEXT,
    tombstone_reason TEXT,
    PRIMARY KEY (integration, fid)
);
CREATE INDEX geosite_customers_splitter ON geosite_customers (integration, splitter_fid, port);
CREATE INDEX geosite_customers_contract ON geosite_customers (integration, contract);
CREATE TABLE geosite_elements (
    integration TEXT NOT NULL,
    kind TEXT NOT NULL,
    fid BIGINT NOT NULL,
    code TEXT,
    name TEXT,
    latitude_e7 BIGINT,
    longitude_e7 BIGINT,
    changed_at TEXT,
    extra TEXT NOT NULL,
    flag TEXT,
    digest BYTEA NOT NULL,
    run BIGINT NOT NULL,
    tombstoned_at TEXT,
    tombstone_reason TEXT,
    PRIMARY KEY (integration, kind, fid)
);
-- Gravestones are few among many: forgetting the old ones must not walk through the living.
CREATE INDEX geosite_splitters_stones ON geosite_splitters (integration, tombstoned_at) WHERE tombstoned_at IS NOT NULL;
CREATE INDEX geosite_boxes_stones ON geosite_boxes (integration, tombstoned_at) WHERE tombstoned_at IS NOT NULL;
CREATE INDEX geosite_customers_stones ON geosite_customers (integration, tombstoned_at) WHERE tombstoned_at IS NOT NULL;
CREATE INDEX geosite_elements_stones ON geosite_elements (integration, tombstoned_at) WHERE tombstoned_at IS NOT NULL;
-- The ports of service splitters as the plant has them: each row a port, with whoever sits on it. Always in step with the tables
-- that it is made of, and it costs a synchronisation nothing.
CREATE VIEW geosite_ports AS
WITH RECURSIVE numbers (port) AS (
    SELECT CAST(1 AS BIGINT) UNION ALL SELECT port + 1 FROM numbers WHERE port < 256
)
SELECT s.integration, s.fid AS splitter_fid, s.box_fid, n.port,
       c.fid AS customer_fid, c.document, c.contract
FROM geosite_splitters s
JOIN numbers n ON n.port <= s.ports
LEFT JOIN geosite_customers c
       ON c.integration = s.integration AND c.splitter_fid = s.fid AND c.port = n.port AND c.tombstoned_at IS NULL
WHERE s.kind = 'splitterAtendimento' AND s.tombstoned_at IS NULL;
