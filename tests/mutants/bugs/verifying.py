"""Planted bugs: verification of packs."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

VERIFYING = Section(
    "Verification",
    (
        Mutant(
            "members-read-once",
            "the members of a verified pack can be read only once, so deletion finds none and "
            "deletes nothing",
            in_symbol(
                "log_aggregator.core.packformat.index:StoredMembers.__iter__",
                ("map(_parse_member, _open(self._data)[1])", "iter(())"),
            ),
            proof="tests/property/test_hostile_input.py",
        ),
        Mutant(
            "verify-by-size",
            "a pack is verified by its size alone",
            in_symbol(
                "log_aggregator.model:VerifiedPack.__post_init__",
                ("any((crc != self.expected_crc64nvme for crc in seen))", "False"),
            ),
        ),
        Mutant(
            "size-not-compared",
            "a pack is verified whatever its size",
            in_symbol(
                "log_aggregator.model:VerifiedPack.__post_init__",
                ("self.stored.size_bytes != self.expected_size_bytes", "False"),
            ),
            proof="tests/unit/test_model.py::test_a_pack_with_wrong_evidence_cannot_be_made",
        ),
        Mutant(
            "missing-checksum-accepted",
            "a pack without a checksum counts as verified",
            in_symbol(
                "log_aggregator.model:VerifiedPack.__post_init__",
                (
                    """
                    if not seen:
                        raise VerificationError(f'{where}: S3 reports no checksum of the whole object, and it was not read back')
                    """,
                    """
                    if False:
                        raise VerificationError(f'{where}: S3 reports no checksum of the whole object, and it was not read back')
                    """,
                ),
            ),
            proof="tests/unit/test_model.py::test_a_pack_with_wrong_evidence_cannot_be_made",
        ),
        Mutant(
            "no-read-back",
            "a store that returns no checksums is trusted without reading the pack back",
            in_symbol(
                "log_aggregator.steps.packs.verify:verify_pack",
                (
                    "level is Level.READ_BACK or stored.crc64nvme is None",
                    "level is Level.READ_BACK",
                ),
            ),
        ),
        Mutant(
            "read-back-compares-nothing",
            "the pack is read back, but its members are not compared",
            in_symbol(
                "log_aggregator.steps.packs.verify:_check_extent",
                (
                    """
                    for check in checks:
                        check.finish()
                    """,
                    "",
                ),
            ),
            proof="tests/unit/steps/packs/test_verify.py::test_reading_back_compares_every_member",
        ),
        Mutant(
            "index-of-another-pack",
            "a pack is verified against the index of another pack",
            in_symbol(
                "log_aggregator.model:VerifiedPack.__post_init__",
                (
                    "(self.stored.bucket, self.stored.key) != (self.target.bucket, self.index.pack_key)",
                    "False",
                ),
            ),
            proof="tests/unit/test_model.py::test_a_pack_with_wrong_evidence_cannot_be_made",
        ),
        Mutant(
            "members-not-counted",
            "an index that has lost lines counts as complete",
            in_symbol(
                "log_aggregator.core.packformat.index:_parse_lines",
                ("count != expected", "False"),
            ),
            proof="tests/unit/core/packformat/test_index.py::test_wrong_values_are_a_bad_pack",
        ),
        Mutant(
            "taken-over-unseen",
            "an existing pack with the same name is adopted without checking its members",
            in_symbol(
                "log_aggregator.steps.packing.combine:_check_same_members",
                ("{member.identity for member in theirs} != own.keys()", "False"),
                ("own[member.identity]", "own.get(member.identity, member)"),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_a_valid_pack_with_other_members_is_refused",
        ),
        Mutant(
            "taken-over-by-size",
            "an existing pack is adopted if only its size matches",
            in_symbol(
                "log_aggregator.steps.packing.combine:_take_over",
                (
                    "stored.size_bytes == size and _crc_of(store, stored, plan.format) == crc",
                    "stored.size_bytes == size",
                ),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_an_existing_pack_of_the_same_size_keeps_its_own_index",
        ),
        Mutant(
            "foreign-index-believed",
            "another pack's index decides what counts as already packed",
            in_symbol(
                "log_aggregator.steps.packs.index:StoredIndex._check",
                ("head.pack_key != self.pack_key", "False"),
            ),
            proof="tests/unit/steps/packing/test_ledger.py::test_the_index_of_another_pack_is_refused",
        ),
        Mutant(
            "foreign-group-believed",
            "an index is accepted for a group although its pack lies in another group's folder",
            in_symbol(
                "log_aggregator.steps.packs.index:StoredIndex._check",
                ("not self.pack_key.startswith(self.target.packs_prefix(head.group))", "False"),
            ),
            proof="tests/unit/steps/packs/test_stored_index.py",
        ),
        Mutant(
            "index-of-another-bucket",
            "a pack is verified against another bucket's index, and originals are deleted from "
            "that bucket",
            in_symbol(
                "log_aggregator.model:VerifiedPack.__post_init__",
                (
                    "not self.stored.key.startswith(self.target.packs_prefix(self.index.group))",
                    "False",
                ),
            ),
            proof="tests/unit/test_model.py::test_a_pack_with_wrong_evidence_cannot_be_made",
        ),
        Mutant(
            "refusal-is-damage",
            "a pack that S3 refuses to return is reported as damaged",
            in_symbol(
                "log_aggregator.steps.upkeep.check:_blame",
                ("isinstance(error, (Unsound, NotFound))", "True"),
            ),
            proof="tests/unit/steps/test_no_evidence.py",
        ),
    ),
)
