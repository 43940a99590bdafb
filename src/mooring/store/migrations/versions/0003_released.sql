-- Since when no grant uses an assignment; null: one does. It is what a re-connected account finds again.
ALTER TABLE assignments ADD COLUMN released_at timestamptz;
CREATE INDEX assignments_released ON assignments (released_at) WHERE released_at IS NOT NULL;
UPDATE assignments a SET released_at = now() WHERE NOT EXISTS (SELECT FROM grants g WHERE g.subject = a.subject);
