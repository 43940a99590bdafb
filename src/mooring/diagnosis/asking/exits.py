"""Whose addresses probes leave from, seen from whoever asks: pure."""

from collections.abc import Sequence

from mooring.config import EnvironmentName, Generation, Kind, PoolConfig
from mooring.diagnosis.types import Exit, Vantage

OWN = (Vantage.STATIC, Vantage.DYNAMIC)
_ORDER = tuple(Vantage)


def vantage_of(environment: EnvironmentName, generation: str, region: str) -> Vantage | None:
    """What an environment is to an application of this generation and region; None: nothing to it."""
    match environment.generation, environment.region, environment.kind:
        case Generation.WEBHOOK, _, _:
            return None
        case g, r, Kind.STATIC if (g, r) == (generation, region):
            return Vantage.STATIC
        case g, r, Kind.DYNAMIC if (g, r) == (generation, region):
            return Vantage.DYNAMIC
        case g, r, Kind.STATIC if g != generation and r == region:
            return Vantage.OTHER_GENERATION
        case g, _, Kind.STATIC if g == generation:
            return Vantage.OTHER_REGION
        case g, _, Kind.DYNAMIC if g == generation:
            return Vantage.OTHER_REGION_DYNAMIC
        case _:
            return None


def exits_for(pools: Sequence[PoolConfig], generation: str, region: str, foreign: bool) -> tuple[Exit, ...]:
    """Every source that a diagnosis can leave by: the own ones first, each pool in its own order.

    Args:
        pools: those that this process leaves by.
        foreign: whether those of the other generation and of other regions may be used as well (spec §4).
    """
    found = [
        Exit(vantage, str(pool.environment), source.name, str(source.address))
        for pool in pools
        if (vantage := vantage_of(pool.environment, generation, region)) is not None and (foreign or vantage in OWN)
        for source in pool.sources
    ]
    return tuple(sorted(found, key=lambda way_out: _ORDER.index(way_out.vantage)))


def environment_of(name: str) -> EnvironmentName | None:
    """The environment that is written so; None: none of today's."""
    try:
        generation, region, kind = name.split("-")
        return EnvironmentName(Generation(generation), region, Kind(kind))
    except ValueError:
        return None


def scopes_of(served: Sequence[PoolConfig], declared: Sequence[PoolConfig]) -> list[str]:
    """Whose questions a process can answer: of a generation and region of which it leaves by every declared pool."""
    serves = {pool.environment for pool in served}
    lacking = {_scope(pool) for pool in declared if pool.environment not in serves}
    return sorted({_scope(pool) for pool in served} - lacking)


def _scope(pool: PoolConfig) -> str:
    return f"{pool.environment.generation}-{pool.environment.region}"
