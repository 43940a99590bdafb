-- Stopping, and moving between environments (spec S9 to S13, B8).
ALTER TABLE grants
    ADD COLUMN stopped_at timestamptz,                -- null: synchronised; else nothing is dialled for it since then
    ADD COLUMN landmarks  jsonb;                      -- folder → [UIDVALIDITY, UIDNEXT] at the first authentication of an
                                                      -- account that was stopped by it: what came after that is news

ALTER TABLE applications
    ADD COLUMN migration_mode text CHECK (migration_mode IN ('direct', 'staged')),  -- null: as the policy says
    ADD COLUMN predecessor_id text REFERENCES applications (id);

CREATE TABLE batches (                                -- moves of one application's accounts, begun together
    application_id text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    id             text NOT NULL,
    target         text NOT NULL CHECK (target IN ('dynamic', 'static')),
    state          text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'rolled_back')),
    by             text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (application_id, id)
);

CREATE TABLE moves (
    grant_id       text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id             text NOT NULL,
    application_id text NOT NULL,
    batch_id       text,
    mode           text NOT NULL CHECK (mode IN ('direct', 'staged')),
    target         text NOT NULL CHECK (target IN ('dynamic', 'static')),
    environment    text NOT NULL,                     -- of the target: who carries out the move serves it
    server         text NOT NULL,                     -- the mail server's name: moves are paced for each
    dry_run        boolean NOT NULL DEFAULT false,
    state          text NOT NULL,                     -- moves/states.py has them all
    by             text NOT NULL,
    error          jsonb,                             -- why it did not come about
    warnings       text[] NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT now(),
    due_at         timestamptz,                       -- staged: before this nothing starts the account again
    offered_at     timestamptz,                       -- direct: its turn has come
    ended_at       timestamptz,
    PRIMARY KEY (grant_id, id)
);
CREATE UNIQUE INDEX moves_open ON moves (grant_id) WHERE ended_at IS NULL;
CREATE INDEX moves_waiting ON moves (server) WHERE ended_at IS NULL AND mode = 'direct';
CREATE INDEX moves_under_way ON moves (application_id) WHERE ended_at IS NULL;
CREATE INDEX moves_batch ON moves (batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE move_steps (                             -- what became of a move, step by step
    grant_id text NOT NULL,
    move_id  text NOT NULL,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    step     text NOT NULL,
    state    text NOT NULL,                           -- that it led to
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    detail   text NOT NULL DEFAULT '',
    PRIMARY KEY (grant_id, move_id, number),
    FOREIGN KEY (grant_id, move_id) REFERENCES moves (grant_id, id) ON DELETE CASCADE
);

CREATE TABLE servers_seen (                           -- the mail server as the last session that synchronised found it
    grant_id        text PRIMARY KEY REFERENCES grants (id) ON DELETE CASCADE,
    remote          text NOT NULL,
    certificate_key bytea NOT NULL,                   -- SHA-256 of its SubjectPublicKeyInfo
    capabilities    text[] NOT NULL,
    uid_validity    bigint,                           -- of the inbox
    seen_at         timestamptz NOT NULL DEFAULT now()
);
