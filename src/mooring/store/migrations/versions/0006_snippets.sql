-- A snippet is a piece of a body, and is sealed together with it from now on. The keys are not in the database, so what is
-- stored cannot be sealed here: it goes, and every folder is as if it had never been looked into, so that the next session
-- copies it again, as history. The next session also removes the packs, which no row points to any more.

-- Whoever holds a mailbox knows its folders as they were, and must write no more; it is locked first, as always.
UPDATE leases SET holder = NULL, generation = generation + 1 WHERE kind = 'mailbox';

-- Not DELETE: that would leave the snippets readable in the files until they are vacuumed. thread_links stay, so threads
-- keep their ids; a message has its id of its content.
TRUNCATE messages, placements, packs, passed_over;

UPDATE folders SET uid_validity = NULL, uid_next = NULL, highest_modseq = NULL, fetched_at = NULL, complete_at = NULL,
    synced_at = NULL, error = NULL;

-- content: snippet and body as two lines of JSON, compressed, then encrypted with the grant's key.
ALTER TABLE messages DROP COLUMN snippet;
ALTER TABLE messages RENAME COLUMN body TO content;
