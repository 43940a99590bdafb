"""One message: what is refused, what is lost, and whether it may be repeated."""

import pytest

from mooring.errors import ConnectionLost, InvalidRequest, MooringError, ReadTimeout, RemoteProtocolError, WriteTimeout
from mooring.protocols.smtp import (
    DeliveryUnknown,
    NotOffered,
    RecipientsRefused,
    SendTimeouts,
    SmtpClient,
    SmtpRefused,
    Step,
)
from mooring.protocols.smtp.envelope import BLOCK, blocks
from tests.protocol.smtp.fake import DROP, SILENCE, FakeServer, dialled

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
SENDER, ANN, BOB = "me@here.test", "ann@there.test", "bob@there.test"
QUICK = SendTimeouts(envelope_s=0.2, data_s=0.2, block_s=0.2, end_s=0.2)


async def test_accepted() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        result = await client.send(SENDER, [ANN, BOB, ANN], MESSAGE)
        await client.quit()
    assert result.accepted == (ANN, BOB)
    assert result.refused == {}
    assert result.queued_reply.text == "2.0.0 queued as 4F2A"
    assert fake.messages == [MESSAGE]
    assert fake.lines[1:4] == [f"MAIL FROM:<{SENDER}> SIZE={len(MESSAGE)}", f"RCPT TO:<{ANN}>", f"RCPT TO:<{BOB}>"]


async def test_two_messages_over_one_session() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        await client.send("", [ANN], b"a: 1\r\n\r\n")
        await client.send(SENDER, [ANN], b"a: 2\r\n\r\n")
    assert fake.messages == [b"a: 1\r\n\r\n", b"a: 2\r\n\r\n"]
    assert "MAIL FROM:<> SIZE=8" in fake.lines


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        (b"a: b\r\n\r\n.\r\n..\r\n.x\r\n", b"a: b\r\n\r\n.\r\n..\r\n.x\r\n"),
        (b".a: b\n\nx\n.\n", b".a: b\r\n\r\nx\r\n.\r\n"),
        (b"a: b\r\rx", b"a: b\r\n\r\nx\r\n"),
        (b"a: b\r\n\r\nno end", b"a: b\r\n\r\nno end\r\n"),
        (b"", b"\r\n"),
    ],
)
async def test_dots_and_line_ends(message: bytes, arrives: bytes) -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        await client.send(SENDER, [ANN], message)
    assert fake.messages == [arrives]


@pytest.mark.parametrize("before", range(BLOCK - 3, BLOCK + 2))
def test_dots_are_doubled_at_the_edge_of_a_block(before: int) -> None:
    content = b"x" * before + b"\r\n.\r\n..y\r\n" + b".z\r\n" * BLOCK
    pieces = list(blocks(content))
    assert b"".join(pieces) == content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    assert len(pieces) == -(-len(content) // BLOCK)


async def test_a_big_message_arrives_whole() -> None:
    message = b"a: b\r\n\r\n" + b"".join(b".line %d\r\n" % n for n in range(100_000))
    fake = FakeServer({"EHLO": b"250-mx.test\r\n250 SIZE\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        await client.send(SENDER, [ANN], message)
    assert fake.messages == [message]


@pytest.mark.parametrize(
    ("script", "step"),
    [
        ({"MAIL": b"550 5.7.1 not you\r\n"}, Step.MAIL),
        ({"RCPT": b"554 5.7.1 Client host rejected: Access denied\r\n"}, Step.RCPT),
        ({"DATA": b"554 5.5.1 no valid recipients\r\n"}, Step.DATA),
        ({"CONTENT": b"552 5.3.4 too big after all\r\n"}, Step.CONTENT),
    ],
)
async def test_refused_at_each_step_and_still_usable(script: dict[str, bytes | list[bytes]], step: Step) -> None:
    said = next(iter(script.values()))
    assert isinstance(said, bytes)
    fake = FakeServer(script)
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(SmtpRefused) as refused:
            await client.send(SENDER, [ANN], MESSAGE)
        assert client.is_usable
        script.clear()
        await client.send(SENDER, [ANN], b"second: 1\r\n\r\n")
    assert refused.value.step is step
    assert refused.value.reply == said.decode().strip()
    assert refused.value.permanent
    assert refused.value.before_data is (step is not Step.CONTENT)
    assert fake.messages[-1] == b"second: 1\r\n\r\n"


async def test_some_refused_means_none_unless_allowed() -> None:
    refusal = b"550 5.1.1 no such user\r\n"
    fake = FakeServer({"RCPT": [b"250 ok\r\n", refusal, b"250 ok\r\n", refusal]})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(RecipientsRefused) as refused:
            await client.send(SENDER, [ANN, BOB], MESSAGE)
        assert fake.messages == []
        assert fake.lines[-1] == "RSET"
        result = await client.send(SENDER, [ANN, BOB], MESSAGE, allow_partial=True)
    assert list(refused.value.refused) == [BOB]
    assert BOB in str(refused.value)
    assert ANN not in str(refused.value)
    assert result.accepted == (ANN,)
    assert result.refused[BOB].enhanced == "5.1.1"
    assert fake.messages == [MESSAGE]


@pytest.mark.parametrize(("allow_partial", "permanent"), [(False, True), (True, False)])
async def test_all_refused_one_of_them_for_now(allow_partial: bool, permanent: bool) -> None:
    """All or nothing: the permanent no settles it. In parts: the other may still get it."""
    fake = FakeServer({"RCPT": [b"450 4.2.0 greylisted\r\n", b"550 5.1.1 unknown\r\n"]})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(RecipientsRefused) as refused:
            await client.send(SENDER, [ANN, BOB], MESSAGE, allow_partial=allow_partial)
    assert set(refused.value.refused) == {ANN, BOB}
    assert refused.value.permanent is permanent
    assert fake.messages == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (DROP, ConnectionLost),
        (SILENCE, ReadTimeout),
        (b"gibberish\r\n", RemoteProtocolError),
        (b"299x ok\r\n250\r\n251 \r\n", RemoteProtocolError),
    ],
)
async def test_failures_before_the_message_may_be_repeated(
    verb: str, answer: bytes, expected: type[MooringError]
) -> None:
    fake = FakeServer({verb: answer})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(expected) as failed:
            await client.send(SENDER, [ANN], MESSAGE, timeouts=QUICK)
        assert not client.is_usable
    assert not isinstance(failed.value, DeliveryUnknown)
    assert fake.messages == []


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (DROP, ConnectionLost),
        (SILENCE, ReadTimeout),
        (b"gibberish\r\n", RemoteProtocolError),
        (b"354 go on\r\n", RemoteProtocolError),
    ],
)
async def test_the_dot_unanswered_is_unknown(answer: bytes, failure: type[MooringError]) -> None:
    fake = FakeServer({"CONTENT": answer})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(DeliveryUnknown) as unknown:
            await client.send(SENDER, [ANN], MESSAGE, timeouts=QUICK)
        assert not client.is_usable
    assert type(unknown.value.failure) is failure
    assert unknown.value.dot_sent
    assert fake.messages == [MESSAGE]


async def test_dropped_in_the_middle_of_the_message() -> None:
    fake = FakeServer({"EHLO": b"250 mx.test\r\n"}, drop_in_content=200_000)
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(DeliveryUnknown) as unknown:
            await client.send(SENDER, [ANN], b"a: b\r\n\r\n" + b"x" * 70 + b"\r\n" * 5_000_000)
    assert isinstance(unknown.value.failure, ConnectionLost)
    assert not unknown.value.dot_sent
    assert fake.messages == []


async def test_a_verdict_in_the_middle_of_the_message_is_a_refusal() -> None:
    fake = FakeServer({"EHLO": b"250 mx.test\r\n"}, refuse_in_content=b"552 5.3.4 too much\r\n")
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(SmtpRefused) as refused:
            await client.send(SENDER, [ANN], b"a: b\r\n\r\n" + b"x\r\n" * 1000)
        assert not client.is_usable
    assert refused.value.code == "552"


async def test_a_server_that_stops_reading() -> None:
    fake = FakeServer({"EHLO": b"250 mx.test\r\n"}, stops_reading=True)
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(DeliveryUnknown) as unknown:
            await client.send(SENDER, [ANN], b"x" * 30_000_000, timeouts=QUICK)
    assert isinstance(unknown.value.failure, WriteTimeout)
    assert not unknown.value.dot_sent


async def test_421_ends_the_session() -> None:
    fake = FakeServer({"RCPT": b"421 4.3.2 shutting down\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(SmtpRefused) as refused:
            await client.send(SENDER, [ANN], MESSAGE)
        assert not client.is_usable
    assert not refused.value.permanent
    assert fake.lines[-1].startswith("RCPT")


async def test_too_big_is_not_tried() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(NotOffered) as refused:
            await client.send(SENDER, [ANN], b"x" * 100_001)
    assert refused.value.reply == "SIZE 100000"
    assert len(fake.lines) == 1


async def test_eight_bits_and_other_scripts_when_offered() -> None:
    fake = FakeServer({"EHLO": b"250-mx.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        await client.send(SENDER, ["пётр@почта.test"], "a: b\r\n\r\nпривет\r\n".encode())
    assert fake.lines[1] == f"MAIL FROM:<{SENDER}> BODY=8BITMIME SMTPUTF8"
    assert fake.lines[2] == "RCPT TO:<пётр@почта.test>"


async def test_other_scripts_when_not_offered() -> None:
    fake = FakeServer({"EHLO": b"250 mx.test\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(NotOffered, match="SMTPUTF8"):
            await client.send(SENDER, ["пётр@there.test"], MESSAGE)
        with pytest.raises(NotOffered, match="8BITMIME"):
            await client.send(SENDER, [ANN], b"a: b\r\n\r\n\xff\r\n")
        result = await client.send(SENDER, ["ann@bücher.test"], MESSAGE)
    assert result.accepted == ("ann@bücher.test",)
    assert fake.lines[1:3] == [f"MAIL FROM:<{SENDER}>", "RCPT TO:<ann@xn--bcher-kva.test>"]


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test>\r\nRCPT TO:<x@y.test",
        "a@b.test> SIZE=1",
        "a b@c.test",
        "nobody",
        "@c.test",
        "a@",
        "",
        "a\0@c.test",
        "\ud800@c.test",
    ],
)
async def test_addresses_that_no_envelope_carries(address: str) -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(InvalidRequest):
            await client.send(SENDER, [ANN, address], MESSAGE)
        with pytest.raises(InvalidRequest):
            await client.send(SENDER, [], MESSAGE)
    assert len(fake.lines) == 1


async def test_verify_recipient_takes_everything_back() -> None:
    fake = FakeServer()
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        reply = await client.verify_recipient(SENDER, SENDER)
        await client.quit()
    assert reply.code == 250
    assert fake.lines[1:] == [f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SENDER}>", "RSET", "QUIT"]


@pytest.mark.parametrize(("verb", "step"), [("MAIL", Step.MAIL), ("RCPT", Step.RCPT)])
async def test_verify_recipient_names_the_step(verb: str, step: Step) -> None:
    fake = FakeServer({verb: b"554 5.7.1 Client host rejected: Access denied\r\n"})
    async with dialled(fake) as stream:
        client = SmtpClient(stream)
        await client.greet("client.test")
        with pytest.raises(SmtpRefused) as refused:
            await client.verify_recipient(SENDER, SENDER)
        assert client.is_usable
    assert refused.value.step is step
    assert refused.value.answer.enhanced == "5.7.1"


async def test_quit_is_quiet_when_the_server_is_gone() -> None:
    for answer in (DROP, SILENCE, b"junk\r\n"):
        async with dialled(FakeServer({"QUIT": answer})) as stream:
            client = SmtpClient(stream)
            await client.greet("client.test")
            await client.quit(timeout_s=0.1)
            assert not client.is_usable
