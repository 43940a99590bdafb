CREATE TABLE diagnoses (
    id             text PRIMARY KEY,
    application_id text REFERENCES applications (id) ON DELETE CASCADE,  -- null: an operator asked
    grant_id       text REFERENCES grants (id) ON DELETE CASCADE,        -- null: about no grant
    by             text NOT NULL,
    scope          text NOT NULL,                     -- such as v3-us: who carries it out leaves by those pools
    state          text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    question       jsonb NOT NULL,
    secrets        bytea,                             -- sealed; erased when it ends
    verdict        jsonb,
    evidence       jsonb,
    error          jsonb,
    holder         text,                              -- a row of holders: who carries it out, as long as that lives
    run            integer NOT NULL DEFAULT 0,        -- counts up whenever somebody begins it
    told           bigint NOT NULL DEFAULT 0,         -- the number of the last row of diagnosis_progress
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at     timestamptz,
    ended_at       timestamptz
);
CREATE INDEX diagnoses_open ON diagnoses (created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX diagnoses_application ON diagnoses (application_id, created_at DESC, id DESC);
CREATE INDEX diagnoses_grant ON diagnoses (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX diagnoses_created ON diagnoses (created_at DESC, id DESC);

CREATE TABLE diagnosis_progress (                     -- what is told to those who follow a diagnosis
    diagnosis_id text NOT NULL REFERENCES diagnoses (id) ON DELETE CASCADE,
    number       bigint NOT NULL,
    data         jsonb NOT NULL,
    PRIMARY KEY (diagnosis_id, number)
);

CREATE TABLE probe_counts (                           -- connections that probes were allowed, as long as they count
    server  text NOT NULL,                            -- the address
    id      bigint GENERATED ALWAYS AS IDENTITY,
    source  text NOT NULL,
    service text NOT NULL,
    port    integer NOT NULL,
    host    text NOT NULL,
    tls     text NOT NULL,                            -- the mode that was asked for; '': found out
    login   bytea,                                    -- who would be logged in, as a keyed hash; null: nobody
    became  text NOT NULL DEFAULT 'pending',          -- diagnosis/gentle/budget.py has them all
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (server, id)
);
CREATE INDEX probe_counts_login ON probe_counts (login, at) WHERE login IS NOT NULL;
CREATE INDEX probe_counts_at ON probe_counts (at);

CREATE TABLE probe_facts (                            -- what a probe saw of a server a moment ago; nothing of a user
    server      text NOT NULL,
    id          bigint NOT NULL,                      -- of the connection that saw it, in probe_counts
    source      text NOT NULL,
    service     text NOT NULL,
    port        integer NOT NULL,
    host        text NOT NULL,
    tls         text NOT NULL,
    observation jsonb NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (server, id)
);
CREATE INDEX probe_facts_at ON probe_facts (at);
