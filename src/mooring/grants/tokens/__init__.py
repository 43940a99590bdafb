"""Access tokens and the codes that they are exchanged for."""

from mooring.grants.tokens.repository import forget_codes
from mooring.grants.tokens.service import Tokens

__all__ = ["Tokens", "forget_codes"]
