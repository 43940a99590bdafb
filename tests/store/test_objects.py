"""The object store in a folder, and in a bucket: a small S3 on 127.0.0.1 answers for the latter."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from mooring.errors import ConfigError
from mooring.store import InvalidKey, ObjectMissing, ObjectStore, StoreUnavailable
from tests.store.bucket import Bucket


@pytest.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Bucket]:
    """A running bucket, which the environment points to."""
    async with Bucket.serve() as served:
        for name, text in served.environment.items():
            monkeypatch.setenv(name, text)
        yield served


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty object store of each kind."""
    if request.param == "folder":
        return ObjectStore.open(f"file://{tmp_path}/some%20objects")
    request.getfixturevalue("bucket")
    return ObjectStore.open("s3://mail/some/prefix")


async def keys(objects: ObjectStore, prefix: str = "") -> list[tuple[str, int]]:
    return sorted([(found.key, found.size) async for found in objects.list(prefix)])


async def test_what_is_put_comes_back_in_parts(objects: ObjectStore) -> None:
    await objects.put("grant/2026/pack-1.bin", bytes(range(256)))
    assert await objects.get_range("grant/2026/pack-1.bin", 10, 3) == b"\x0a\x0b\x0c"
    parts = await objects.get_ranges("grant/2026/pack-1.bin", [(255, 1), (5, 0), (0, 2), (0, 256)])
    assert parts == [b"\xff", b"", b"\x00\x01", bytes(range(256))]
    assert await objects.get_ranges("grant/2026/pack-1.bin", []) == []


async def test_a_second_put_replaces(objects: ObjectStore) -> None:
    await objects.put("a/b", b"first, and longer")
    await objects.put("a/b", b"second")
    assert await keys(objects) == [("a/b", 6)]
    assert await objects.get_range("a/b", 0, 6) == b"second"


async def test_what_is_not_there_is_missing(objects: ObjectStore) -> None:
    await objects.put("a/b", b"123456")
    for key, offset, length in (("a/c", 0, 1), ("a/b", 4, 3), ("a/b", 6, 1), ("a/b", 100, 1)):
        with pytest.raises(ObjectMissing):
            await objects.get_range(key, offset, length)
        with pytest.raises(ObjectMissing):
            await objects.get_ranges(key, [(0, 1), (offset, length)])


async def test_delete_is_idempotent_and_takes_many(objects: ObjectStore) -> None:
    for key in ("a/1", "a/2", "a/3"):
        await objects.put(key, b"x")
    await objects.delete(["a/1", "a/never", "a/2"])
    await objects.delete(["a/1"])
    await objects.delete([])
    assert await keys(objects) == [("a/3", 1)]


async def test_a_prefix_is_whole_segments(objects: ObjectStore) -> None:
    for key in ("grant/1", "grant/deep/2", "grant2/3"):
        await objects.put(key, b"x")
    assert await keys(objects, "grant") == [("grant/1", 1), ("grant/deep/2", 1)]
    await objects.delete_prefix("grant")
    await objects.delete_prefix("grant")
    await objects.delete_prefix("never/was")
    assert await keys(objects) == [("grant2/3", 1)]
    assert await keys(objects, "grant") == []


async def test_many_puts_at_once_while_the_folder_is_deleted(objects: ObjectStore) -> None:
    async def put(n: int) -> None:
        await objects.put(f"g/{n}", b"x" * 10)

    await asyncio.gather(*(put(n) for n in range(20)), objects.delete_prefix("g"), *(put(n) for n in range(20, 40)))
    await objects.put("g/last", b"x")
    assert ("g/last", 1) in await keys(objects)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".", "a b", "a#1", "ä", "a\0", "a\n", "x" * 600, "a\\b"]
)
async def test_a_name_that_could_lead_elsewhere_is_refused(objects: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidKey):
        await objects.put(key, b"x")
    with pytest.raises(InvalidKey):
        await objects.get_range(key, 0, 1)
    with pytest.raises(InvalidKey):
        await objects.delete([key])
    with pytest.raises(InvalidKey):
        await objects.delete_prefix(key)


async def test_a_folder_is_private_and_holds_nothing_unfinished(tmp_path: Path) -> None:
    objects = ObjectStore.open(f"file://{tmp_path}/objects")
    await objects.put("a/b", b"x")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "objects", tmp_path / "objects/a")}
    assert modes == {0o700}
    assert stat.S_IMODE((tmp_path / "objects/a/b").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "objects/a") == ["b"]


async def test_what_a_killed_writer_left_is_not_listed_and_goes_with_its_prefix(tmp_path: Path) -> None:
    objects = ObjectStore.open(f"file://{tmp_path}/objects")
    await objects.put("a/b", b"x")
    (tmp_path / "objects/a/c#123456789").write_bytes(b"half")
    assert await keys(objects) == [("a/b", 1)]
    await objects.delete_prefix("a")
    assert not (tmp_path / "objects/a").exists()


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    objects = ObjectStore.open(f"file://{tmp_path}/objects")
    (tmp_path / "objects/a").write_bytes(b"a file where a folder has to be")
    with pytest.raises(StoreUnavailable):
        await objects.put("a/b", b"x")


async def test_a_bucket_that_refuses_is_unavailable(bucket: Bucket) -> None:
    objects = ObjectStore.open("s3://mail/p")
    bucket.refuses = True
    for attempt in (
        objects.put("a", b"x"),
        objects.get_range("a", 0, 1),
        objects.delete(["a"]),
        objects.delete_prefix("a"),
        keys(objects),
    ):
        with pytest.raises(StoreUnavailable):
            await attempt


async def test_credentials_are_in_no_error(bucket: Bucket) -> None:
    objects = ObjectStore.open("s3://mail/p")
    bucket.refuses = True
    with pytest.raises(StoreUnavailable) as caught:
        await objects.put("a", b"x")
    assert bucket.environment["AWS_SECRET_ACCESS_KEY"] not in f"{caught.value!r} {caught.value} {objects!r}"


@pytest.mark.parametrize(
    "url", ["", "objects", "file:objects", "file://host/objects", "s3://", "gs://bucket", "http://h/b"]
)
def test_any_other_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError):
        ObjectStore.open(url)
