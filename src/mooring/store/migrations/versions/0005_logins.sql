-- One address may have a grant for each login that is not its own; the subject is the identity.
ALTER TABLE grants DROP CONSTRAINT grants_application_id_email_mail_domain_key;
CREATE INDEX grants_email ON grants (application_id, email);
DROP INDEX grants_subject;
CREATE UNIQUE INDEX grants_subject ON grants (subject);
