"""The only room that touches sockets and TLS.

It knows addresses, streams and phases of failure; it knows nothing of mail, grants or pools, never
retries, and never chooses where a connection leaves from: that is ``egress``, the only caller of
``net.connect``. Start at ``stream.py``.
"""

from mooring.net.stream import Endpoint, Layer, Stream, TcpStream
from mooring.net.tls import TlsMode

__all__ = ["Endpoint", "Layer", "Stream", "TcpStream", "TlsMode"]
