"""Planted bugs: a search that says "nothing" of what it did not look at."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

SEARCHING = Section(
    "Searching",
    (
        Mutant(
            "nothing-is-everything",
            "nothing found counts as nothing there, although log objects were not looked at",
            in_symbol(
                "log_aggregator.steps.search.answers:Coverage.is_whole",
                ("not self.unsearched_members", "True"),
            ),
            proof="tests/unit/cli/test_search_command.py::test_nothing_found_is_1_only_where_everything_was_looked_at",
        ),
        Mutant(
            "uncovered-forgotten",
            "a pack that no table covers is not looked at, and nobody says so",
            in_symbol(
                "log_aggregator.steps.search.look_up:_search_target",
                ("[name for name in sorted(packs) if name not in covered]", "[]"),
            ),
            proof="tests/unit/steps/search/test_look_up.py::test_a_pack_that_no_table_covers_is_read_by_its_own_terms",
        ),
        Mutant(
            "damaged-table-believed",
            "a table whose bytes have changed still counts as searched",
            in_symbol(
                "log_aggregator.core.tables.parquet:decode_piece",
                ("zlib.crc32(data) != piece.crc32", "False"),
            ),
            proof="tests/unit/steps/search/test_look_up.py::test_a_damaged_table_covers_nothing",
        ),
        Mutant(
            "network-cut-short",
            "the last addresses of a network are not found",
            in_symbol(
                "log_aggregator.core.tables.wanted:_prefixes_v4",
                ("1 << max(0, 8 * (whole + 1) - network.prefixlen)", "1"),
            ),
            proof="tests/unit/core/tables/test_wanted.py::test_every_address_of_a_network_is_in_its_spans_and_matches",
        ),
    ),
)
