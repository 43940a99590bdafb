-- The ground: who uses Mooring, what they connected, where it leaves from, who holds it, what happened.
-- Every table of a grant's data has grant_id first in its key, so that the database can be spread by it.

-- applications ------------------------------------------------------------------------------------
CREATE TABLE organisations (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE applications (
    id                    text PRIMARY KEY,
    organisation_id       text NOT NULL REFERENCES organisations (id),
    name                  text NOT NULL,
    generation            text NOT NULL CHECK (generation IN ('v2', 'v3')),
    region                text NOT NULL,
    static_ips            text NOT NULL DEFAULT 'off' CHECK (static_ips IN ('off', 'requested', 'on', 'denied')),
    static_ips_changed_at timestamptz NOT NULL DEFAULT now(),
    client_secret         bytea,                      -- v2 only, sealed: it signs webhooks
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    hash           bytea PRIMARY KEY,                 -- SHA-256 of a key with 256 random bits
    application_id text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    name           text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_application ON api_keys (application_id);

-- grants ------------------------------------------------------------------------------------------
CREATE TABLE grants (
    id             text PRIMARY KEY,
    application_id text NOT NULL REFERENCES applications (id),
    provider       text NOT NULL,
    email          text NOT NULL,
    mail_domain    text NOT NULL,                     -- registrable domain of the mail host (spec §6.18)
    subject        text NOT NULL,                     -- the identity above as one word; what sticky sources hang on
    environment    text NOT NULL CHECK (environment IN ('dynamic', 'static')),
    status         text NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'invalid')),
    settings       jsonb NOT NULL,                    -- hosts, ports, user names; never a password
    credentials    bytea NOT NULL,                    -- sealed by the key ring
    data_key       bytea NOT NULL,                    -- sealed by the key ring; bodies are encrypted with it
    name           text NOT NULL DEFAULT '',
    state          text NOT NULL DEFAULT '',
    scope          text[] NOT NULL DEFAULT '{}',
    user_agent     text NOT NULL DEFAULT '',
    ip             text NOT NULL DEFAULT '',
    sync_error     jsonb,                             -- the failure that stops synchronisation now, or null
    synced_at      timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (application_id, email, mail_domain)
);
CREATE INDEX grants_subject ON grants (subject);

CREATE TABLE access_tokens (                          -- v2 data calls carry one of these
    hash       bytea PRIMARY KEY,
    grant_id   text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);

CREATE TABLE authorization_codes (                    -- v2 native authentication: authorize, then token
    hash           bytea PRIMARY KEY,
    application_id text NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    grant_id       text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    expires_at     timestamptz NOT NULL
);

-- egress ------------------------------------------------------------------------------------------
CREATE TABLE assignments (                            -- which source a grant keeps (spec B11)
    subject     text NOT NULL,
    environment text NOT NULL,
    family      smallint NOT NULL CHECK (family IN (4, 6)),
    source      text NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, environment, family)
);

CREATE TABLE ledger (
    at             timestamptz NOT NULL,              -- when the intent was written: before any SYN
    id             uuid NOT NULL,
    application_id text NOT NULL,
    subject        text NOT NULL,
    grant_id       text NOT NULL,
    traffic        text NOT NULL,
    environment    text NOT NULL,
    source         text NOT NULL,                     -- the source's name; '' when none could be chosen
    source_address text NOT NULL,                     -- what the far side sees
    via            text NOT NULL,
    reason         text NOT NULL,                     -- why this route, in words
    host           text NOT NULL,
    port           integer NOT NULL,
    remote         text NOT NULL,                     -- the resolved address; '' when it never came to that
    local          text NOT NULL DEFAULT '',          -- our end, as the kernel has it, with the port
    outcome        text NOT NULL CHECK (outcome IN ('intended', 'opened', 'failed', 'not_dialled')),
    phase          text NOT NULL DEFAULT '',
    cause          text NOT NULL DEFAULT '',
    detail         text NOT NULL DEFAULT '',
    resolve_ms     real,
    connect_ms     real,
    tls_ms         real,
    closed_at      timestamptz,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX ledger_subject ON ledger (application_id, subject, at DESC);
CREATE INDEX ledger_host ON ledger (host, at DESC);
CREATE INDEX ledger_source ON ledger (source_address, at DESC);
CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;

-- jobs --------------------------------------------------------------------------------------------
CREATE TABLE holders (                                -- one row for each living process that holds leases
    id         text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE TABLE leases (
    kind       text NOT NULL,
    subject    text NOT NULL,                         -- a mailbox: the grant's id
    scope      text NOT NULL DEFAULT '',              -- an environment: who may claim it
    holder     text,
    generation bigint NOT NULL DEFAULT 0,             -- counts up with every change of hands
    nudges     bigint NOT NULL DEFAULT 0,             -- counts up whenever the holder should look at once
    PRIMARY KEY (kind, subject)
);
CREATE INDEX leases_holder ON leases (holder);

-- events ------------------------------------------------------------------------------------------
CREATE TABLE outbox (
    grant_id       text NOT NULL,
    sequence       bigint NOT NULL,
    application_id text NOT NULL,
    type           text NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    data           jsonb NOT NULL,
    PRIMARY KEY (grant_id, sequence)
);

CREATE TABLE outbox_sequences (
    grant_id text PRIMARY KEY,
    last     bigint NOT NULL
);

-- mail --------------------------------------------------------------------------------------------
CREATE TABLE folders (
    grant_id       text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id             text NOT NULL,
    path           text NOT NULL,                     -- the mailbox's name, decoded
    wire_name      bytea NOT NULL,                    -- as the server spells it
    delimiter      text NOT NULL DEFAULT '',
    attributes     text[] NOT NULL DEFAULT '{}',
    selectable     boolean NOT NULL DEFAULT true,
    uid_validity   bigint,
    uid_next       bigint,
    highest_modseq bigint,
    fetched_at     timestamptz,                       -- null: never fetched as a whole (spec §6.9)
    synced_at      timestamptz,
    complete_at    timestamptz,                       -- null: the window has not been copied to its end yet
    error          jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grant_id, id)
);
CREATE UNIQUE INDEX folders_wire_name ON folders (grant_id, wire_name);

CREATE TABLE packs (                                  -- objects that hold many raw messages
    grant_id   text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id         text NOT NULL,
    bytes      bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grant_id, id)
);

CREATE TABLE messages (
    grant_id          text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id                text NOT NULL,                  -- of the content (spec §6.19)
    thread_id         text NOT NULL,
    message_id_header text NOT NULL DEFAULT '',
    date              bigint NOT NULL,                -- unix seconds: Date, or when the server received it
    subject           text NOT NULL DEFAULT '',
    "from"            json  NOT NULL DEFAULT '[]',
    "to"              json  NOT NULL DEFAULT '[]',
    cc                json  NOT NULL DEFAULT '[]',
    bcc               json  NOT NULL DEFAULT '[]',
    reply_to          json  NOT NULL DEFAULT '[]',
    snippet           text NOT NULL DEFAULT '',
    attachments       json  NOT NULL DEFAULT '[]',
    has_attachments   boolean NOT NULL DEFAULT false,
    body              bytea NOT NULL,                 -- as JSON, compressed, then encrypted with the grant's key
    size              bigint NOT NULL,
    pack              text NOT NULL,
    pack_offset       bigint NOT NULL,
    pack_length       bigint NOT NULL,
    folders           text[] NOT NULL DEFAULT '{}',
    unread            boolean NOT NULL,
    starred           boolean NOT NULL,
    created_at        bigint NOT NULL,
    PRIMARY KEY (grant_id, id)
);
ALTER TABLE messages ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX messages_newest ON messages (grant_id, date DESC, id DESC);
CREATE INDEX messages_thread ON messages (grant_id, thread_id);
CREATE INDEX messages_homeless ON messages (grant_id, date) WHERE folders = '{}';
CREATE INDEX messages_header ON messages (grant_id, message_id_header) WHERE message_id_header <> '';

CREATE TABLE placements (                             -- which message is at which UID of which folder
    grant_id   text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    folder_id  text NOT NULL,
    uid        bigint NOT NULL,
    message_id text NOT NULL,
    date       bigint NOT NULL,
    flags      text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (grant_id, folder_id, uid)
);
CREATE INDEX placements_newest ON placements (grant_id, folder_id, date DESC, message_id DESC);
CREATE INDEX placements_message ON placements (grant_id, message_id);

CREATE TABLE thread_links (                           -- Message-ID → thread; the first assignment stays
    grant_id   text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    header     text NOT NULL,
    thread_id  text NOT NULL,
    PRIMARY KEY (grant_id, header)
);

-- calendars ---------------------------------------------------------------------------------------
CREATE TABLE calendars (
    grant_id    text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id          text NOT NULL,
    url         text NOT NULL,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    timezone    text NOT NULL DEFAULT '',
    hex_color   text NOT NULL DEFAULT '',
    read_only   boolean NOT NULL DEFAULT false,
    is_primary  boolean NOT NULL DEFAULT false,
    ctag        text NOT NULL DEFAULT '',
    sync_token  text NOT NULL DEFAULT '',
    fetched_at  timestamptz,
    synced_at   timestamptz,
    error       jsonb,
    PRIMARY KEY (grant_id, id)
);

CREATE TABLE calendar_objects (                       -- a row for each event, or series, of an iCalendar object
    grant_id    text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    calendar_id text NOT NULL,
    id          text NOT NULL,                        -- the event's id: of the object's URL and the UID
    href        text NOT NULL,
    etag        text NOT NULL,
    uid         text NOT NULL,
    recurring   boolean NOT NULL,
    body        bytea NOT NULL,                       -- the whole iCalendar object, compressed and encrypted
    first_start bigint,                               -- unix seconds it may happen from (null: it never does) …
    last_end    bigint,                               -- … and to; null: without end
    PRIMARY KEY (grant_id, calendar_id, id)
);
ALTER TABLE calendar_objects ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX calendar_objects_earliest ON calendar_objects (grant_id, calendar_id, first_start, id COLLATE "C")
    WHERE NOT recurring;
CREATE INDEX calendar_objects_recurring ON calendar_objects (grant_id, calendar_id) WHERE recurring;

-- send --------------------------------------------------------------------------------------------
CREATE TABLE submissions (
    grant_id          text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    id                text NOT NULL,
    idempotency_key   text,
    request_hash      bytea NOT NULL,
    state             text NOT NULL CHECK (state IN ('intended', 'sending', 'sent', 'refused', 'unknown')),
    given_up_at       timestamptz NOT NULL,           -- intended or sending after this: whoever sent it is gone
    message_id        text NOT NULL,                  -- of the content (spec §6.19)
    message_id_header text NOT NULL,
    raw               bytea,                          -- compressed, encrypted; until the copy in Sent is there
    response          bytea,                          -- the same of the answer; for the next request with this key
    error             jsonb,
    copy_state        text NOT NULL DEFAULT 'none' CHECK (copy_state IN ('none', 'pending', 'done')),
    copy_due_at       timestamptz,
    copy_attempts     integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grant_id, id)
);
ALTER TABLE submissions ALTER COLUMN raw SET STORAGE EXTERNAL, ALTER COLUMN response SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX submissions_idempotency ON submissions (grant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX submissions_copies ON submissions (copy_due_at) WHERE copy_state = 'pending';
CREATE INDEX submissions_under_way ON submissions (given_up_at) WHERE state IN ('intended', 'sending');

-- allowlist ---------------------------------------------------------------------------------------
CREATE TABLE address_lists (                          -- every list that was ever published, the newest last
    environment  text NOT NULL,
    version      bigint NOT NULL,
    addresses    text[] NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment, version)
);
