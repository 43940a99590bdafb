"""The tables of delivery: webhooks, and in ``lanes`` how far each has come."""
