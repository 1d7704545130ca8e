"""Planted bugs: a search that reports "nothing found" about logs it did not search."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

SEARCHING = Section(
    "Searching",
    (
        Mutant(
            "nothing-is-everything",
            'a search that finds nothing reports "not there", although some log objects were not '
            "searched",
            in_symbol(
                "log_aggregator.steps.search.answers:Coverage.is_whole",
                ("not self.unsearched_members", "True"),
            ),
            proof="tests/unit/cli/test_search_command.py::test_nothing_found_exits_with_1_only_after_a_complete_search",
        ),
        Mutant(
            "uncovered-forgotten",
            "a pack that no table covers is skipped, and the result does not say so",
            in_symbol(
                "log_aggregator.steps.search.look_up:_search_target",
                ("[name for name in sorted(packs) if name not in covered]", "[]"),
            ),
            proof="tests/unit/steps/search/test_look_up.py::test_a_pack_without_a_table_is_searched_by_its_own_terms",
        ),
        Mutant(
            "damaged-table-believed",
            "a table with changed bytes still counts as searched",
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
            proof="tests/unit/core/tables/test_wanted.py::test_every_address_of_a_network_matches",
        ),
    ),
)
