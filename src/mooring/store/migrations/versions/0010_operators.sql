CREATE TABLE operators (
    id             text PRIMARY KEY,
    name           text NOT NULL,
    role           text NOT NULL CHECK (role IN ('operator', 'admin')),
    application_id text REFERENCES applications (id) ON DELETE CASCADE,
    password       text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((role = 'admin') = (application_id IS NOT NULL))
);
CREATE UNIQUE INDEX operators_name ON operators (lower(name));

CREATE TABLE operator_sessions (
    hash        bytea PRIMARY KEY,
    operator_id text NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX operator_sessions_operator ON operator_sessions (operator_id);
