-- A callback is claimed before it is handled: by whom, with which ticket, when. Without a holder it was handled, as everything
-- that is there already.
ALTER TABLE integration_inbox ADD COLUMN holder TEXT;
ALTER TABLE integration_inbox ADD COLUMN token BIGINT NOT NULL DEFAULT 0;
ALTER TABLE integration_inbox ADD COLUMN granted BIGINT NOT NULL DEFAULT 0;
