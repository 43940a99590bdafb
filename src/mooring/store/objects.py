"""Where message bodies lie: a folder, or a bucket of S3 and its like; bytes under names, nothing more.

obstore reads both and writes the bucket. In a folder we write ourselves: obstore's local store renames a
finished file into place but never calls fsync (seen with strace, obstore 0.12), so that a power cut could
leave an empty file under a name that a committed row already points to.
"""

import asyncio
import itertools
import os
import re
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from mooring.errors import ConfigError
from mooring.large import beside, copy
from mooring.store.errors import InvalidKey, ObjectMissing, StoreUnavailable

# What neither a file system nor S3 needs to escape; no segment is empty, "." or "..".
_KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")
# S3's keys end at 1024 bytes, and a file's name at 255 with our suffix; ours are far below.
_MAX_KEY_CHARS = 512
# DeleteObjects takes this many (Amazon S3 API reference).
_BATCH = 1000
# A second request costs about as much as reading this much more, from a disk and from S3 alike.
_GAP_BYTES = 256 * 1024
# A folder that is being deleted may vanish between our making it and our using it.
_PUT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object in a listing."""

    key: str
    size: int


class ObjectStore:
    """Objects under slash-separated keys.

    Args:
        root: the folder that holds them, or None for a bucket.
    """

    __slots__ = ("_root", "_store")

    def __init__(self, store: LocalStore | S3Store, root: Path | None) -> None:
        self._store = store
        self._root = root

    @classmethod
    def open(cls, url: str) -> Self:
        """The store that this URL names; nothing is sent anywhere yet.

        Args:
            url: ``file:///folder`` (made if need be, 0700) or ``s3://bucket/prefix``, with credentials, region
                and endpoint from the AWS_* environment variables.

        Raises:
            ConfigError: neither of the two, or the folder cannot be made.
        """
        parts = urlsplit(url)
        match parts.scheme:
            case "file" if not parts.netloc and parts.path.startswith("/"):
                root = Path(unquote(parts.path))
                try:
                    root.mkdir(mode=0o700, parents=True, exist_ok=True)
                except OSError as e:
                    raise ConfigError(f"the object store's folder {root} cannot be used: {e.strerror}") from e
                return cls(LocalStore(root), root)
            case "s3" if parts.netloc:
                try:
                    return cls(S3Store(parts.netloc, prefix=parts.path.strip("/") or None), None)
                except (BaseError, ValueError) as e:
                    raise ConfigError(f"the object store s3://{parts.netloc} cannot be used: {_first_line(e)}") from e
            case _:
                raise ConfigError(
                    f"an object store is a folder or a bucket, not {parts.scheme or 'this'}",
                    hint="file:///var/lib/mooring/objects or s3://bucket/prefix",
                )

    async def put(self, key: str, data: bytes) -> None:
        """Store the object: when this returns it is there for good; before, the old one is, or none.

        Raises:
            InvalidKey: the key is not ``letters-digits._-/…``.
            StoreUnavailable: it could not be written.
        """
        _check(key)
        try:
            if self._root is not None:
                await asyncio.to_thread(_write_durably, self._root, key, data)
            else:
                await obstore.put_async(self._store, key, data)
        except (BaseError, OSError) as e:
            raise StoreUnavailable(f"the object store did not take {key}: {_first_line(e)}") from e

    async def get_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly these bytes of the object.

        Raises:
            ObjectMissing: there is no such object, or it is shorter.
            StoreUnavailable: the store did not answer.
        """
        return (await self.get_ranges(key, [(offset, length)]))[0]

    async def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Exactly these parts of one object, in this order; neighbours are fetched together.

        Args:
            ranges: pairs of offset and length, in bytes.

        Raises:
            ObjectMissing: there is no such object, or it is shorter than a range asks.
            StoreUnavailable: the store did not answer.
        """
        _check(key)
        spans = _merge((offset, offset + length) for offset, length in ranges if length > 0)
        # Not obstore's own get_ranges: it panics where a range lies beyond the end (seen with 0.12).
        parts = dict(zip(spans, await asyncio.gather(*(self._get(key, *span) for span in spans)), strict=True))
        return [_cut(parts, offset, length) for offset, length in ranges]

    async def _get(self, key: str, start: int, end: int) -> bytes:
        try:
            given = await obstore.get_range_async(self._store, key, start=start, end=end)
            data = await beside(end - start, copy, memoryview(given))
        except FileNotFoundError as e:
            raise ObjectMissing(f"there is no object {key}") from e
        except (BaseError, OSError) as e:
            # Each store words a range beyond the end in its own way; the size is asked only after a failure.
            if await self._is_shorter(key, end):
                raise _ends_before(key) from e
            raise StoreUnavailable(f"the object store did not give {key}: {_first_line(e)}") from e
        if len(data) != end - start:
            raise _ends_before(key)
        return data

    async def delete(self, keys: Iterable[str]) -> None:
        """Make these objects be gone; those that are gone already do not matter.

        Raises:
            StoreUnavailable: the store did not answer; some may be gone.
        """
        names = list(keys)
        for key in names:
            _check(key)
        try:
            if self._root is not None:
                await asyncio.to_thread(_unlink, self._root, names)
                return
            for batch in _batches(names):
                await obstore.delete_async(self._store, batch)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as e:
            raise StoreUnavailable(f"the object store did not delete: {_first_line(e)}") from e

    async def delete_prefix(self, prefix: str) -> None:
        """Make everything under ``prefix/`` be gone.

        Raises:
            StoreUnavailable: the store did not answer; some of it may be gone.
        """
        _check(prefix)
        if self._root is not None:
            try:
                await asyncio.to_thread(_remove_folder, self._root / prefix)
            except OSError as e:
                raise StoreUnavailable(f"the object store did not delete {prefix}: {e.strerror}") from e
            return
        batch: list[str] = []
        async for found in self.list(prefix):
            batch.append(found.key)
            if len(batch) == _BATCH:
                await self.delete(batch)
                batch.clear()
        await self.delete(batch)

    async def list(self, prefix: str = "") -> AsyncGenerator[ObjectInfo]:
        """Every object under ``prefix/``, or every object, in the store's own order.

        Raises:
            StoreUnavailable: the store did not answer, perhaps in the middle.
        """
        if prefix:
            _check(prefix)
        try:
            # Its other overload returns a type of a package that is optional, and not installed.
            chunks = obstore.list(self._store, prefix or None, chunk_size=_BATCH)  # pyright: ignore[reportUnknownMemberType]
            async for chunk in chunks:
                for found in chunk:
                    yield ObjectInfo(found["path"], found["size"])
        except (BaseError, OSError) as e:
            raise StoreUnavailable(f"the object store did not list {prefix}: {_first_line(e)}") from e

    async def _is_shorter(self, key: str, size: int) -> bool:
        try:
            return (await obstore.head_async(self._store, key))["size"] < size
        except (BaseError, OSError):
            return False


def _check(key: str) -> None:
    if len(key) > _MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise InvalidKey(f"{key[:80]!r} cannot be an object's name")


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))


def _first_line(error: Exception) -> str:
    """What the store says, without the dump that obstore appends."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _ends_before(key: str) -> ObjectMissing:
    return ObjectMissing(f"the object {key} ends before the part that was asked for")


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same spans, with neighbours made one where reading the gap is cheaper than asking twice."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= _GAP_BYTES:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(parts: Mapping[tuple[int, int], bytes], offset: int, length: int) -> bytes:
    """One range out of the part that covers it."""
    for (start, end), data in parts.items():
        if length > 0 and start <= offset and offset + length <= end:
            return data[offset - start : offset - start + length]
    return b""


def _write_durably(root: Path, key: str, data: bytes) -> None:
    """File first, then its name, then the folders above it: each on the disk before the next."""
    target = root / key
    attempts_left = _PUT_ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            _write(target, data)
            break
        except FileNotFoundError:
            if not attempts_left:
                raise
    # All of them, since another writer may have made one just now and not synced it yet.
    for folder in itertools.takewhile(lambda folder: folder != root.parent, target.parents):
        with suppress(FileNotFoundError):
            _sync_folder(folder)


def _write(target: Path, data: bytes) -> None:
    # obstore's listing passes over names that end in # and digits: its own unfinished files look so.
    draft = target.with_name(f"{target.name}#{secrets.randbits(63)}")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        draft.rename(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unlink(root: Path, keys: Iterable[str]) -> None:
    for key in keys:
        (root / key).unlink(missing_ok=True)


def _remove_folder(folder: Path) -> None:
    """Remove the folder, unfinished files included, even while somebody adds to it."""
    for _ in range(_PUT_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    shutil.rmtree(folder)
