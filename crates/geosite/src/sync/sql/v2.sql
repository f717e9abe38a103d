-- The keys and digests of each shelf, a few hundred to a row and ascending: what a full compare reads, in place of a row an
-- element. Either a shelf has no sheet, or its sheets say exactly what its table says; whoever changes elements by hand empties
-- this table afterwards, and the next full run fills it again.
CREATE TABLE geosite_sheets (
    integration TEXT NOT NULL,
    shelf TEXT NOT NULL,
    from_fid BIGINT NOT NULL,
    held BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (integration, shelf, from_fid)
);
-- A program of the first version, which may have the tables open still, must not write elements past the sheets: it reads this column
-- before every such change.
ALTER TABLE geosite_leases RENAME COLUMN last_run TO newest_run;
