-- Whose mailbox, at which server, a folder was read from: its UIDs mean nothing in another one.
ALTER TABLE folders ADD COLUMN origin text;
UPDATE folders f SET origin = concat(g.settings #>> '{imap,username}', ' at ', g.settings #>> '{imap,host}')
FROM grants g WHERE g.id = f.grant_id AND f.uid_validity IS NOT NULL;

-- A folder's id is a digest of its name already, and an index takes no name of more than 2.7 KB.
DROP INDEX folders_wire_name;

-- Nobody looks for a message by its Message-ID.
DROP INDEX messages_header;

CREATE TABLE passed_over (                            -- messages that could not be fetched, read or stored
    grant_id  text NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    folder_id text NOT NULL,
    uid       bigint NOT NULL,
    reason    text NOT NULL,                          -- a word or two; nothing of the message
    is_news   boolean NOT NULL,                       -- whether it is announced should it ever come
    strikes   integer NOT NULL DEFAULT 1,
    again_at  timestamptz NOT NULL,                   -- when it is asked for once more
    PRIMARY KEY (grant_id, folder_id, uid)
);
CREATE INDEX passed_over_due ON passed_over (grant_id, again_at);
