"""What is said when ``nft`` is missing, may not, or refuses."""

from pathlib import Path

import pytest

from mooring.egress import Guard, GuardMode, GuardState, Nft
from mooring.errors import ConfigError, Forbidden

GUARD = Guard(1001, "mooring", (), (), drop=False)

MISSING = "Error: Could not process rule: No such file or directory\ndelete table inet mooring_guard_1001\n"
NOT_PERMITTED = "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed\n"


def saying(folder: Path, words: str) -> Nft:
    """An nft that takes its input, says this and fails."""
    program = folder / "nft"
    program.write_text(f"#!/bin/sh\n/bin/cat >/dev/null\nprintf '%s' '{words}' >&2\nexit 1\n")
    program.chmod(0o755)
    return Nft(str(folder))


async def test_a_missing_nft_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nft is not installed") as missing:
        await Nft(str(tmp_path)).apply(GUARD)
    assert missing.value.hint == "apt-get install nftables"


async def test_missing_rights_are_named_with_a_way_to_get_them(tmp_path: Path) -> None:
    nft = saying(tmp_path, NOT_PERMITTED)
    for work in (nft.apply(GUARD), nft.look(1001), nft.remove(1001)):
        with pytest.raises(Forbidden) as forbidden:
            await work
        assert "sudo" in forbidden.value.hint


async def test_a_table_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    nft = saying(tmp_path, MISSING)
    assert await nft.look(1001) == GuardState(GuardMode.NOT_APPLIED)
    assert await nft.remove(1001) is False


@pytest.mark.parametrize("words", ["Error: syntax error, unexpected junk\nline 3\n", ""])
async def test_any_other_refusal_is_quoted(tmp_path: Path, words: str) -> None:
    with pytest.raises(ConfigError, match=words.splitlines()[0] if words else "it says nothing"):
        await saying(tmp_path, words).apply(GUARD)
