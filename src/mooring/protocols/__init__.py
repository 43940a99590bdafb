"""Bytes to meaning and back: one room for each protocol, none of which knows another, and none of which dials."""
