"""Planted bugs: getting originals back."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

GETTING_BACK = Section(
    "Getting originals back",
    (
        Mutant(
            "forged-keys-believed",
            "put-back writes a key that a forged index names, whatever the pack's place says",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_start",
                ("not may_be_of(original.pack.group, original.member.key)", "False"),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_a_key_of_another_group_leads_nowhere",
        ),
        Mutant(
            "hints-believed",
            "a log that was packed by another layout than its key looks like is not found",
            in_symbol(
                "log_aggregator.steps.retrieval.find:find",
                ("remaining is not None", "False"),
            ),
            proof="tests/unit/steps/retrieval/test_find.py::test_a_free_key_is_found_where_its_date_does_not_say",
        ),
        Mutant(
            "dates-of-globs-believed",
            "packs of declared layouts are passed over where a glob holds a date",
            in_symbol(
                "log_aggregator.core.query:_Scope.days_of",
                ("self.is_certain or log_type in _BUILT_IN_TYPES", "True"),
            ),
            proof="tests/unit/steps/retrieval/test_find.py::test_a_glob_finds_all_free_keys",
        ),
        Mutant(
            "put-back-overwrites",
            "putting back says that an original is there where another object is",
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
            "an object with other user metadata is taken for the original",
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
            "an upload of an original that failed is left open",
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
            "what comes out of a pack is handed out without a look at its hash",
            in_symbol("log_aggregator.steps.retrieval.fetch:_checked", ("check.finish()", "")),
            proof="tests/property/test_fetching.py::test_every_flipped_bit_is_found_or_harmless",
        ),
        Mutant(
            "answers-mixed-up",
            "after a pack that could not be read its neighbour gets its answers",
            in_symbol("log_aggregator.steps.retrieval.fetch:_fetch_pack", ("ranges.finish()", "")),
            proof="tests/unit/steps/retrieval/test_fetch.py::TestSinks::test_what_nobody_takes_is_in_nobodys_way",
        ),
        Mutant(
            "no-second-pack",
            "an original that two packs hold is lost with one of them",
            in_symbol(
                "log_aggregator.steps.retrieval.fetch:alternatives", ("original.spares", "()")
            ),
            proof="tests/unit/steps/retrieval/test_fetch.py::test_the_other_pack_helps",
        ),
        Mutant(
            "thawing-is-thawed",
            "a pack that S3 is still thawing is read as if it were thawed",
            in_symbol(
                "log_aggregator.steps.retrieval.thaw:state_of",
                (
                    "return State.THAWING if stored.restore.is_ongoing else State.THAWED",
                    "return State.THAWED",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_thaw.py::test_the_whole_way",
        ),
        Mutant(
            "thawed-again",
            "packs that are readable are thawed again, and paid for",
            in_symbol(
                "log_aggregator.steps.retrieval.thaw:start_thawing",
                (
                    "asked = list(workers.read_ahead(ask, [each for each in states if each.state is State.FROZEN], lambda _: 1))",
                    "asked = list(workers.read_ahead(ask, list(states), lambda _: 1))",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_thaw.py::test_the_whole_way",
        ),
    ),
)
