-- Who changed an application's static-IP state, when and why (spec S8).
CREATE TABLE static_ips_changes (
    application_id text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    at             timestamptz NOT NULL DEFAULT now(),
    before         text NOT NULL,
    after          text NOT NULL,
    by             text NOT NULL,                     -- 'application', or 'operator' with a name
    note           text NOT NULL DEFAULT '',
    PRIMARY KEY (application_id, number)
);
