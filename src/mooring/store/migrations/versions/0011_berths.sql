CREATE TABLE berth_shares (                           -- one row for each living process that dials mail servers
    process      text PRIMARY KEY,
    part         text NOT NULL CHECK (part IN ('people', 'sync')),
    environments text[],                              -- that it leaves by; null: all
    counts       jsonb NOT NULL DEFAULT '{}',         -- source → [berths taken, waited for], for /metrics
    expires_at   timestamptz NOT NULL
);
