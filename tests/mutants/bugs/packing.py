"""Planted bugs: packing."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

PACKING = Section(
    "Packing",
    (
        Mutant(
            "last-of-a-pack-lost",
            "the last member of a full pack is in no pack",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                ("yield batch[:cut]", "yield (batch[:cut - 1] or batch[:cut])"),
            ),
        ),
        Mutant(
            "listed-twice",
            "an object that appears twice in a listing aborts the run",
            in_symbol(
                "log_aggregator.core.planning:_each_once",
                ("{source.log_object.identity: source for source in same}.values()", "same"),
            ),
        ),
        Mutant(
            "name-of-the-first",
            "a pack is named after its first member, so two packs can share a name",
            in_symbol(
                "log_aggregator.core.planning:pack_id",
                (
                    """
                    for log_object in objects:
                        *fields, written = log_object.identity
                        line = [*fields, None if written is None else encode_time(written)]
                        digest.update(json.dumps(line).encode() + b'\\n')
                    """,
                    """
                    for log_object in list(objects)[:1]:
                        *fields, written = log_object.identity
                        line = [*fields, None if written is None else encode_time(written)]
                        digest.update(json.dumps(line).encode() + b'\\n')
                    """,
                ),
            ),
            proof="tests/unit/core/test_planning.py::test_every_member_affects_the_id",
        ),
        Mutant(
            "wrong-offset",
            "the index gives a member's offset one byte too high",
            in_symbol(
                "log_aggregator.core.packformat.index:_member_fields",
                ("yield ('offset', member.offset)", "yield ('offset', member.offset + 1)"),
            ),
        ),
        Mutant(
            "damaged-gzip-inflated",
            "damaged gzip is packed as if it were intact, and hides the rest of the pack",
            in_symbol(
                "log_aggregator.core.packformat.contents:_inspect_gzip",
                (
                    "return Contents(Shape.SEALED, flags=('damaged-gzip',))",
                    "return Contents(Shape.GZIP)",
                ),
            ),
            proof="tests/unit/core/packformat/test_contents.py::test_truncated_gzip_is_damaged",
        ),
        Mutant(
            "fast-inflater-decides",
            "bytes after a gzip member are not checked",
            in_symbol(
                "log_aggregator.core.packformat.contents:_inflate_at_once",
                ("whole if inflater.eof and not inflater.unused_data else None", "whole"),
            ),
            proof="tests/property/test_inflating.py",
        ),
        Mutant(
            "gzip-bomb-inflated",
            "a gzip bomb is packed as plain gzip, and every reader of the pack has to inflate it",
            in_symbol(
                "log_aggregator.core.packformat.contents:_inflate_ends",
                ("inflated_bytes_max(len(data))", "1 << 60"),
            ),
            proof="tests/unit/steps/packing/test_bombs.py",
        ),
        Mutant(
            "gzip-bomb-in-members",
            "a gzip bomb split into many gzip members is fully inflated, because each is counted "
            "separately",
            in_symbol(
                "log_aggregator.core.packformat.inflate:inflate_members",
                (
                    """
                    if inflater.eof:
                        inflater = zlib.decompressobj(GZIP_WBITS)
                    """,
                    """
                    if inflater.eof:
                        inflater = zlib.decompressobj(GZIP_WBITS)
                        allowance = _Allowance(bytes_max)
                    """,
                ),
            ),
            proof="tests/unit/core/packformat/test_inflate.py",
        ),
        Mutant(
            "gzip-bomb-by-pieces",
            "whether a damaged gzip bomb is called damaged depends on the size of the pieces read",
            in_symbol(
                "log_aggregator.core.packformat.inflate:_Allowance.inflate",
                ("min(INFLATED_BYTES, self._left_bytes + 1)", "INFLATED_BYTES"),
            ),
            proof="tests/unit/core/packformat/test_inflate.py::test_the_size_of_pieces_does_not_matter",
        ),
        Mutant(
            "gzip-bomb-in-lines",
            "extract --lines inflates a gzip bomb completely",
            in_symbol(
                "log_aggregator.core.lines:_inflate",
                ("inflated_bytes_max(size_bytes)", "1 << 60"),
            ),
            proof="tests/unit/core/test_lines.py",
        ),
        Mutant(
            "versions-parted",
            "versions of a key go into several packs, and deletion cannot keep their order",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                (
                    "batch and is_other_key and (size + source.log_object.size_bytes > limits.pack_size_bytes_max or len(batch) >= limits.members_max)",
                    "batch and (size + source.log_object.size_bytes > limits.pack_size_bytes_max or len(batch) >= limits.members_max)",
                ),
            ),
            proof="tests/unit/core/test_planning.py::test_delete_markers_go_with_the_newest_version",
        ),
        Mutant(
            "wrong-inner-offset",
            "the index gives a text member's offset inside its block one byte too high",
            in_symbol(
                "log_aggregator.core.packformat.builder:GzipPackBuilder._add_text",
                (
                    "self._block.append((original, len(self._block_text)))",
                    "self._block.append((original, len(self._block_text) + bool(self._block)))",
                ),
            ),
        ),
        Mutant(
            "block-lost",
            "the last block of text is in no pack",
            in_symbol(
                "log_aggregator.core.packformat.builder:GzipPackBuilder.finish",
                ("yield from self._flush_block()", "yield from ()"),
            ),
        ),
        Mutant(
            "copied-checksum-ignored",
            "a range copied by S3 is left out of the pack's checksum",
            in_symbol(
                "log_aggregator.steps.packing.pack_writer:PackWriter.copy",
                ("part.crc64nvme or 0", "0"),
            ),
            proof="tests/unit/steps/packing/test_pack_writer.py::test_a_copied_range_counts_towards_the_checksum",
        ),
        Mutant(
            "bridge-unchecked",
            "the first bytes of a member copied by S3 are packed unchecked",
            in_symbol(
                "log_aggregator.steps.packing.large:check_bridged",
                ("_compare(source, whole.crc, stored.crc64nvme)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_a_damaged_range_never_reaches_a_pack",
        ),
        Mutant(
            "upload-gone-is-change",
            "an aborted upload is mistaken for a changed log object, and the run counts as good",
            in_symbol(
                "log_aggregator.steps.packing.large:unfit_where_changed",
                (
                    """
                    if error.code == 'NoSuchUpload':
                        raise
                    """,
                    "",
                ),
            ),
            proof="tests/unit/steps/packing/test_large.py::test_an_aborted_upload_is_a_failure",
        ),
        Mutant(
            "encoding-dropped",
            "the content encoding is lost",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(metadata, _share(body.content_type), _share(body.content_encoding))",
                    "return Headers(metadata, _share(body.content_type), None)",
                ),
            ),
        ),
        Mutant(
            "terms-fail-the-group",
            "a group fails because S3 refuses to store the search terms of its packs",
            in_symbol(
                "log_aggregator.steps.packing.terms:PackTerms.write",
                ("self.error = f'{error.state_name}: {error}'", "raise error"),
            ),
            proof="tests/unit/steps/packing/test_terms.py::test_a_failed_write_of_terms_is_not_a_failure",
        ),
        Mutant(
            "mistake-in-terms-fails-the-group",
            "a bug in collecting search terms keeps logs from being packed",
            in_symbol(
                "log_aggregator.steps.packing.terms:PackTerms._going_on",
                (
                    "self.error, self._collector = (f'Unexpected: {name_place(error)}', None)",
                    "raise",
                ),
            ),
            proof="tests/unit/steps/packing/test_terms.py::test_a_bug_in_collecting_costs_only_the_terms",
        ),
        Mutant(
            "unsearched-unsaid",
            "a pack has no search terms, and no report says so",
            in_symbol(
                "log_aggregator.steps.packing.combine:_written",
                (
                    "WrittenPack(plan.target, plan.key, len(plan.sources), plan.size_bytes, size_bytes, terms.error, sha256)",
                    "WrittenPack(plan.target, plan.key, len(plan.sources), plan.size_bytes, size_bytes)",
                ),
            ),
            proof="tests/unit/steps/packing/test_terms.py::test_a_failed_write_of_terms_is_not_a_failure",
        ),
        Mutant(
            "terms-of-the-wrong-members",
            "search terms point to members in the order they were read, not in the order of the "
            "index",
            in_symbol(
                "log_aggregator.core.packformat.builder:order_in_index",
                ("places[number] = place", "places[place] = len(places) - 1 - place"),
            ),
            proof="tests/unit/steps/packing/test_terms.py::test_terms_name_members_by_their_place_in_the_index",
        ),
        Mutant(
            "plain-without-the-key",
            "search values that should be hashed are stored in plain text if the key is missing",
            in_symbol(
                "log_aggregator.steps.packing.terms:PackTerms.__init__",
                ("options.lacks_key", "False"),
            ),
            proof="tests/unit/steps/packing/test_terms.py::test_without_the_key_no_values_are_stored",
        ),
    ),
)
