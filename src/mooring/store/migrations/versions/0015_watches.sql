CREATE TABLE watches (                                -- servers that are looked at until they let us in, and after
    id             text PRIMARY KEY,
    application_id text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    diagnosis_id   text REFERENCES diagnoses (id) ON DELETE SET NULL,
    environment    text NOT NULL,                     -- whose addresses it is about: who looks leaves by that pool
    question       jsonb NOT NULL,
    standing       jsonb NOT NULL,                    -- what it knows
    state          text NOT NULL CHECK (state IN ('waiting', 'open', 'expired', 'ended')),
    authentication text NOT NULL DEFAULT 'none'
        CHECK (authentication IN ('none', 'wanted', 'trying', 'done', 'refused', 'failed')),
    request        bytea,                             -- the account to connect, sealed; erased when that is over
    subject        text NOT NULL DEFAULT '',          -- of that account
    tries          integer NOT NULL DEFAULT 0,
    tried_at       timestamptz,
    grant_id       text REFERENCES grants (id) ON DELETE SET NULL,
    error          text NOT NULL DEFAULT '',
    look           bigint NOT NULL DEFAULT 0,         -- counts up whenever somebody begins to look
    told           bigint NOT NULL DEFAULT 0,         -- the number of the last row of watch_changes
    due_at         timestamptz,                       -- the next look; null: it has ended
    created_at     timestamptz NOT NULL DEFAULT now(),
    ended_at       timestamptz
);
CREATE INDEX watches_due ON watches (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX watches_application ON watches (application_id, created_at DESC, id DESC);
CREATE INDEX watches_diagnosis ON watches (diagnosis_id) WHERE diagnosis_id IS NOT NULL;
CREATE INDEX watches_grant ON watches (grant_id) WHERE grant_id IS NOT NULL;

CREATE TABLE watch_changes (                          -- what has changed, in order
    watch_id text NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    number   bigint NOT NULL,
    data     jsonb NOT NULL,
    PRIMARY KEY (watch_id, number)
);

CREATE TABLE raised (                                 -- failures of accounts that a verdict was looked for by itself
    grant_id     text PRIMARY KEY REFERENCES grants (id) ON DELETE CASCADE,
    failure      text NOT NULL,                       -- what fails where, so that another failure is known as one
    since        timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL,                -- not looked at again before
    code         text NOT NULL DEFAULT '',            -- the verdict that was told
    diagnosis_id text REFERENCES diagnoses (id) ON DELETE SET NULL
);
CREATE INDEX raised_due ON raised (due_at);
CREATE INDEX raised_diagnosis ON raised (diagnosis_id) WHERE diagnosis_id IS NOT NULL;
CREATE INDEX grants_failing ON grants (id) WHERE sync_error IS NOT NULL;
