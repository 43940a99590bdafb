"""Watches: a server is looked at until it lets our addresses in, and after."""
