"""Planted bugs: the terms that make packs searchable."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

READERS = "tests/unit/core/terms/test_readers.py"
HOSTILE = "tests/unit/core/terms/test_hostile.py"
COLLECT = "tests/unit/core/terms/test_collect.py"
PACK_TERMS = "tests/unit/core/terms/test_packterms.py"

TERMS = Section(
    "Search terms",
    (
        Mutant(
            "damaged-lines-searched",
            "a log with an unreadable line counts as fully searched",
            in_symbol(
                "log_aggregator.core.terms.readers.pieces:read_json_lines",
                ("damaged = True", "damaged = False"),
            ),
            proof=f"{READERS}::test_a_damaged_log_is_partly_read_and_unsearched",
        ),
        Mutant(
            "damaged-events-searched",
            "a log with an unreadable event counts as fully searched",
            in_symbol(
                "log_aggregator.core.terms.readers.records:Records.read",
                ("damaged = True", "pass"),
            ),
            proof=f"{READERS}::test_a_damaged_log_is_partly_read_and_unsearched",
        ),
        Mutant(
            "long-lines-searched",
            "a log whose long lines were skipped counts as fully searched",
            in_symbol(
                "log_aggregator.core.terms.readers.pieces:Pieces.check",
                ("self._has_long", "False"),
            ),
            proof=f"{HOSTILE}::test_a_crowded_log_is_unsearched_and_takes_little_memory",
        ),
        Mutant(
            "crowded-events-decoded",
            "an event of a million empty lists takes hundreds of megabytes of memory",
            in_symbol(
                "log_aggregator.core.terms.readers.records:has_few_values",
                ("VALUES_MAX", "size"),
            ),
            proof=f"{HOSTILE}::test_a_large_log_is_read_by_event",
        ),
        Mutant(
            "hidden-first-column",
            "a byte order mark hides the addresses in a flow log, which counts as fully searched",
            in_symbol(
                "log_aggregator.core.terms.readers.flows:read_flows",
                ("not data[:end].isascii()", "False"),
                ("data[:end].decode('ascii')", "data[:end].decode('ascii', 'replace')"),
            ),
            proof=f"{HOSTILE}::test_other_encodings_are_unsearched",
        ),
        Mutant(
            "callers-lost-while-frozen",
            "callers counted while older terms are being written out are lost",
            in_symbol(
                "log_aggregator.core.terms.tally:Tally._drain",
                ("groups.clear()", "self._groups = {}"),
            ),
            proof=f"{COLLECT}::test_callers_keep_their_count_when_memory_is_full",
        ),
        Mutant(
            "places-of-one-caller",
            "if several callers use a role, only the first one's log objects are found",
            in_symbol(
                "log_aggregator.core.terms.tally:Tally._expand",
                ("known[3] += _places(entry)", "pass"),
            ),
            proof=f"{COLLECT}::test_a_role_is_found_in_all_its_sessions",
        ),
        Mutant(
            "too-many-unsaid",
            "a log with more terms than there is room for counts as fully searched",
            in_symbol(
                "log_aggregator.core.terms.collect:Collector.add",
                ("self._unsearched[Unsearched.TOO_MANY] += 1", "pass"),
            ),
            proof=f"{COLLECT}::test_a_log_with_too_many_terms_is_unsearched",
        ),
        Mutant(
            "skipped-as-searched",
            "a member that was copied unread counts as searched",
            in_symbol(
                "log_aggregator.core.terms.collect:Collector.skip",
                ("self._unsearched[reason] += 1", "pass"),
            ),
            proof=f"{COLLECT}::test_unreadable_members_are_unsearched_and_the_rest_is_kept",
        ),
        Mutant(
            "short-terms-believed",
            "truncated terms are accepted, and a search misses everything in the lost part",
            in_symbol(
                "log_aggregator.core.terms.packterms:_decode_blocks",
                (
                    "raise BadTerms('the terms are cut short, or their number is wrong')",
                    "return",
                ),
            ),
            proof=f"{PACK_TERMS}::test_truncated_terms_are_refused",
        ),
        Mutant(
            "members-beyond-the-pack",
            "terms that point to members beyond the end of the pack are accepted",
            in_symbol(
                "log_aggregator.core.terms.packterms:_decode_places",
                ("before >= members or not places", "not places"),
            ),
            proof=f"{PACK_TERMS}::test_impossible_terms_are_refused",
        ),
        Mutant(
            "another-key-believed",
            "hashes made with another key are searched, and nothing is found in them",
            in_symbol(
                "log_aggregator.steps.search.look_up:Asked.hides",
                ("pack.search_key == self.search_key_id", "True"),
            ),
            proof="tests/unit/steps/search/test_hashed_values.py::test_with_another_key_the_pack_is_unsearched",
        ),
        Mutant(
            "one-hash-in-every-field",
            "a value has the same hash whatever the key is",
            in_symbol(
                "log_aggregator.core.terms.hashing:SearchKey.hash",
                (
                    "hmac.digest(self.secret, message, 'sha256')",
                    "hmac.digest(b'', message, 'sha256')",
                ),
            ),
            proof="tests/unit/core/terms/test_hashing.py::test_hashes_differ_by_field_key_and_value",
        ),
    ),
)
