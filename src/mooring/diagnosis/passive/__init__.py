"""A verdict from what happened anyway: the article's tree over the ledger, without a probe."""
