"""Which line of a TOML text says a thing, so that an error can point at it."""

import re

_TABLE = re.compile(r"^\s*\[(\[)?\s*([A-Za-z0-9_.\- ]+?)\s*\](\])?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\-.\"']+)\s*=")


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The 1-based line that sets ``path``, or that opens the deepest table of it; 1 when nothing matches.

    Args:
        path: for example ``("egress", "source", 1, "via")``; numbers count ``[[…]]`` tables from 0.
    """
    best_line, best_depth = 1, 0
    seen: dict[str, int] = {}
    here: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if table := _TABLE.match(line):
            here = tuple(part.strip() for part in table[2].split("."))
            if table[1]:
                index = seen.get(table[2], -1) + 1
                seen[table[2]] = index
                here = (*here, index)
            candidate = here
        elif key := _KEY.match(line):
            candidate = (*here, *(part.strip("\"' ") for part in key[1].split(".")))
        else:
            continue
        depth = len(candidate)
        if candidate == path[:depth] and depth > best_depth:
            best_line, best_depth = number, depth
    return best_line
