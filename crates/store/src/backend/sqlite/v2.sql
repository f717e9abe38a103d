-- Search by date without a walk through the whole outbox.
CREATE INDEX integration_entries_created ON integration_entries (outbox, created);
