"""As much of S3 as the object store uses, in memory: PUT, GET with a range, HEAD, DeleteObjects, ListObjectsV2."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

_DATE = "Sat, 21 Nov 2026 00:00:00 GMT"


@dataclass
class Bucket:
    """The bucket ``mail``; whoever connects may do anything, unless it refuses."""

    port: int = 0
    refuses: bool = False
    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret-that-must-not-show",
            "AWS_REGION": "us-east-1",
        }

    @classmethod
    @asynccontextmanager
    async def serve(cls) -> AsyncGenerator[Self]:
        bucket = cls()
        clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            clients[task] = writer
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    await bucket._answer(head.decode(), reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        bucket.port = server.sockets[0].getsockname()[1]
        try:
            yield bucket
        finally:
            server.close()
            for writer in clients.values():
                writer.close()
            await asyncio.gather(*clients)

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = request.split(" ")
        status, extra, answer = self._do(method, target, headers, body)
        fields = {"Content-Length": str(len(answer)), "Last-Modified": _DATE, "ETag": '"1"', **extra}
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status}\r\n{text}\r\n".encode() + (b"" if method == "HEAD" else answer))
        await writer.drain()

    def _do(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, str], bytes]:
        url = urlsplit(target)
        key = unquote(url.path.removeprefix("/mail").removeprefix("/"))
        query = parse_qs(url.query, keep_blank_values=True)
        if self.refuses:
            return "403 Forbidden", {}, b"<Error><Code>AccessDenied</Code></Error>"
        match method:
            case "PUT":
                self.objects[key] = body
                return "200 OK", {}, b""
            case "POST" if "delete" in query:
                names = re.findall(r"<Key>(.*?)</Key>", body.decode())
                for name in names:
                    self.objects.pop(name, None)
                deleted = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
                return "200 OK", {}, f"<DeleteResult>{deleted}</DeleteResult>".encode()
            case "GET" if "list-type" in query:
                return "200 OK", {}, self._listing(query.get("prefix", [""])[0])
            case "GET" | "HEAD" if key in self.objects:
                return self._part(self.objects[key], headers.get("range", ""))
            case _:
                return "404 Not Found", {}, b"<Error><Code>NoSuchKey</Code></Error>"

    def _part(self, data: bytes, asked: str) -> tuple[str, dict[str, str], bytes]:
        if not (found := re.fullmatch(r"bytes=(\d+)-(\d+)", asked)):
            return "200 OK", {}, data
        first, last = int(found[1]), min(int(found[2]), len(data) - 1)
        if first > last:
            return "416 Range Not Satisfiable", {}, b"<Error><Code>InvalidRange</Code></Error>"
        return "206 Partial Content", {"Content-Range": f"bytes {first}-{last}/{len(data)}"}, data[first : last + 1]

    def _listing(self, prefix: str) -> bytes:
        entries = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>"
            f"<ETag>1</ETag><Size>{len(data)}</Size></Contents>"
            for key, data in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()
