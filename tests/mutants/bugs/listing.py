"""Planted bugs: believing listings that cannot be right."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

CHECKS = "log_aggregator.adapters.s3.listing_checks"
TESTS = "tests/unit/adapters/test_listing_checks.py"

LISTING = Section(
    "Listings from servers other than AWS",
    (
        Mutant(
            "empty-by-delimiter",
            "if a server returns no common prefixes, a full bucket looks empty, and logs and packs "
            "are not seen",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_prefixes",
                ("is_empty(page) and not is_empty(list_first(clients, listed, query))", "False"),
            ),
            proof=f"{TESTS}::TestDelimiter::test_a_server_without_common_prefixes_is_an_error",
        ),
        Mutant(
            "empty-at-once",
            "a log that arrives between two requests makes a correct server look unable to list by "
            "delimiter",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_prefixes",
                (
                    "page = list_folder(clients, listed, query)\nif is_empty(page):\n    raise no_delimiter(listed)",
                    "raise no_delimiter(listed)",
                ),
            ),
            proof=f"{TESTS}::TestDelimiter::test_a_log_arriving_between_requests_is_not_an_error",
        ),
        Mutant(
            "beyond-the-delimiter",
            "objects inside folders count as lying next to them",
            in_symbol(
                f"{CHECKS}:FolderPages.check_page",
                ("any(DELIMITER in key[begin:] for key in keys)", "False"),
            ),
            proof=f"{TESTS}::TestDelimiter::test_entries_beyond_the_delimiter_are_an_error",
        ),
        Mutant(
            "any-order",
            "keys out of S3's order are accepted, and the skip-scan jumps over logs",
            in_symbol(
                f"{CHECKS}:check_keys",
                (
                    "key < before or (key == before and not is_repeated)",
                    "key == before and not is_repeated",
                ),
            ),
            proof=f"{TESTS}::TestOrder::test_listings_in_any_other_order_are_an_error",
        ),
        Mutant(
            "page-for-ever",
            "a server that ignores StartAfter returns its first page forever",
            in_symbol(
                f"{CHECKS}:check_keys",
                ("keys[0] < start.key or (keys[0] == start.key and not is_repeated)", "False"),
            ),
            proof=f"{TESTS}::TestOrder::test_listings_in_any_other_order_are_an_error",
        ),
        Mutant(
            "same-version-for-ever",
            "a server that ignores VersionIdMarker returns the versions of a key forever",
            in_symbol(
                f"{CHECKS}:check_versions",
                (
                    "start.version_id in same or (same and start.version_id is None)",
                    "same and start.version_id is None",
                ),
            ),
            proof=f"{TESTS}::TestPagesOfVersions::test_repeated_versions_are_an_error",
        ),
        Mutant(
            "empty-page-for-ever",
            "an empty page that links to itself is fetched again and again",
            in_symbol(
                f"{CHECKS}:check_versions",
                ("following.key < last or following == start", "following.key < last"),
            ),
            proof=f"{TESTS}::TestPagesOfVersions::test_a_page_that_leads_back_is_an_error",
        ),
        Mutant(
            "round-and-round",
            "pages of a key's versions that link back to one another are fetched forever",
            in_symbol(
                "log_aggregator.steps.packs.pages:list_pages",
                ("following in begun", "following == start"),
            ),
            proof="tests/unit/steps/packs/test_pages.py::test_a_page_that_leads_back_is_an_error",
        ),
    ),
)
