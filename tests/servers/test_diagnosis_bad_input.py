"""Whatever is asked about, and whatever answers: a diagnosis has a clear answer, by API and by command."""

import json
import re
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import addresses as at
from tests.lab.laboratory import Laboratory
from tests.running import Running, configuration, run_mooring
from tests.servers.flooding import (
    GIGABYTE,
    Behaviour,
    Flood,
    byte_by_byte,
    flooding,
    http_without_end,
    many_lines,
    one_line,
    one_page,
    packed_without_end,
    redirects_to,
)

PORT = 18233
PATH = "/v3/diagnoses"
RSS_MORE_MAX_KIB = 100 * 1024
"""That gigabytes may make a process grow by."""
LABEL = "l" * 300


@pytest.fixture(scope="module")
def mooring(lab: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    lab.firewall.open()
    folder = tmp_path_factory.mktemp("mooring")
    # Rate limits are on, as they are for everybody: they are a part of the answer.
    (folder / "mooring.toml").write_text(configuration(PORT).replace("rate_limits = false\n", ""))
    running = Running(folder, PORT, lab.trust)
    running.start()
    yield running
    assert running.stop() == 0
    assert running.defects == []


@dataclass(frozen=True, slots=True)
class Bad:
    """A question that cannot be meant, and words of the answer.

    Attributes:
        command: how it is asked at the terminal, where it can be.
    """

    body: dict[str, Any]
    words: str
    command: tuple[str, ...] = ()
    type: str = "api.invalid_request_error"


def about(host: str, words: str, *, type: str = "api.invalid_request_error") -> Bad:  # noqa: A002
    return Bad({"host": host}, words, (host,), type)


BAD = (
    about("https://mail.example.com/", "is a URL"),
    about("imap://mail.example.com:993", "is a URL"),
    about("mail.example.com/inbox", "host"),
    about("mail example.com", "host"),
    about(f"{LABEL}.example.com", "host"),
    about(".".join(["a" * 60] * 6), "host"),
    about("xn--\u00fc.example", "host"),
    about("..", "host"),
    about("mail..example.com", "host"),
    about("ann@", "e-mail"),
    about("@example.com", "e-mail"),
    about("ann@@example.com", "e-mail"),
    about("ann@example..com", "e-mail"),
    about(f"ann@{LABEL}.com", "e-mail"),
    about("127.0.0.1", "private or reserved", type="api.target_not_allowed"),
    about("::1", "private or reserved", type="api.target_not_allowed"),
    about("169.254.169.254", "metadata", type="api.target_not_allowed"),
    about("192.168.1.1", "private", type="api.target_not_allowed"),
    about("::ffff:127.0.0.1", "", type="api.target_not_allowed"),
    about("0.0.0.0", "", type="api.target_not_allowed"),
    about("mail.public.test:22", "22"),
    about("mail.public.test:6379", "6379"),
    about("mail.public.test:0", "port"),
    about("mail.public.test:65536", "port"),
    Bad({}, "asked about"),
    Bad({"host": ""}, "asked about"),
    Bad({"host": "mail.public.test", "services": []}, "services"),
    Bad({"host": "mail.public.test", "services": ["pop3"]}, "services", ("mail.public.test", "--services", "pop3")),
    Bad({"host": "mail.public.test", "services": "imap"}, "services"),
    Bad({"host": 5}, "host"),
    Bad({"host": ["mail.public.test"]}, "host"),
    Bad({"email": "nobody"}, "e-mail"),
    Bad({"settings": []}, "settings"),
    Bad({"settings": {"imap_port": "many", "imap_host": "mail.public.test"}}, "imap_port"),
    Bad({"settings": {"imap_host": "mail.public.test", "imap_tls": "perhaps"}}, "imap_tls"),
    Bad({"settings": {"imap_host": "mail.public.test", "imap_password": "hush-4711"}}, "imap_username"),
    Bad({"settings": {"caldav_url": "ftp://mail.public.test/"}}, "caldav_url"),
    Bad({"settings": {"caldav_url": "https://ann:hush-4711@mail.public.test/"}}, "caldav_url"),
    Bad({"settings": {"caldav_url": "https://mail.public.test:22/"}}, "22"),
    Bad({"nonsense": 1}, "nonsense"),
    Bad({"host": "mail.public.test", "grant_id": "x"}, "stands alone"),
)


def ids(bad: Bad) -> str:
    return json.dumps(bad.body)[:50]


@pytest.mark.parametrize("bad", BAD, ids=ids)
def test_what_cannot_be_meant_is_answered_in_the_envelope(mooring: Running, bad: Bad) -> None:
    host = bad.body.get("host")
    body: dict[str, Any] = bad.body
    if isinstance(host, str) and "@" in host:
        body = {"email": host}
    elif isinstance(host, str) and (found := re.fullmatch(r"([\w.]+\.test):(\d+)", host)):
        body = {"settings": {"imap_host": found[1], "imap_port": int(found[2])}}
    answer = _post(mooring, body)
    error = _refused(answer, 404 if "grant_id" in bad.body else 400)
    if "grant_id" not in bad.body:
        assert error["type"] == bad.type, error
        assert bad.words.lower() in error["message"].lower() + error.get("hint", "").lower(), error
    assert "hush-4711" not in answer.text + mooring.log
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{}", b"null", b'"x"', b"[]", b"5", b'{"host":' + b"[" * 9_000]
)
def test_what_is_no_question(mooring: Running, content: bytes) -> None:
    headers = {"Authorization": f"Bearer {mooring.api_key}"}
    answer = httpx.post(mooring.url + PATH, content=content, headers=headers, timeout=30)
    assert _refused(answer, 400)["type"] in {"api.invalid_request_error", "api.invalid_request_payload"}


def test_the_command_refuses_the_same_with_a_sentence(mooring: Running) -> None:
    asked = [bad for bad in BAD if bad.command][::4]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda bad: _command(mooring, *bad.command), asked))
    for bad, (status, out) in zip(asked, answers, strict=True):
        error = json.loads(out)["error"]
        assert status == 1, (bad, out)
        assert bad.words.lower() in f"{error['message']} {error['hint']}".lower(), (bad, error)
    for words in ((), ("mail.public.test", "--grant", "x"), ("--grant", "x"), ("mail.public.test:imap",)):
        status, out = _command(mooring, *words)
        assert (status, len(json.loads(out)["error"]["message"]) > 10) == (1, True)


def test_names_that_lead_nowhere_inside_or_to_a_crowd(mooring: Running, lab: Laboratory) -> None:
    """A verdict each: a name is no mistake of whoever asks."""
    _ = lab.dovecot, lab.postfix
    lab.names.set("inside.example.test", "192.168.77.5")
    lab.names.set("beside.example.test", at.SERVER, "192.168.77.5")
    lab.names.set("metadata.example.test", "169.254.169.254")
    lab.names.set("xn--bcher-kva.example.test", at.SERVER)
    lab.names.set("crowd.example.test", *(f"45.99.1.{n}" for n in range(1, 101)))
    about = (
        *("nowhere.example.test", "inside.example.test", "beside.example.test", "metadata.example.test"),
        "b\u00fccher.example.test",
        # As old programs write 127.0.0.1, and what can be no name.
        *("2130706433", "0x7f.1", "-", "xn--zzzzzz--.example"),
    )
    found = _diagnosed_at_once(
        mooring, [{"host": host, "services": ["imap"]} for host in (*about, "crowd.example.test")]
    )
    nowhere, inside, beside, metadata, idn, *numbers, dash, puny, crowd = found
    assert nowhere["verdict"]["code"] == "wrong_host"
    assert inside["verdict"]["code"] == metadata["verdict"]["code"] == "internal_host"
    assert {one["verdict"]["code"] for one in numbers} == {"internal_host"}
    assert {one["verdict"]["code"] for one in (dash, puny)} == {"wrong_host"}
    assert [one["evidence"] for one in (*numbers, dash, puny)] == [[]] * 4
    assert (beside["verdict"]["code"], "beside public ones" in beside["verdict"]["summary"]) == ("internal_host", True)
    assert [one["evidence"] for one in (nowhere, inside, beside, metadata)] == [[]] * 4
    # Where inside a name leads is the operator's to know.
    headers = {"Authorization": f"Bearer {mooring.api_key}"}
    ledger = httpx.get(f"{mooring.url}/v3/connections?limit=200", headers=headers)
    for address in ("192.168.77.5", "169.254.169.254", "127.0.0.1"):
        assert address not in json.dumps([inside, beside, metadata, *numbers]), address
        assert address not in ledger.text, address
    # The laboratory's certificate has another name.
    assert idn["verdict"]["code"] == "certificate"
    assert {o["host"] for o in idn["evidence"]} == {"xn--bcher-kva.example.test"}
    assert (crowd["verdict"]["code"], crowd["evidence"]) == ("wrong_host", [])
    assert "100 addresses" in crowd["verdict"]["summary"]


@dataclass(frozen=True, slots=True)
class Host:
    """One that misbehaves, and how it is asked about."""

    behave: Behaviour
    service: str
    tls: str = "implicit"
    more: dict[str, Any] = field(default_factory=dict[str, Any])


_USER = {"caldav_username": "ann", "caldav_password": "hush-4711"}

HOSTS = {
    "imap, one line": Host(one_line(b"* OK "), "imap"),
    "imap in clear, one line": Host(one_line(b"* OK "), "imap", "starttls"),
    "imap, many lines": Host(many_lines(b"* OK more\r\n"), "imap"),
    "smtp, one line": Host(one_line(b"220 "), "smtp"),
    "smtp in clear, many lines": Host(many_lines(b"220-more\r\n"), "smtp", "starttls"),
    "garbage": Host(one_line(b"\x00\xff"), "imap", "starttls"),
    "imap, slowly": Host(byte_by_byte(b"* OK " + b"x" * 500), "imap"),
    "smtp, slowly": Host(byte_by_byte(b"220 " + b"x" * 500), "smtp", "starttls"),
    "caldav, without end": Host(http_without_end, "caldav"),
    "caldav, packed": Host(packed_without_end, "caldav"),
    "caldav, a hostile page": Host(one_page(403, b"<!--" * 16_384), "caldav"),
    "caldav, headers": Host(one_line(b"HTTP/1.1 200 Fine\r\nX-Padding: "), "caldav"),
    "caldav, slowly": Host(byte_by_byte(b"HTTP/1.1 200 Fine\r\nX-Padding: " + b"x" * 500), "caldav"),
    "caldav, to itself": Host(redirects_to("/again"), "caldav", more=_USER),
    "caldav, to this host": Host(redirects_to("https://127.0.0.1:8025/"), "caldav", more=_USER),
    "caldav, to metadata": Host(redirects_to("http://169.254.169.254/latest"), "caldav", more=_USER),
}


@pytest.mark.timeout(180)
def test_servers_without_end_are_left_and_nothing_grows(mooring: Running, lab: Laboratory) -> None:
    lab.names.set("flood.lab.test", at.UNBOUND)
    shown = lab.authority.good(["flood.lab.test"], label="flood")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.chain, shown.key)
    before = _rss_kib(mooring.pids()["api"])
    with ExitStack() as stack:
        floods: list[Flood] = [
            stack.enter_context(flooding(h.behave, at.UNBOUND, tls=context if h.tls == "implicit" else None))
            for h in HOSTS.values()
        ]
        asked = [_about_flood(host, flood.port) for host, flood in zip(HOSTS.values(), floods, strict=True)]
        found = dict(zip(HOSTS, _diagnosed_at_once(mooring, asked), strict=True))
    for name, diagnosis in found.items():
        assert diagnosis["state"] == "done", name
        assert diagnosis["verdict"]["code"] not in {"needed", "needed_for_sending_only", "not_needed"}, (
            name,
            diagnosis,
        )
        assert all(len(o.get("said", "")) + len(o.get("detail", "")) < 2_000 for o in diagnosis["evidence"]), name
        assert "127.0.0.1" not in json.dumps(diagnosis["evidence"]) or name == "caldav, to this host"
        assert len(json.dumps(diagnosis)) < 100_000, name
    assert all(flood.sent < GIGABYTE for flood in floods)
    assert _rss_kib(mooring.pids()["api"]) - before < RSS_MORE_MAX_KIB
    # What a server pointed to was never dialled.
    dialled = mooring.rows("SELECT DISTINCT remote FROM ledger WHERE outcome <> 'not_dialled'")
    assert {"127.0.0.1", "169.254.169.254"}.isdisjoint({str(row["remote"]) for row in dialled})
    assert "hush-4711" not in json.dumps(found) + mooring.log


def test_other_applications_grants_and_diagnoses_are_as_if_they_were_not(mooring: Running, lab: Laboratory) -> None:
    _ = lab.dovecot
    grant = mooring.connect_to_read(lab.user("secretive"))
    mine = _post(mooring, {"grant_id": grant}).json()["data"]["id"]
    made = mooring.command("app", "create", "--name", "Other", "--generation", "v3", "--region", "us")
    theirs, nobodys = (_post(mooring, {"grant_id": g}, key=made["api_key"]) for g in (grant, "f" * 32))
    assert _uniform(theirs, grant) == _uniform(nobodys, "f" * 32)
    assert _refused(theirs, 404)["type"] == "api.not_found_error"
    for suffix in ("", "/stages", "/report.html", "/report.json", "?wait=999999"):
        seen, unseen = (_get(mooring, f"{PATH}/{one}{suffix}", key=made["api_key"]) for one in (mine, "e" * 32))
        assert _uniform(seen, mine) == _uniform(unseen, "e" * 32)
        assert seen.status_code == 404
    assert _get(mooring, PATH, key=made["api_key"]).json()["data"] == []
    status, out = _command(mooring, "--grant", grant, "--app", made["application_id"])
    assert (status, "no grant" in out) == (1, True)


def test_odd_ways_to_wait_and_to_follow(mooring: Running) -> None:
    one = _diagnosed_at_once(mooring, [{"host": "nowhere.example.test"}])[0]["id"]
    for wait, status in (("999999", 200), ("0", 200), ("-1", 400), ("x", 400), ("1e9", 400), ("9" * 400, 400)):
        assert _get(mooring, f"{PATH}/{one}?wait={wait}").status_code == status, wait
    for last in ("x", "-1", "9" * 30, "1.5", ""):
        headers = {"Last-Event-ID": last}
        with httpx.stream("GET", f"{mooring.url}{PATH}/{one}/stages", headers=_key(mooring) | headers) as heard:
            text = heard.read().decode()
        assert text.count("event: verdict") == 1, last
        assert "event: started" in text
    with httpx.stream(
        "GET", f"{mooring.url}{PATH}/{one}/stages", headers=_key(mooring) | {"Last-Event-ID": "900"}
    ) as h:
        assert "event:" not in h.read().decode()
    for strange in ("x" * 5_000, "%00", "..%2f..", "a b"):
        assert _get(mooring, f"{PATH}/{strange}").status_code == 404


def test_who_asks_too_often_waits(mooring: Running) -> None:
    """200 at once, then 120 a minute, of each application for itself; refused questions count as well."""
    made, other = (
        mooring.command("app", "create", "--name", name, "--generation", "v3", "--region", "us")["api_key"]
        for name in ("Eager", "Patient")
    )
    with httpx.Client(base_url=mooring.url, timeout=60) as http:

        def ask(_: int) -> httpx.Response:
            return http.post(PATH, json={"host": "127.0.0.1"}, headers={"Authorization": f"Bearer {made}"})

        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(260)))
        lasted_s = time.monotonic() - began
    statuses = [answer.status_code for answer in answers]
    assert 200 <= statuses.count(400) <= 201 + 2 * lasted_s
    assert statuses.count(429) == 260 - statuses.count(400)
    late = next(answer for answer in answers if answer.status_code == 429)
    assert _refused(late, 429)["type"] == "rate_limit_error"
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert _post(mooring, {"host": "127.0.0.1"}, key=other).status_code == 400


def _about_flood(host: Host, port: int) -> dict[str, Any]:
    if host.service == "caldav":
        settings = {"caldav_url": f"https://flood.lab.test:{port}/", **host.more}
    else:
        settings = {f"{host.service}_host": "flood.lab.test", f"{host.service}_port": port}
        settings[f"{host.service}_tls"] = host.tls
    return {"settings": settings, "services": [host.service]}


def _diagnosed_at_once(mooring: Running, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The end of each."""

    def one(body: dict[str, Any]) -> dict[str, Any]:
        answer = _post(mooring, body)
        assert answer.status_code == 202, (body, answer.text)
        while True:
            data = _get(mooring, f"{PATH}/{answer.json()['data']['id']}?wait=60").json()["data"]
            if data["state"] in {"done", "failed"}:
                return data

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(one, bodies))


def _key(mooring: Running, key: str = "") -> dict[str, str]:
    return {"Authorization": f"Bearer {key or mooring.api_key}"}


def _post(mooring: Running, body: dict[str, Any], *, key: str = "") -> httpx.Response:
    return httpx.post(mooring.url + PATH, json=body, headers=_key(mooring, key), timeout=30)


def _get(mooring: Running, path: str, *, key: str = "") -> httpx.Response:
    return httpx.get(mooring.url + path, headers=_key(mooring, key), timeout=90)


def _refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"request_id", "error"}
    assert len(answer.json()["error"]["message"]) > 10
    return answer.json()["error"]


def _uniform(answer: httpx.Response, identifier: str) -> tuple[int, str]:
    """What an answer says, whichever thing it is about."""
    return answer.status_code, json.dumps(answer.json()["error"]).replace(identifier, "it")


def _command(mooring: Running, *words: str) -> tuple[int, str]:
    done = run_mooring("diagnose", *words, "--json", folder=mooring.folder, environment=mooring.environment())
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


def _rss_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])
