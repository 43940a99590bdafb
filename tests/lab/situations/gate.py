"""A program: an IMAP front that says BYE to whoever is not on its list, and passes the others on.

    python gate.py CONFIGURATION

The configuration is JSON: {"certificate", "key", "behind", "gates": [{"addresses", "admitted"}]}. It stands alone, and
prints "ready" once it listens.
"""

import asyncio
import json
import ssl
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

_BYE = b"* BYE Connections from your address are not allowed here\r\n"


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: "_Gate") -> None:
    with suppress(OSError, ssl.SSLError):
        source = writer.get_extra_info("peername")[0]
        if source in gate.admitted:
            await _pass_on(reader, writer, gate.behind, gate.port)
        else:
            if gate.port == 993:
                await writer.start_tls(gate.tls)
            writer.write(_BYE)
            await writer.drain()
    writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    there, back = await asyncio.open_connection(host, port)
    await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class _Gate:
    def __init__(self, admitted: frozenset[str], behind: str, port: int, tls: ssl.SSLContext) -> None:
        self.admitted = admitted
        self.behind = behind
        self.port = port
        self.tls = tls


async def main(wanted: dict[str, Any]) -> None:
    """Serve until it is ended."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(wanted["certificate"], wanted["key"])
    for gate in wanted["gates"]:
        for port in (143, 993):
            greet = partial(_greet, gate=_Gate(frozenset(gate["admitted"]), wanted["behind"], port, tls))
            for address in gate["addresses"]:
                await asyncio.start_server(greet, address, port, backlog=200)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
