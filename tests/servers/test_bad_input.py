"""Whatever users, servers and mail throw at it: a clear answer in the envelope, and the process lives."""

import base64
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.dovecot import User
from tests.lab.firewall import Firewall
from tests.lab.laboratory import Laboratory
from tests.running import SERVERS, Running, configuration, credentials
from tests.servers.echoing import Echo, EchoingServer

PORT = 18026
CORPUS = Path(__file__).parents[1] / "corpus" / "mail"
HUGE = 100 * 1024 * 1024
RSS_MAX_KIB = 1_200 * 1024
"""What a process may have needed at most: 1.2 GiB."""

FOLDERS = (
    *("R&D", "&", "&-", "a&b&c", "&AOQ-", "Größe & Maß", "港/船", "港/船/錨", "ميناء", "Причал", "⚓ emoji", "e\u0301"),
    *('quo"ted', "back\\slash", "two  spaces", "(brackets)", "{5}", "NIL", "100%", "a*b", "'; DROP TABLE folders; --"),
    *("INBOX/below", "a.b.c", "x" * 120, "<script>", "#hash", "[list]", "+plus", "trailing."),
)


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mooring")
    (folder / "mooring.toml").write_text(configuration(PORT))
    running = Running(folder, PORT, lab.trust)
    running.start()
    running.static_ips("on")
    yield running
    processes = running.pids()
    assert httpx.get(f"{running.url}/readyz").status_code == 200
    assert running.stop() == 0
    assert {"api", "worker"} <= processes.keys()
    assert running.defects == []
    assert "process.ended" not in running.log


@dataclass(frozen=True, slots=True)
class Wrong:
    """Settings that lead nowhere, and what is answered."""

    settings: dict[str, Any]
    status: int
    stage: str
    reason: str
    port: int = 993
    words: str = field(default="")


WRONG = {
    "no such host": Wrong({"imap_host": "nowhere.lab.test"}, 504, "resolve", "name_not_found"),
    "closed port": Wrong({"imap_port": 994}, 504, "connect", "refused", 994),
    "TLS on a plain port": Wrong({"imap_port": 143, "imap_tls": "implicit"}, 400, "tls", "not_tls", 143, "143"),
    "STARTTLS on a TLS port": Wrong({"imap_tls": "starttls"}, 504, "greeting", "timeout"),
    "expired": Wrong({"imap_host": "expired.lab.test"}, 400, "tls", "certificate", words="expired"),
    "self-signed": Wrong({"imap_host": "selfsigned.lab.test"}, 400, "tls", "certificate", words="self"),
    "another's certificate": Wrong({"imap_host": "wrongname.lab.test"}, 400, "tls", "certificate", words="match"),
    "wrong password": Wrong({"imap_password": "Wrong-4711"}, 400, "login", "authentication"),
    "unknown user": Wrong({"imap_username": "nobody@lab.test"}, 400, "login", "authentication"),
    "SMTP at a closed port": Wrong({"smtp_host": "smtp.lab.test", "smtp_port": 588}, 504, "connect", "refused", 588),
    "SMTP at the IMAP server": Wrong(
        {"smtp_host": "imap.lab.test", "smtp_port": 993, "smtp_tls": "implicit"}, 400, "greeting", "protocol"
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_wrong_settings_make_no_grant_and_are_told(mooring: Running, lab: Laboratory, wrong: Wrong) -> None:
    user = _user(lab)
    answer = _connect(mooring, {**credentials(user), **SERVERS, "smtp_host": "", **wrong.settings})
    assert answer.status_code == wrong.status, answer.text
    error = _error(answer)
    assert error["type"] == "api.provider_error"
    told = error["provider_error"]
    assert (told["stage"], told["reason"], told["port"]) == (wrong.stage, wrong.reason, wrong.port)
    assert told["environment"] == "static"
    assert wrong.words in error["message"].lower()
    if wrong.stage == "login":
        assert "Authentication failed" in told["server_said"]
    _assert_unsaid(answer.text + mooring.log, user.password, "Wrong-4711")
    assert user.address not in {g["email"] for g in mooring.get("/v3/grants", limit=200)["data"]}


@pytest.mark.parametrize("echo", Echo)
@pytest.mark.parametrize("password", ['pass"w\\rd 4711', "Größe-4711-geheim"])
def test_a_server_that_repeats_the_password_does_not_get_it_into_an_answer(
    mooring: Running, lab: Laboratory, echo: Echo, password: str
) -> None:
    lab.names.set("echo.lab.test", at.UNBOUND)
    certificate = lab.authority.good(["echo.lab.test"], label="echo")
    with EchoingServer(at.UNBOUND, certificate, echo) as server:
        settings = {
            "imap_host": "echo.lab.test", "imap_port": server.port, "imap_tls": "implicit",
            "imap_username": "echo@lab.test", "imap_password": password,
        }  # fmt: skip
        answer = _connect(mooring, settings)
    assert answer.status_code == 400, answer.text
    told = _error(answer)["provider_error"]
    assert told["stage"] == "login"
    assert "***" in told["server_said"]
    blob = base64.b64encode(f"\0echo@lab.test\0{password}".encode()).decode()
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    _assert_unsaid(
        answer.json()["error"]["message"] + str(told) + mooring.log, password, escaped, blob, blob.rstrip("=")
    )


def test_anothers_address_at_ones_own_server_is_another_grant(mooring: Running, lab: Laboratory) -> None:
    victim = _user(lab, "victim")
    own = mooring.connect_to_read(victim)
    other = lab.another_dovecot("impostor")
    impostor = other.set_user(User(victim.address, "impostors-own"))
    settings = {**credentials(impostor), "imap_host": "mail.example.test", "email": victim.address}
    answer = _connect(mooring, settings)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"]["id"] != own
    assert mooring.get(f"/v3/grants/{victim.address}")["data"]["id"] == own
    assert len(mooring.get("/v3/grants", email=victim.address)["data"]) == 2
    answer = _connect(mooring, {**credentials(victim), "imap_host": "mail.example.test", "email": victim.address})
    assert answer.status_code == 400
    assert mooring.connect_to_read(victim) == own
    other.server.stop()


def test_folders_named_in_any_script(mooring: Running, lab: Laboratory) -> None:
    user = _user(lab, "scripts")
    held: dict[str, bytes] = {}
    known = lab.dovecot.folders(user.address)
    for number, name in enumerate(FOLDERS):
        lab.dovecot.create(user.address, name)
        (wire,) = [w for w in lab.dovecot.folders(user.address) - known if _is_spelt(w, name)]
        known = lab.dovecot.folders(user.address)
        held[name] = f"Message-ID: <{number}@scripts>\r\nSubject: {number}\r\n\r\n{number}\r\n".encode()
        lab.dovecot.append(user.address, wire, held[name])
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    folders = mooring.folders(grant)
    assert set(FOLDERS) <= folders.keys()
    assert {f.name for f in mooring.sdk.folders.list(grant, query_params={"limit": 200}).data} == folders.keys()
    for name, raw in held.items():
        (message,) = mooring.listed(grant, **{"in": folders[name]["id"]})
        assert mooring.raw(grant, message["id"]) == raw
        assert mooring.get(f"/v3/grants/{grant}/folders/{folders[name]['id']}")["data"]["name"] == name


def test_broken_mime_is_listed_and_kept_byte_by_byte(mooring: Running, lab: Laboratory) -> None:
    user = _user(lab, "broken")
    chance = random.Random(30)
    originals = [path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))]
    assert len(originals) == 30
    originals += [
        b"\r\n",
        b"no header at all",
        b"Subject: only a header\r\n",
        b": no name\r\n\r\nbody\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n",
        b'Content-Type: multipart/mixed; boundary="never"\r\n\r\nnothing of it follows\r\n',
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 400,
        b"Content-Transfer-Encoding: base64\r\nContent-Type: text/html; charset=utf-99\r\n\r\n!!!%%%===\r\n",
        b"Subject: =?utf-8?b?////?= =?x?q?=ff?=\r\nFrom: <<<>>>,,;:@\r\nDate: 99 Foo 99999\r\n\r\n\xff\xfe\r\n",
        b"From: " + b"a" * 200_000 + b"\r\n\r\n",
        b"References: " + b"<r@x> " * 20_000 + b"\r\n\r\n",
        chance.randbytes(5_000).replace(b"\0", b""),
    ]
    for raw in originals:
        lab.dovecot.append(user.address, "INBOX", raw)
    on_server = [message.raw for message in lab.dovecot.messages(user.address, "INBOX")]
    assert len(on_server) == len(originals)
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    listed = mooring.listed(grant)
    assert len(listed) == len(set(on_server))
    assert {mooring.raw(grant, message["id"]) for message in listed} == set(on_server)
    for message in listed:
        for attachment in message["attachments"]:
            data = mooring.sdk.attachments.download_bytes(
                grant, attachment["id"], query_params={"message_id": message["id"]}
            )
            assert len(data) == attachment["size"]


@pytest.mark.timeout(180)
def test_a_message_of_100_mb(mooring: Running, lab: Laboratory, firewall: Firewall) -> None:
    user = _user(lab, "huge")
    body = base64.encodebytes(random.Random(100).randbytes(HUGE * 3 // 4)).replace(b"\n", b"\r\n")
    raw = (
        b"Message-ID: <huge@lab.test>\r\nSubject: huge\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhere\r\n'
        b'--b\r\nContent-Type: application/zip; name="huge.zip"\r\nContent-Disposition: attachment\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + body + b"--b--\r\n"
    )
    lab.dovecot.append(user.address, "INBOX", b"Subject: small\r\n\r\nsmall\r\n")
    lab.dovecot.append(user.address, "INBOX", raw)
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    assert {m["subject"] for m in mooring.listed(grant)} == {"huge", "small"}
    (message,) = mooring.listed(grant, subject="huge")
    assert mooring.raw(grant, message["id"]) == raw
    (attachment,) = message["attachments"]
    data = mooring.sdk.attachments.download_bytes(grant, attachment["id"], query_params={"message_id": message["id"]})
    assert len(data) == attachment["size"] == HUGE * 3 // 4
    for name in ("api", "worker"):
        assert _peak_rss_kib(mooring.pids()[name]) < RSS_MAX_KIB, name


@dataclass(frozen=True, slots=True)
class Bad:
    """A request that cannot be meant, and what is answered."""

    method: str
    path: str
    status: int
    type: str = "api.invalid_request_error"
    content: bytes | None = None
    key: str | None = None


_PAYLOAD = "api.invalid_request_payload"
_CONNECT = "/v3/connect/custom"

BAD = (
    Bad("POST", _CONNECT, 400, _PAYLOAD, b"{"),
    Bad("POST", _CONNECT, 400, _PAYLOAD, b""),
    Bad("POST", _CONNECT, 400, _PAYLOAD, b"\xff\xfe{}"),
    Bad("POST", _CONNECT, 400, _PAYLOAD, b'{"provider": "imap", "settings": {"x":' + b"[" * 100_000),
    Bad("POST", _CONNECT, 400, content=b"[]"),
    Bad("POST", _CONNECT, 400, content=b'"imap"'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": "imap"}'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": "imap", "settings": []}'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": "imap", "settings": {}}'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": 5, "settings": {}}'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": "imap", "settings": {"imap_host": "https://x/"}}'),
    Bad("POST", _CONNECT, 400, content=b'{"provider": "imap", "settings": {"imap_host": "x\\u0000"}}'),
    Bad("POST", _CONNECT, 413, "api.request_too_large", b" " * 2_000_000),
    Bad("GET", "/v3/grants", 401, "api.authentication_error", key="nyk_unknown"),
    Bad("GET", "/v3/grants", 401, "api.authentication_error", key=""),
    Bad("GET", "/v3/grants/nobody@lab.test", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/%00", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/%ff%fe", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/" + "x" * 5_000, 404, "api.not_found_error"),
    Bad("GET", "/v3/nothing", 404, "api.not_found_error"),
    Bad("GET", "/nothing", 404, "api.not_found_error"),
    Bad("PUT", "/v3/grants", 405, "api.method_not_allowed"),
    Bad("DELETE", _CONNECT, 405, "api.method_not_allowed"),
    Bad("POST", _CONNECT, 400, content=b'{"x": 1}'),
    Bad("GET", "/v3/grants?nonsense=1", 400),
    Bad("GET", "/v3/grants?limit=0", 400),
    Bad("GET", "/v3/grants?limit=-1", 400),
    Bad("GET", "/v3/grants?limit=ten", 400),
    Bad("GET", "/v3/grants?limit=1e3", 400),
    Bad("GET", "/v3/grants?offset=-1", 400),
    Bad("GET", "/v3/grants?sort_by=password", 400),
    Bad("GET", "/v3/grants/{grant}/messages?page_token=%21%21", 400),
    Bad("GET", "/v3/grants/{grant}/messages?page_token=AAAA", 400),
    Bad("GET", "/v3/grants/{grant}/messages?limit=0", 400),
    Bad("GET", "/v3/grants/{grant}/messages?limit=99999999999999999999", 400),
    Bad("GET", "/v3/grants/{grant}/messages?in=nowhere", 400),
    Bad("GET", "/v3/grants/{grant}/messages?unread=perhaps", 400),
    Bad("GET", "/v3/grants/{grant}/messages?received_after=yesterday", 400),
    Bad("GET", "/v3/grants/{grant}/messages/nothing", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/{grant}/messages/..%2f..%2fetc", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/{grant}/attachments/part-1?message_id=nothing", 404, "api.not_found_error"),
    Bad("GET", "/v3/grants/{grant}/attachments/part-1/download", 400),
    Bad("POST", "/v3/grants/{grant}/messages/send", 400, _PAYLOAD, b"{"),
    Bad("POST", "/v3/grants/{grant}/messages/send", 400, content=b"{}"),
    Bad("POST", "/v3/grants/{grant}/messages/send", 400, content=b'{"to": "somebody"}'),
)


@pytest.fixture(scope="module")
def grant(mooring: Running, lab: Laboratory) -> str:
    user = _user(lab, "plain")
    grant = mooring.connect_to_read(user)
    mooring.synced(grant)
    return grant


@pytest.mark.parametrize("bad", BAD, ids=[f"{b.method} {b.path[:60]} {(b.content or b'')[:30]!r}" for b in BAD])
def test_a_request_that_cannot_be_meant_is_answered_in_the_envelope(mooring: Running, grant: str, bad: Bad) -> None:
    key = mooring.api_key if bad.key is None else bad.key
    answer = httpx.request(
        bad.method,
        mooring.url + bad.path.replace("{grant}", grant),
        content=bad.content,
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=30,
    )
    assert answer.status_code == bad.status, answer.text
    assert _error(answer)["type"] == bad.type
    assert len(_error(answer)["message"]) > 10


@pytest.mark.parametrize("path", ["//v3/grants/{grant}", "/v3//grants/{grant}/", "///v3/grants/{grant}//"])
def test_stray_slashes_do_not_matter(mooring: Running, grant: str, path: str) -> None:
    answer = httpx.get(
        mooring.url + path.replace("{grant}", grant), headers={"Authorization": f"Bearer {mooring.api_key}"}
    )
    assert answer.status_code == 200
    assert answer.json()["data"]["id"] == grant
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]


def _user(lab: Laboratory, name: str = "wrong") -> User:
    known = {user.address: user for user in lab.dovecot.users()}
    user = known.get(f"{name}@lab.test") or lab.user(name)
    return replace(user)


def _connect(mooring: Running, settings: dict[str, Any]) -> httpx.Response:
    return httpx.post(
        f"{mooring.url}/v3/connect/custom",
        json={"provider": "imap", "settings": settings},
        headers={"Authorization": f"Bearer {mooring.api_key}"},
        timeout=30,
    )


def _error(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    assert body.keys() == {"request_id", "error"}
    assert answer.headers["X-Request-Id"] == body["request_id"]
    return body["error"]


def _assert_unsaid(text: str, *secrets: str) -> None:
    for secret in secrets:
        assert secret not in text


def _is_spelt(wire: str, name: str) -> bool:
    """Whether this is the folder itself, and not a parent that came with it."""
    return wire.count("/") == name.count("/")


def _peak_rss_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])
