"""Situations in which an exit of our own is broken. None of them says that a server needs anything."""

from tests.lab.situations.rules import admit, drop
from tests.lab.situations.sources import (
    BESIDE_HOLE,
    BESIDE_LOST,
    BESIDE_NO_ROUTE6,
    BESIDE_PROXIES,
    BESIDE_STATIC_HOLE,
    BOTH_HOLES,
    HOLE,
    LOST,
    NO_ROUTE6,
    STATIC_HOLE,
    Site,
)
from tests.lab.situations.types import WELL, Situation

_LOST = "here: EADDRNOTAVAIL"

SITUATIONS = (
    Situation(
        "our-address-lost",
        "The host of our dynamic source no longer has its address.",
        expected=("own_exit_broken",),
        sees={(BESIDE_LOST,): WELL, (LOST,): _LOST},
        site=Site.BROKEN,
        region="lost",
    ),
    Situation(
        "our-packets-swallowed",
        "What leaves from our dynamic source arrives nowhere.",
        expected=("own_exit_broken",),
        sees={(BESIDE_HOLE,): WELL, (HOLE,): "silent"},
        site=Site.BROKEN,
        region="hole",
        credentials=True,
    ),
    Situation(
        "our-packets-swallowed-and-filtered",
        "The same, before a server that does admit the static list only, which nobody can know.",
        expected=("own_exit_broken",),
        sees={(BESIDE_HOLE,): WELL, (HOLE,): "silent"},
        rules=(admit((BESIDE_HOLE,)), drop()),
        site=Site.BROKEN,
        region="hole",
    ),
    Situation(
        "our-static-packets-swallowed",
        "What leaves from our static source arrives nowhere; from the dynamic one all is well.",
        expected=("own_exit_broken", "not_needed"),
        sees={(BESIDE_STATIC_HOLE,): WELL, (STATIC_HOLE,): "silent"},
        site=Site.BROKEN,
        region="statichole",
    ),
    Situation(
        "all-our-packets-swallowed",
        "Neither source works; the server is well.",
        expected=("own_exit_broken",),
        sees={BOTH_HOLES: "silent"},
        site=Site.BROKEN,
        region="holes",
    ),
    Situation(
        "our-ipv6-without-route",
        "Our dynamic source has no route to an IPv6 server.",
        expected=("own_exit_broken",),
        sees={(BESIDE_NO_ROUTE6,): WELL, (NO_ROUTE6,): "here: ENETUNREACH"},
        families="6",
        site=Site.BROKEN,
        region="noroute",
    ),
    Situation(
        "our-proxy-down",
        "Our dynamic source's proxy is not running.",
        expected=("own_exit_broken",),
        sees={BESIDE_PROXIES[:1]: WELL},
        site=Site.BROKEN,
        region="deadproxy",
    ),
    Situation(
        "our-proxy-cut-off",
        "Our dynamic source's proxy answers, and its own network is unreachable from there.",
        expected=("own_exit_broken",),
        sees={BESIDE_PROXIES[1:2]: WELL},
        site=Site.BROKEN,
        region="cutoff",
    ),
    Situation(
        "our-proxy-swallowed",
        "Our dynamic source's proxy answers, and what it sends arrives nowhere.",
        expected=("own_exit_broken",),
        sees={BESIDE_PROXIES[2:]: WELL},
        site=Site.BROKEN,
        region="swallowed",
    ),
)
