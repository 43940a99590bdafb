"""The table: from what each group of ours saw of one service at one address to what that means. The first row that
matches counts (the codes are those of spec §6.17). A row is a function of a few lines; its docstring is the row.
"""

from collections.abc import Sequence

from mooring.diagnosis.verdict import faults, filters
from mooring.diagnosis.verdict.cells import Cell
from mooring.diagnosis.verdict.rows import Row, found
from mooring.diagnosis.verdict.types import Code, Finding

ROWS: Sequence[Row] = (
    filters.both_reach,
    filters.own_exit_is_broken,
    filters.block_list_is_named,
    filters.password_is_a_filter,
    filters.recipient_is_filtered,
    faults.credentials_are_wrong,
    faults.certificate_is_wrong,
    faults.tls_mode_is_wrong,
    faults.protocol_is_another,
    filters.server_says_too_many,
    filters.one_source_is_banned,
    filters.some_static_are_missing,
    filters.dynamic_is_filtered,
    filters.both_get_through,
    faults.port_is_closed,
    filters.other_list_is_allowed,
    filters.other_region_is_let_in,
    filters.nobody_is_let_in,
    faults.host_is_for_something_else,
    faults.server_is_down,
    filters.too_little,
)
"""In the order in which they are asked."""


def judge_cell(cell: Cell) -> Finding:
    """What is concluded about this service at this address."""
    for row in ROWS:
        if (finding := row(cell)) is not None:
            return finding
    return found(filters.too_little, cell, Code.INCONCLUSIVE, 0.5, cell.asked)
