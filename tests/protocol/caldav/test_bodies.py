"""Pages of errors, as a person sees them."""

import pytest

from mooring.protocols.caldav.bodies import visible


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        (b"plain words", "plain words"),
        (
            b"<TITLE>403</TITLE><style>p > b {}</STYLE><p>Not&nbsp;you &lt;here&gt;",
            "403 Not you <here>",
        ),
        (b"a<!-- <p>hidden</p> -->b<script>if (1 < 2) {}</script >c<scripted>d", "a b c d"),
        (b"before <!-- never closed", "before"),
        (b"before <script>never closed</p>", "before"),
        (b"before <a href", "before"),
        ("Zugriff verweigert f\xfcr \u0130".encode() + b"<br>\xff!", "Zugriff verweigert f\xfcr \u0130 \ufffd!"),
        (b"<!--" * 16_384, ""),
        (b"<script " * 8_192, ""),
        (b"<" * 65_536, ""),
        (b"<script></script>" * 4_000, ""),
        (b"", ""),
    ],
)
def test_what_is_seen(page: bytes, seen: str) -> None:
    assert visible(page).split() == seen.split()
