"""Planted bugs: an evidence bundle or its verifier that claims more than it knows."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_VERIFIER = "tests/unit/test_verifier.py"

BUNDLING = Section(
    "Evidence bundles",
    (
        Mutant(
            "bundle-header-unread",
            "bytes in front of a file in the zip can be changed unnoticed",
            in_symbol(
                "log_aggregator.verifier:Zip._check_entry",
                ("header != _encode_local(entry.path, crc, entry.size)", "False"),
            ),
            proof="tests/property/test_bundle_changes.py",
        ),
        Mutant(
            "bundle-hash-unread",
            "a file's SHA-256 is not compared with the manifest",
            in_symbol(
                "log_aggregator.verifier:Folder.check_bytes",
                ("_hash_pieces(self.pieces(entry)).hexdigest() != entry.sha256", "False"),
            ),
            proof="tests/property/test_bundle_changes.py",
        ),
        Mutant(
            "bundle-signature-believed",
            "every RSA signature counts as valid",
            in_symbol(
                "log_aggregator.verifier:_is_signed",
                ('pow(value, e, n).to_bytes(length, "big") == expected', "True"),
            ),
            proof=f"{_VERIFIER}::test_a_changed_file_fails_verification",
        ),
        Mutant(
            "bundle-missing-log-forgotten",
            "a log named by CloudTrail's digest can be missing unnoticed",
            in_symbol(
                "log_aggregator.verifier:_Digests.finish",
                ("_is_within(_LOG_DATE, key, self._bundle.about, 0)", "False"),
            ),
            proof=f"{_VERIFIER}::test_a_changed_file_fails_verification",
        ),
        Mutant(
            "bundle-cut-chain-believed",
            "a signature of a removed record does not reveal the removal",
            in_symbol(
                "log_aggregator.verifier:_find_flaw",
                ("sequence not in hashes", "False"),
            ),
            proof=f"{_VERIFIER}::test_a_signature_reveals_a_removed_record",
        ),
        Mutant(
            "bundle-frozen-left-out",
            "the bundle does not name the packs that could not be read",
            in_symbol(
                "log_aggregator.steps.evidence.bundle:Bundle._take_pack",
                ("failed.items()", "()"),
            ),
            proof="tests/unit/cli/test_evidence_command.py::test_frozen_packs_are_named_and_fail_the_command",
        ),
    ),
)
