"""Planted bugs: what a release promised, and another one does not keep."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_FORMATS = "tests/golden/test_golden_formats.py"
_NEWER = "tests/unit/steps/test_newer_formats.py"
_READING = "tests/unit/test_reading.py"
_PUBLISHED = "tests/golden/test_published.py"

COMPATIBILITY = Section(
    "Compatibility",
    (
        Mutant(
            "newer-version-read",
            "data that a newer release wrote is read as if this release knew its format",
            in_symbol(
                "log_aggregator.core.formats:check_version",
                ("type(found) is int and found > version", "False"),
                ("type(found) is not int or found != version", "type(found) is not int"),
            ),
            proof=f"{_FORMATS}::test_a_newer_version_is_refused_by_name",
        ),
        Mutant(
            "field-renamed",
            "a renamed field in the index makes every existing pack unreadable",
            in_symbol(
                "log_aggregator.core.packformat.index:_parse_member",
                ("line['size']", "line['size_bytes']"),
            ),
            proof=f"{_FORMATS}::test_every_file_is_read",
        ),
        Mutant(
            "version-raised",
            "custody records get a new version, and no golden file keeps its reader tested",
            in_symbol("log_aggregator.core.custody:VERSION", ("1", "2")),
            proof=f"{_FORMATS}::test_every_version_has_files",
        ),
        Mutant(
            "made-up-version-stops-runs",
            "one made-up custody record of a newer version stops every later run, so nothing is packed",
            in_symbol(
                "log_aggregator.steps.custody.chain:read_record",
                ("_is_of_chain(store, target, sequence, data)", "True"),
            ),
            proof=f"{_NEWER}::test_a_made_up_record_of_a_newer_version_stops_no_run",
        ),
        Mutant(
            "second-chain",
            "an older program starts a second chain of custody records next to a newer release's",
            in_symbol(
                "log_aggregator.steps.custody.chain:read_record",
                (
                    "raise NewerFormat(f's3://{target.bucket}/{key}: {error}') from error",
                    "return None",
                ),
            ),
            proof=f"{_NEWER}::test_an_older_run_writes_no_second_chain_beside_it",
        ),
        Mutant(
            "name-taken-back",
            "a field of the JSON gets another name, and scripts that read it break",
            in_symbol("log_aggregator.reports.run:describe_run", ("'packs'", "'written_packs'")),
            proof=f"{_PUBLISHED}::test_what_was_published_is_still_there",
        ),
        Mutant(
            "reader-writes",
            "the read-only store of the Python API also writes and deletes",
            in_symbol(
                "log_aggregator.adapters.read_only:ReadOnlyStore._call",
                ("call.operation not in READS", "False"),
            ),
            proof=f"{_READING}::test_nothing_is_written",
        ),
        Mutant(
            "unchecked-original",
            "a notebook gets the bytes of a member without their hash being compared",
            in_symbol(
                "log_aggregator.reading:Member.read",
                (
                    "return b''.join(original.pieces)",
                    "return b''.join(piece for _, piece in zip(range(1), original.pieces))",
                ),
            ),
            proof=f"{_READING}::test_a_damaged_member_is_not_given",
        ),
    ),
)
