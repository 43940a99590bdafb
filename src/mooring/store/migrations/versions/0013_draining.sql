CREATE TABLE draining (                               -- sources that nobody is newly placed on
    source text PRIMARY KEY,
    by     text NOT NULL,
    since  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assignments_source ON assignments (source) WHERE released_at IS NULL;

ALTER TABLE moves
    ADD COLUMN leaves text NOT NULL DEFAULT '',       -- the source that is left, within the environment …
    ADD COLUMN takes  text NOT NULL DEFAULT '';       -- … and the one that is kept instead
CREATE INDEX moves_leaves ON moves (leaves, grant_id, created_at DESC) WHERE leaves <> '';
CREATE INDEX grants_newest ON grants (application_id, created_at DESC, id);
