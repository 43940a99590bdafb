"""A real nginx: before Radicale, refusing by address; and as a web server that knows nothing of mail."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.certificates import Certificate
from tests.lab.namespaces import SERVERS, program
from tests.lab.processes import Server
from tests.lab.situations.types import Dav

_MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 1000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {certificate.chain};
  ssl_certificate_key {certificate.key};
  {sites}
}}
"""

_CALENDAR = """
  geo $admitted{number} {{ default 0; {admitted} }}
  server {{
    {listen}
    location / {{
      if ($admitted{number} = 0) {{ return {status}; }}
      proxy_pass https://{radicale}:443;
      proxy_set_header Host $host;
    }}
  }}
"""

_WEB = """
  server {{
    {listen}
    location / {{ return 200 "It works.\\n"; }}
  }}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What stands on one situation's addresses.

    Attributes:
        on_993: it is a web server in clear, on the port of IMAP.
    """

    kind: Dav
    addresses: tuple[str, ...]
    admitted: tuple[str, ...]
    on_993: bool = False


def nginx(folder: Path, certificate: Certificate, sites: Iterable[Site], radicale: str) -> Server:
    """One nginx for all of them, before the Radicale at this address."""
    text = "".join(_site(site, number, radicale) for number, site in enumerate(sites))
    configuration = folder / "nginx.conf"
    configuration.write_text(_MAIN.format(folder=folder, certificate=certificate, sites=text))
    argv = [program("nginx", package="nginx-light"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    return Server("nginx", argv, ready=r"start worker|using the .* event method", namespace=SERVERS)


def _site(site: Site, number: int, radicale: str) -> str:
    if site.on_993:
        return _WEB.format(listen=_listen(site.addresses, "993"))
    if site.kind is Dav.WEB:
        return _WEB.format(listen=_listen(site.addresses, "80") + _listen(site.addresses, "443 ssl"))
    return _CALENDAR.format(
        number=number,
        admitted=" ".join(f"{source} 1;" for source in site.admitted),
        listen=_listen(site.addresses, "443 ssl"),
        status=site.kind.value,
        radicale=radicale,
    )


def _listen(addresses: Sequence[str], port: str) -> str:
    return "".join(f"listen {f'[{address}]' if ':' in address else address}:{port};" for address in addresses)
