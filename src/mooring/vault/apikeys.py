"""API keys as they are stored."""

import hashlib


def hash_api_key(key: str) -> bytes:
    """SHA-256 of the key: enough, since our keys have at least 256 random bits and cannot be guessed at any speed."""
    return hashlib.sha256(key.encode()).digest()
