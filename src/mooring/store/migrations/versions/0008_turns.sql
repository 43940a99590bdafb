-- Whether sync.failed was told of a grant, and sync.recovered was not yet: they come in turns, whatever clears sync_error.
ALTER TABLE grants ADD COLUMN failure_told boolean NOT NULL DEFAULT false;
-- The facts know, and where they are forgotten, the grant: one that failed and has not expired was told of.
UPDATE grants g SET failure_told = true
WHERE coalesce(
    (SELECT o.type = 'sync.failed' FROM outbox o WHERE o.grant_id = g.id AND o.type IN ('sync.failed', 'sync.recovered')
     ORDER BY o.sequence DESC LIMIT 1),
    g.sync_error IS NOT NULL AND g.status = 'valid'
);
