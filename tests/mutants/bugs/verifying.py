"""Planted bugs: verified means compared."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

VERIFYING = Section(
    "Verified means compared",
    (
        Mutant(
            "verify-by-size",
            "a pack is verified by its size alone",
            in_file("model.py", ("        if any(crc != self.expected_crc64nvme for crc in seen):\n", "        if False:\n")),
        ),
        Mutant(
            "size-not-compared",
            "a pack is verified whatever its size",
            in_file("model.py", ("        if self.stored.size_bytes != self.expected_size_bytes:\n", "        if False:\n")),
            proof="tests/unit/test_model.py",
        ),
        Mutant(
            "missing-checksum-accepted",
            "a pack without any checksum counts as verified",
            in_file("model.py", ("        if not seen:\n", "        if False:\n")),
            proof="tests/unit/test_model.py",
        ),
        Mutant(
            "no-read-back",
            "a store without checksums is believed",
            in_file(
                "steps/verify.py", ("    if level is Level.READ_BACK or stored.crc64nvme is None:\n", "    if level is Level.READ_BACK:\n")
            ),
        ),
        Mutant(
            "read-back-compares-nothing",
            "the pack is read back, and no member is compared",
            in_file("steps/verify.py", ("    for check in checks:\n        check.finish()\n", "")),
            proof="tests/unit/steps/test_verify.py",
        ),
        Mutant(
            "index-of-another-pack",
            "the index of another pack verifies this one",
            in_file(
                "model.py",
                ("        if (self.stored.bucket, self.stored.key) != (self.target.bucket, self.index.pack_key):\n", "        if False:\n"),
            ),
            proof="tests/unit/test_model.py",
        ),
        Mutant(
            "members-not-counted",
            "an index that lost lines is read as a whole one",
            in_file("core/packformat/index.py", ('    if first["members"] != count:\n', "    if False:\n")),
            proof="tests/unit/core/packformat/test_index.py",
        ),
        Mutant(
            "taken-over-unseen",
            "a pack of the same name is taken over without a look at its members",
            in_file(
                "steps/combine.py",
                (
                    "    if {member.identity for member in theirs.members} != {source.identity for source in plan.sources}:\n",
                    "    if False:\n",
                ),
            ),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "taken-over-by-size",
            "a pack that is there already is taken over where it has the right size",
            in_file("steps/combine.py", ("(stored.size_bytes, stored.crc64nvme) == (size, crc)", "stored.size_bytes == size")),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "foreign-index-believed",
            "the index of another pack says what is packed already",
            in_file(
                "steps/ledger.py",
                (
                    '    if named != pack_key:\n        raise BadPack(f"s3://{target.bucket}/{index_key} is the index of another pack, {named}")\n',
                    "",
                ),
            ),
            proof="tests/unit/steps/test_ledger.py",
        ),
        Mutant(
            "index-of-another-bucket",
            "the index of another bucket's group verifies a pack, and what goes is looked for in that bucket",
            in_file(
                "model.py",
                ("        if not self.stored.key.startswith(self.target.packs_prefix(self.index.group)):\n", "        if False:\n"),
            ),
            proof="tests/unit/test_model.py",
        ),
    ),
)
