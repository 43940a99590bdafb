"""Rows of the table about what is wrong with the settings or the server, whoever asks. Each function is a row."""

from mooring.diagnosis.probes.firstwords import UNKNOWN
from mooring.diagnosis.types import Outcome, Service
from mooring.diagnosis.verdict.cells import FILTERS, Cell, logged_in
from mooring.diagnosis.verdict.rows import (
    found,
    is_mail_host,
    servers_of,
    what_works,
    words_of,
)
from mooring.diagnosis.verdict.types import Code, Finding

_SPOKEN = {Service.IMAP: "imap", Service.SMTP: "smtp", Service.CALDAV: "http"}
"""What is spoken where a service got through."""


def credentials_are_wrong(cell: Cell) -> Finding | None:
    """wrong_credentials: refused from S, and from D where that was tried."""
    refused = cell.static.of(Outcome.CREDENTIALS)
    if not refused or logged_in(cell.own.seen):
        return None
    return found(credentials_are_wrong, cell, Code.WRONG_CREDENTIALS, 0.85, refused, cause=words_of(refused))


def certificate_is_wrong(cell: Cell) -> Finding | None:
    """certificate: TLS works, and the certificate does not verify, from S (and from D where it was let in)."""
    shown = cell.static.of(Outcome.CERTIFICATE) or cell.dynamic.of(Outcome.CERTIFICATE)
    if not shown or cell.own.reached:
        return None
    first = shown[0]
    problem = [(first.certificate.problem if first.certificate else "") or first.detail]
    # Another name helps only where the name is what is wrong.
    is_another_name = "mismatch" in problem[0].lower()
    names = list(first.certificate.names) if first.certificate and is_another_name else []
    return found(certificate_is_wrong, cell, Code.CERTIFICATE, 0.97, shown, names=names, cause=problem)


def tls_mode_is_wrong(cell: Cell) -> Finding | None:
    """wrong_tls_mode: the same protocol is spoken, but TLS begins another way."""
    wrong = [o for o in cell.own.seen if o.outcome in {Outcome.NOT_TLS, Outcome.NO_STARTTLS}]
    if not wrong or cell.own.reached:
        return None
    spoken = {o.spoken for o in wrong} - {""}
    if spoken - {str(cell.target.service), "tls"}:
        return None
    working = what_works(cell)
    return found(tls_mode_is_wrong, cell, Code.WRONG_TLS_MODE, 0.95, (*wrong, *working), servers=servers_of(working))


def protocol_is_another(cell: Cell) -> Finding | None:
    """wrong_port, or wrong_host where the host speaks the service nowhere: what answers is another protocol."""
    kinds = {Outcome.OTHER_PROTOCOL, Outcome.NOT_TLS, Outcome.NO_STARTTLS}
    wrong = [o for o in cell.own.seen if o.outcome in kinds]
    if not wrong or cell.own.reached:
        return None
    working = what_works(cell)
    code = Code.WRONG_PORT if working or is_mail_host(cell) else Code.WRONG_HOST
    spoken = sorted({o.spoken for o in wrong} - {"", UNKNOWN})
    return found(
        protocol_is_another, cell, code, 0.9, (*wrong, *working), spoken=spoken, servers=servers_of(working)
    )  # fmt: skip


def port_is_closed(cell: Cell) -> Finding | None:
    """wrong_port: the port is closed for D and S, while another mail port of the host answers both."""
    own = cell.own
    if not own.all_are(Outcome.RESET) or not cell.static.seen or any(o.outcome not in FILTERS for o in cell.asked):
        return None
    working = what_works(cell)
    if not working and not is_mail_host(cell):
        return None
    confidence = 0.9 if working else 0.6
    return found(port_is_closed, cell, Code.WRONG_PORT, confidence, (*own.seen, *working), servers=servers_of(working))


def host_is_for_something_else(cell: Cell) -> Finding | None:
    """wrong_host: its mail ports are closed to everybody, and it answers on a port that is not mail's."""
    alive = cell.layout.lives(cell.target.host, but=(cell.target.service, cell.target.port))
    spoke = [o for o in alive if o.outcome is not Outcome.RESET and o.service is not cell.target.service]
    if not (cell.own.all_are(Outcome.RESET) and cell.static.seen and spoke):
        return None
    words = {f"{o.spoken or _SPOKEN[o.service]} on port {o.port}" for o in spoke if o.spoken != UNKNOWN}
    proof = (*cell.own.seen, *spoke)
    return found(host_is_for_something_else, cell, Code.WRONG_HOST, 0.7, proof, elsewhere=sorted(words))


def server_is_down(cell: Cell) -> Finding | None:
    """server_down: nothing reaches, and nothing says that it filters."""
    own = cell.own
    if not cell.static.seen or not own.all_are(Outcome.SILENT, Outcome.UNREACHABLE, Outcome.RESET):
        return None
    return found(
        server_is_down, cell, Code.SERVER_DOWN, 0.7, own.seen, cause=sorted({str(o.outcome) for o in own.seen})
    )
