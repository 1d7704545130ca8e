"""Planted bugs: what the signature of a custody record proves."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

SIGNING = Section(
    "Signatures of custody records",
    (
        Mutant(
            "cut-off-unseen",
            "the newest records can be removed although a signature shows that they existed",
            in_symbol(
                "log_aggregator.steps.custody.prove:_Comparing.find_missing",
                ("sequence >= begin and sequence not in self._seen", "False"),
            ),
            proof="tests/unit/steps/custody/test_prove.py::test_removing_the_newest_records_is_found",
        ),
        Mutant(
            "written-anew-unseen",
            "a rewritten chain is not compared with the signatures of the original",
            in_symbol(
                "log_aggregator.steps.custody.prove:_Comparing.take",
                ("proof.sha256 != found.sha256", "False"),
            ),
            proof="tests/unit/steps/custody/test_prove.py::test_a_rewritten_chain_is_found",
        ),
        Mutant(
            "any-key-proves",
            "anyone who can write to the bucket can prove a chain with a key of their own",
            in_symbol(
                "log_aggregator.steps.custody.prove:check_signature",
                ("trust.keys and signature.public_key not in trust.keys", "False"),
            ),
            proof="tests/unit/steps/custody/test_prove.py::test_an_unnamed_key_proves_nothing",
        ),
        Mutant(
            "key-by-its-name",
            "the key name stored with a public key is believed unchecked",
            in_symbol(
                "log_aggregator.core.signatures:find_flaw",
                ("signature.key != name_key(signature.public_key)", "False"),
            ),
            proof="tests/unit/core/test_signatures.py::test_a_signature_of_something_else_is_refused",
        ),
        Mutant(
            "signature-not-checked",
            "any bytes count as a valid signature",
            in_symbol(
                "log_aggregator.core.signatures:find_flaw",
                ("not verify(key, statement.encode(), signature.signature)", "False"),
            ),
            proof="tests/unit/core/test_signatures.py::test_every_changed_byte_is_found",
        ),
        Mutant(
            "signature-of-another-bucket",
            "a record signed for another bucket proves this chain",
            in_symbol(
                "log_aggregator.core.signatures:find_flaw",
                ("statement.bucket != target.bucket", "False"),
            ),
            proof="tests/unit/core/test_signatures.py::test_a_signature_is_valid_only_at_its_place",
        ),
        Mutant(
            "short-key",
            "a key that is short enough to be broken proves a chain",
            in_symbol(
                "log_aggregator.core.signatures:parse_signing_key",
                ("key.n.bit_length() < KEY_BITS_MIN", "False"),
            ),
            proof="tests/unit/core/test_signatures.py::test_short_keys_are_refused",
        ),
        Mutant(
            "bytes-beside-a-signature",
            "a signature file can carry extra bytes that were not signed",
            in_symbol(
                "log_aggregator.core.signatures:decode_signature",
                ("encode_signature(signature) != data", "False"),
            ),
            proof="tests/unit/core/test_signatures.py::test_invalid_signatures_are_refused",
        ),
        Mutant(
            "no-signature-is-proof",
            "removing all signatures leaves the chain proven",
            in_symbol(
                "log_aggregator.steps.custody.prove:_find_unproven",
                ("trust.keys and (not proofs)", "False"),
            ),
            proof="tests/unit/steps/custody/test_prove.py::test_without_signatures_a_named_key_proves_nothing",
        ),
        Mutant(
            "stamp-of-anything",
            "a time stamp of other data counts as the time of signing",
            in_symbol(
                "log_aggregator.adapters.time_stamps:TimeAuthorities.read",
                ("not _is_of(response, data)", "False"),
                ("hashlib.sha256(data).digest()", "response.tst_info.message_imprint.message"),
            ),
            proof="tests/unit/adapters/test_time_stamps.py::test_a_stamp_of_other_data_is_refused",
        ),
        Mutant(
            "stamp-given-once-more",
            "a time-stamping authority's old answer can be replayed as a new one",
            in_symbol(
                "log_aggregator.adapters.time_stamps:TimeAuthority._check",
                ("nonce != request.nonce", "False"),
            ),
            proof="tests/unit/adapters/test_time_stamps.py::test_an_answer_to_another_request_is_refused",
        ),
        Mutant(
            "signed-back-in-time",
            "a record signed today can be dated to last year",
            in_symbol(
                "log_aggregator.steps.custody.prove:check_signature",
                ("abs(stamp.moment - statement.signed_at) > CLOCKS_MAX", "False"),
            ),
            proof="tests/unit/steps/custody/test_prove.py::test_a_signature_with_a_different_time_than_its_stamp_is_refused",
        ),
        Mutant(
            "wrong-signature-stored",
            "a signature that does not match its key is stored permanently",
            in_symbol(
                "log_aggregator.steps.custody.sign:_make_signature",
                ("flaw is not None", "False"),
            ),
            proof="tests/unit/steps/custody/test_sign.py::test_a_signature_by_the_wrong_key_is_not_stored",
        ),
        Mutant(
            "unsigned-in-silence",
            "a run that cannot sign its record reports success",
            in_symbol(
                "log_aggregator.steps.custody.sign:sign_after_run",
                (
                    "result.failures.append(Failure.of('signature of the custody record', error, ADVICE))",
                    "pass",
                ),
            ),
            proof="tests/unit/steps/custody/test_sign.py::test_a_failed_signature_fails_the_run_and_undoes_nothing",
        ),
        Mutant(
            "functions-sign-nothing",
            "the stack has a signing key, but its runs sign nothing",
            in_symbol(
                "log_aggregator.handlers.finish:handler",
                ("sign_after_run(job, summary.result, call.connect_signing)", "pass"),
            ),
            proof="tests/simulation/test_signing_functions.py::test_a_run_signs_its_record",
        ),
    ),
)
