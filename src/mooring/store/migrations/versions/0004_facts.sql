-- Facts that are delivered: webhooks, their lanes over the outbox, every attempt, and what is delivered apart.

-- events ------------------------------------------------------------------------------------------
ALTER TABLE outbox_sequences ADD COLUMN application_id text NOT NULL DEFAULT '';
UPDATE outbox_sequences s SET application_id = o.application_id
    FROM outbox o WHERE o.grant_id = s.grant_id AND o.sequence = s.last;
ALTER TABLE outbox_sequences ALTER COLUMN application_id DROP DEFAULT;
CREATE INDEX outbox_sequences_application ON outbox_sequences (application_id);
CREATE INDEX outbox_at ON outbox (at);

-- webhooks ----------------------------------------------------------------------------------------
CREATE TABLE webhooks (
    id                  text PRIMARY KEY,
    application_id      text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    url                 text NOT NULL,
    description         text NOT NULL DEFAULT '',
    trigger_types       text[] NOT NULL,
    notification_emails text[] NOT NULL DEFAULT '{}',
    secret              bytea NOT NULL,               -- sealed by the key ring; it signs every delivery
    compressed          boolean NOT NULL DEFAULT false,
    ordered             boolean NOT NULL DEFAULT true,
    status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'failing', 'failed', 'pause')),
    status_updated_at   timestamptz NOT NULL DEFAULT now(),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhooks_application ON webhooks (application_id, created_at);

CREATE TABLE lanes (                                  -- how far a webhook has come with one grant's facts
    grant_id   text NOT NULL,
    webhook_id text NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    position   bigint NOT NULL,                       -- with every fact up to this one it is done
    attempts   integer NOT NULL DEFAULT 0,            -- failed tries of the next one …
    refusals   integer NOT NULL DEFAULT 0,            -- … those of them that the endpoint answered …
    due_at     timestamptz,                           -- … and it is not tried again before this
    PRIMARY KEY (grant_id, webhook_id)
);
CREATE INDEX lanes_webhook ON lanes (webhook_id);

CREATE TABLE parked (                                 -- facts that are delivered apart from their lane's order
    grant_id   text NOT NULL,
    webhook_id text NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    sequence   bigint NOT NULL,
    attempts   integer NOT NULL,
    refusals   integer NOT NULL,
    due_at     timestamptz,                           -- null: a dead letter, until somebody has it sent again
    reason     text NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grant_id, webhook_id, sequence)
);
CREATE INDEX parked_due ON parked (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX parked_dead ON parked (webhook_id, parked_at, grant_id, sequence) WHERE due_at IS NULL;

CREATE TABLE attempts (                               -- every try to deliver a fact
    grant_id    text NOT NULL,
    webhook_id  text NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    sequence    bigint NOT NULL,
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms real NOT NULL,
    status      integer,                              -- what the endpoint answered; null: nothing
    reason      text NOT NULL DEFAULT '',             -- why it does not count as taken; '' when it does
    PRIMARY KEY (grant_id, webhook_id, sequence, attempt, at)
);
CREATE INDEX attempts_webhook ON attempts (webhook_id, at DESC);
