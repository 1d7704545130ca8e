"""Planted bugs: packing."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

PACKING = Section(
    "Packing",
    (
        Mutant(
            "last-of-a-pack-lost",
            "the last member of a full pack is in no pack",
            in_file("core/planning.py", ("            yield batch[:cut]\n", "            yield batch[: cut - 1] or batch[:cut]\n")),
        ),
        Mutant(
            "listed-twice",
            "an object that a listing shows twice ends the run",
            in_file(
                "core/planning.py",
                ("    ordered = sorted(listed_once.values(),", "    ordered = sorted(sources,"),
                (
                    "    listed_once = {source.log_object.identity: source for source in sources}  # S3 may list an object on two pages\n",
                    "    sources = list(sources)\n",
                ),
            ),
        ),
        Mutant(
            "name-of-the-first",
            "a pack is named after its first member, so two packs share a name",
            in_file(
                "core/planning.py",
                (
                    "    for log_object in objects:\n        digest.update",
                    "    for log_object in list(objects)[:1]:\n        digest.update",
                ),
            ),
            proof="tests/unit/core/test_planning.py",
        ),
        Mutant(
            "wrong-offset",
            "a member lies one byte beside where the index says",
            in_file("core/packformat/index.py", ('    yield "offset", member.offset\n', '    yield "offset", member.offset + 1\n')),
        ),
        Mutant(
            "damaged-gzip-inflated",
            "damaged gzip is packed as if it were whole, and hides the rest of the pack",
            in_file(
                "core/packformat/contents.py",
                ('        return Contents(Shape.SEALED, flags=("damaged-gzip",))\n', "        return Contents(Shape.GZIP)\n"),
            ),
            proof="tests/property/test_packs.py tests/unit/core/packformat/test_contents.py",
        ),
        Mutant(
            "versions-parted",
            "versions of a key come into several packs, whose deletions know nothing of each other",
            in_file("core/planning.py", ("            and is_other_key\n", "")),
            proof="tests/unit/core/test_planning.py",
        ),
        Mutant(
            "wrong-inner-offset",
            "a text member lies one byte beside where the index says, inside of its block",
            in_file(
                "core/packformat/builder.py",
                (
                    "self._block.append((original, len(self._block_text)))",
                    "self._block.append((original, len(self._block_text) + bool(self._block)))",
                ),
            ),
        ),
        Mutant(
            "block-lost",
            "the last block of text is in no pack",
            in_file(
                "core/packformat/builder.py",
                ("        yield from self._flush_block()\n\n    def _add_text", "        yield from ()\n\n    def _add_text"),
            ),
        ),
        Mutant(
            "copied-checksum-ignored",
            "a range that S3 copied counts as nothing in the checksum of the pack",
            in_file(
                "steps/packwriter.py",
                (
                    "            copied.take_piece(part.size_bytes, part.crc64nvme or 0)\n",
                    "            copied.take_piece(part.size_bytes, 0)\n",
                ),
            ),
            proof="tests/unit/steps/test_packwriter.py tests/unit/steps/test_group.py",
        ),
        Mutant(
            "bridge-unchecked",
            "the first bytes of a member that S3 copies are packed unchecked",
            in_file("steps/large.py", ("        _compare(source, whole.crc, stored.crc64nvme)\n    elif", "        pass\n    elif")),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "upload-gone-is-change",
            "an upload that was aborted is taken for a log object that has changed, and the run counts as good",
            in_file("steps/large.py", ('        if error.code == "NoSuchUpload":\n            raise\n', "")),
            proof="tests/unit/steps/test_large.py",
        ),
        Mutant(
            "encoding-dropped",
            "the content encoding does not come back",
            in_file("steps/read.py", ("body.content_type, body.content_encoding)", "body.content_type, None)")),
        ),
    ),
)
