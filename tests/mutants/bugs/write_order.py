"""Planted bugs: write order."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

WRITE_ORDER = Section(
    "Write order",
    (
        Mutant(
            "delete-before-verify",
            "originals are deleted before the pack is verified",
            (
                *in_symbol(
                    "log_aggregator.steps.packing.group:verify_settling",
                    (
                        "verified = verify_pack(store, target, settling.pack_key, level)",
                        """
                        from dataclasses import replace

                        from log_aggregator.core.packformat import expected_pack
                        from log_aggregator.steps.packs.index import read_index

                        found = read_index(store, target, settling.pack_key)
                        index = found.decode()
                        size, crc = expected_pack(index, found.data)
                        stored = store.head_object(target.bucket, settling.pack_key)
                        stored = replace(stored, size_bytes=size, crc64nvme=crc)
                        verified = VerifiedPack(target, index, stored, size, crc)
                        """,
                    ),
                ),
                *in_symbol(
                    "log_aggregator.steps.packing.delete:delete_originals",
                    ("verify_again(deleter.store, pack)", ""),
                ),
            ),
        ),
        Mutant(
            "no-second-look",
            "originals are deleted without checking that the verified pack still exists",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                ("verify_again(deleter.store, pack)", ""),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_a_changed_pack_is_not_trusted",
        ),
        Mutant(
            "index-not-durable",
            "originals are deleted although their index was never written",
            in_symbol(
                "log_aggregator.steps.packing.combine:combine",
                (
                    "write_index(store, plan.target, plan.key, index_data, options.index, sha256)",
                    "",
                ),
            ),
        ),
        Mutant(
            "index-first",
            "the index is written before its pack",
            in_symbol(
                "log_aggregator.steps.packing.combine:combine",
                (
                    "writer.append(encode_tail(index.format, index_data, index.content_length_bytes))",
                    """
                    write_index(store, plan.target, plan.key, index_data, options.index)
                    writer.append(encode_tail(index.format, index_data, index.content_length_bytes))
                    """,
                ),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_pack_index_and_terms_are_written_before_deletion",
        ),
        Mutant(
            "delete-what-was-planned",
            "deletion uses the listing instead of the verified index",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                (
                    "going = list(_find_going(pack, listed, packed_now=packed_now))",
                    "going = [one for key in listed._versions for one in listed._of_key(key)]",
                ),
            ),
        ),
        Mutant(
            "unfinished-upload-kept",
            "unfinished uploads of dead runs are never aborted and are billed forever",
            in_symbol(
                "log_aggregator.steps.packing.run:abort_stale_uploads",
                (
                    "store.list_multipart_uploads(target.bucket, prefix=f'{target.root}packs/')",
                    "[]",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_stale_uploads_are_aborted_after_a_day",
        ),
        Mutant(
            "abort-forgotten",
            "a failed upload is left open",
            in_symbol(
                "log_aggregator.steps.packing.pack_writer:PackWriter.abort_unless_completed",
                ("self._store.abort_multipart_upload(self._upload)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_pack_writer.py::test_a_failure_aborts_the_upload",
        ),
    ),
)
