"""Planted bugs: which keys count as logs, and of which day."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_LAYOUTS = "log_aggregator.core.layouts"
_DECLARED = "tests/unit/core/layouts/test_declared.py"
_PARSE = "tests/unit/core/layouts/test_parse.py"

READING_KEYS = Section(
    "Reading keys",
    (
        Mutant(
            "no-log-packed",
            "tables, manifests and query results are packed and deleted if a broad declaration "
            "matches them",
            in_symbol(
                f"{_LAYOUTS}.declared:BucketLayouts._read_declared",
                (
                    "not _names_it(layout.pattern.sample, key, reason)",
                    "False",
                ),
            ),
            proof=f"{_DECLARED}::test_a_wildcard_does_not_match_other_objects",
        ),
        Mutant(
            "declarations-win",
            "a broad declaration captures logs that name an account, and accounts are mixed in one "
            "pack",
            in_symbol(
                f"{_LAYOUTS}.declared:BucketLayouts.read",
                (
                    "self._check_fronts(key, parsed)",
                    "self._read_declared(key, None, last_modified) or parsed",
                ),
            ),
            proof=f"{_DECLARED}::test_built_in_layouts_win_over_declarations",
        ),
        Mutant(
            "disagreeing-names",
            "a log in the folder of another day is packed under that day",
            in_symbol(
                f"{_LAYOUTS}.parse:_parse_name",
                ("abs(read.date - named.date) <= ONE_DAY", "True"),
            ),
            proof=f"{_PARSE}::test_a_key_without_a_certain_date_is_unknown",
        ),
        Mutant(
            "disagreeing-fronts",
            "a log under AWSLogs/ is skipped because a folder in front of it has another date",
            in_symbol(
                f"{_LAYOUTS}.parse:_agree_with_front",
                ("days == {parsed.facts.date}", "True"),
            ),
            proof=f"{_PARSE}::test_a_key_without_a_certain_date_is_unknown",
        ),
        Mutant(
            "disagreeing-vended",
            "the first of two dates in a key is used, although it is the date of a release",
            in_symbol(
                f"{_LAYOUTS}.parse:_parse_first_date",
                ("abs(other - read.date) > ONE_DAY", "False"),
            ),
            proof=f"{_PARSE}::test_a_key_without_a_certain_date_is_unknown",
        ),
        Mutant(
            "day-first",
            "in a date written day first, the hour after it is taken for a month",
            in_symbol(
                f"{_LAYOUTS}.parse:_parse_first_date",
                ("_DAY_FIRST.search(key, 0, found[0].start())", "False"),
            ),
            proof=f"{_PARSE}::test_a_key_without_a_certain_date_is_unknown",
        ),
        Mutant(
            "folders-as-regions",
            "a folder name is taken for a Region, and its logs are discarded as those of another "
            "Region",
            in_symbol(
                f"{_LAYOUTS}.facts:known_region",
                ("is_region(text) or text in GLOBAL_NAMES", "True"),
            ),
            proof=f"{_PARSE}::test_a_key_is_parsed_into_its_facts",
        ),
        Mutant(
            "oldest-version-dates",
            "a key dated by LastModified is filed under the day of its oldest version",
            in_symbol(
                f"{_LAYOUTS}.declared:BucketLayouts.read_listed",
                ("listed.versions[0]", "listed.versions[-1]"),
            ),
            proof=f"{_DECLARED}::test_a_key_can_be_dated_by_last_modified",
        ),
        Mutant(
            "hidden-keys-jumped",
            "the listing skips keys of another declared layout that lie between those of other "
            "days",
            in_symbol(
                f"{_LAYOUTS}.declared:BucketLayouts.position",
                ("position if safe else None", "position"),
            ),
            proof=f"{_DECLARED}::test_no_wanted_key_is_skipped",
        ),
        Mutant(
            "neighbours-jumped",
            "the listing skips access logs that lie between logs with compact dates",
            in_symbol(
                f"{_LAYOUTS}.grammar:DateGrammar.stops",
                (
                    "self.spell(day).union((form.format(day) for form in self.neighbours))",
                    "self.spell(day)",
                ),
            ),
            proof=f"{_DECLARED}::test_no_wanted_key_is_skipped",
        ),
    ),
)
