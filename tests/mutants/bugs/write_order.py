"""Planted bugs: write order."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

WRITE_ORDER = Section(
    "Write order",
    (
        Mutant(
            "delete-before-verify",
            "originals go while the pack has not been verified",
            (
                *in_file(
                    "steps/group.py",
                    (
                        '    with _timed(result, "verify"):\n        verified = verify_pack(store, target, settling.pack_key, level)\n',
                        "    from log_aggregator.core.packformat import expected_pack\n    from log_aggregator.steps.ledger import read_index\n\n    index, data = read_index(store, target, settling.pack_key)\n    size, crc = expected_pack(index, data)\n    stored = replace(store.head_object(target.bucket, settling.pack_key), size_bytes=size, crc64nvme=crc)\n    verified = VerifiedPack(target, index, stored, size, crc)\n",
                    ),
                    ("from dataclasses import dataclass, field\n", "from dataclasses import dataclass, field, replace\n"),
                ),
                *in_file("steps/delete.py", ("    verify_again(store, pack)\n", "")),
            ),
        ),
        Mutant(
            "no-second-look",
            "nobody looks whether the verified pack is still there before originals go",
            in_file("steps/delete.py", ("    verify_again(store, pack)\n", "")),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "index-not-durable",
            "originals go while their index was never written",
            in_file(
                "steps/combine.py",
                (
                    "    write_index(store, plan.target, plan.key, index_data, options.index)\n    return _written(plan, size)\n\n\ndef _write_members",
                    "    return _written(plan, size)\n\n\ndef _write_members",
                ),
            ),
        ),
        Mutant(
            "index-first",
            "the index is written before its pack",
            in_file(
                "steps/combine.py",
                (
                    "        writer.append(encode_tail(index.format, index_data, index.content_length_bytes))\n",
                    "        write_index(store, plan.target, plan.key, index_data, options.index)\n        writer.append(encode_tail(index.format, index_data, index.content_length_bytes))\n",
                ),
            ),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "delete-what-was-planned",
            "deletion takes what was listed instead of what stands in the verified index",
            in_file(
                "steps/delete.py",
                (
                    "    going = [member for member in pack.index.members if member.identity in listed]\n",
                    "    from dataclasses import replace\n\n    some = pack.index.members[0]\n    going = [replace(some, key=i[0], version_id=i[1], etag=i[2]) for i in sorted(listed._identities, key=str)]\n",
                ),
            ),
        ),
        Mutant(
            "unfinished-upload-kept",
            "uploads of dead runs are never aborted, and are billed for ever",
            in_file(
                "steps/run.py",
                (
                    '            for upload in store.list_multipart_uploads(target.bucket, prefix=f"{target.root}packs/"):\n',
                    "            for upload in []:\n",
                ),
            ),
            proof="tests/unit/steps/test_run.py",
        ),
        Mutant(
            "abort-forgotten",
            "an upload that failed is left open",
            in_file("steps/packwriter.py", ("            self._store.abort_multipart_upload(self._upload)\n", "            pass\n")),
            proof="tests/unit/steps/test_group.py tests/unit/steps/test_packwriter.py",
        ),
    ),
)
