"""Mooring: a self-hosted email and calendar API whose exits an administrator can allow."""
