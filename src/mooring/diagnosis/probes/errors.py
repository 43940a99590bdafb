"""What only a probe fails with."""

from mooring.errors import ProtocolError


class SpeaksOtherwise(ProtocolError):
    """What answers speaks another protocol than the one asked for.

    Attributes:
        heard: its first bytes.
    """

    def __init__(self, message: str, *, heard: bytes = b"") -> None:
        super().__init__(message)
        self.heard = heard
