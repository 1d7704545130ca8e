"""Planted bugs: getting originals back."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

GETTING_BACK = Section(
    "Getting originals back",
    (
        Mutant(
            "forged-keys-believed",
            "put-back writes a key from a forged index, although the key does not belong to the "
            "pack's group",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_start",
                ("not may_be_of(original.pack.group, original.member.key)", "False"),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_a_forged_key_of_another_group_is_refused",
        ),
        Mutant(
            "hints-believed",
            "a log is not found if it was packed under a different layout than its key suggests",
            in_symbol(
                "log_aggregator.steps.retrieval.find:find",
                ("remaining is not None", "False"),
            ),
            proof="tests/unit/steps/retrieval/test_find.py::test_a_free_key_is_found_on_another_date",
        ),
        Mutant(
            "dates-of-globs-believed",
            "packs of declared layouts are skipped when a glob contains a date",
            in_symbol(
                "log_aggregator.core.query:_Scope.days_of",
                ("self.is_certain or log_type in _BUILT_IN_TYPES", "True"),
            ),
            proof="tests/unit/steps/retrieval/test_find.py::test_a_glob_finds_all_free_keys",
        ),
        Mutant(
            "put-back-overwrites",
            "put-back reports an original as present although another object has its key",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_is_there",
                (
                    """
                    if stored.size_bytes != member.size_bytes:
                        raise taken
                    """,
                    "return True",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_nothing_is_overwritten",
        ),
        Mutant(
            "put-back-unlike",
            "an object with different user metadata is accepted as the original",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_is_alike",
                (
                    "dict(body.metadata) == dict(member.metadata) and (member.content_type is None or body.content_type == member.content_type) and ((body.content_encoding or None) == (member.content_encoding or None))",
                    "(member.content_type is None or body.content_type == member.content_type) and (body.content_encoding or None) == (member.content_encoding or None)",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_nothing_is_overwritten",
        ),
        Mutant(
            "put-back-left-open",
            "a failed upload of an original is left open",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_put_large",
                (
                    """
                    store.abort_multipart_upload(upload)
                    raise
                    """,
                    "raise",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_damage_is_never_put_back",
        ),
        Mutant(
            "extracted-unchecked",
            "extracted members are handed out without checking their hash",
            in_symbol("log_aggregator.steps.retrieval.fetch:_checked", ("check.finish()", "")),
            proof="tests/property/test_fetching.py::test_every_flipped_bit_is_found_or_harmless",
        ),
        Mutant(
            "answers-mixed-up",
            "after a pack that could not be read, the next pack gets its answers",
            in_symbol("log_aggregator.steps.retrieval.fetch:_fetch_pack", ("ranges.finish()", "")),
            proof="tests/unit/steps/retrieval/test_fetch.py::TestSinks::test_unread_originals_do_not_affect_the_next",
        ),
        Mutant(
            "no-second-pack",
            "an original held by two packs is lost if one of them is",
            in_symbol(
                "log_aggregator.steps.retrieval.fetch:alternatives", ("original.spares", "()")
            ),
            proof="tests/unit/steps/retrieval/test_fetch.py::test_a_second_pack_replaces_an_unreadable_one",
        ),
        Mutant(
            "thawing-is-thawed",
            "a pack that S3 is still thawing is read as if it were ready",
            in_symbol(
                "log_aggregator.steps.retrieval.thaw:state_of",
                (
                    "return State.THAWING if stored.restore.is_ongoing else State.THAWED",
                    "return State.THAWED",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_thaw.py::test_packs_are_thawed_read_and_frozen_again",
        ),
        Mutant(
            "thawed-again",
            "packs that are already readable are thawed and paid for again",
            in_symbol(
                "log_aggregator.steps.retrieval.thaw:start_thawing",
                (
                    "asked = list(workers.read_ahead(ask, [each for each in states if each.state is State.FROZEN], lambda _: 1))",
                    "asked = list(workers.read_ahead(ask, list(states), lambda _: 1))",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_thaw.py::test_packs_are_thawed_read_and_frozen_again",
        ),
    ),
)
