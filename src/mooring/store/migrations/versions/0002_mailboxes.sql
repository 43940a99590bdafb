-- Whose mailbox, at which server, a folder was read from: its UIDs mean nothing in another one.
ALTER TABLE folders ADD COLUMN origin text;
UPDATE folders f SET origin = concat(g.settings #>> '{imap,username}', ' at ', g.settings #>> '{imap,host}')
FROM grants g WHERE g.id = f.grant_id AND f.uid_validity IS NOT NULL;

-- A folder's id is a digest of its name already, and an index takes no name of more than 2.7 KB.
DROP INDEX folders_wire_name;

-- Nobody looks for a message by its Message-ID.
DROP INDEX messages_header;
