"""Whether a port can be listened on, asked before whoever is to listen there is started."""

import errno
import socket

from mooring.errors import ConfigError


def require_free(host: str, port: int) -> None:
    """Refuse an address that this host cannot listen on.

    Raises:
        ConfigError: somebody listens there already, the address is not this host's, or the port needs root.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(1)
        except OSError as e:
            hint = "Stop what listens there, or set [server] listen to another port."
            if e.errno != errno.EADDRINUSE:
                hint = "Set [server] listen to an address of this host, and to a port that this user may open."
            raise ConfigError(f"{host}:{port} cannot be listened on: {e.strerror}", hint=hint) from e
