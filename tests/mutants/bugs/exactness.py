"""Planted bugs: reading and packing anything but exactly what was listed."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

EXACTNESS = Section(
    "Packing exactly what was listed",
    (
        Mutant(
            "read-newest",
            "the newest version is read although an older one was listed",
            in_symbol(
                "log_aggregator.adapters.forwarding:get_one_by_one",
                (
                    "body = store.get_object(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)",
                    "body = store.get_object(source.bucket, source.key)",
                ),
            ),
        ),
        Mutant(
            "many-read-newest",
            "reads in parallel fetch the newest version although an older one was listed",
            in_symbol(
                "log_aggregator.adapters.s3.reading:get_objects",
                ("make_query(source.version_id)", "make_query(None)"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestOrder::test_it_sends_the_same_request_as_a_single_get",
        ),
        Mutant(
            "etag-not-compared",
            "a damaged body is packed because neither its MD5 nor its gzip is checked",
            in_symbol(
                "log_aggregator.steps.packing.read:_is_sound",
                (
                    """
                    if _has_md5(original):
                        return True
                    """,
                    "return True",
                ),
            ),
        ),
        Mutant(
            "gzip-proves-bytes",
            "valid gzip counts as proof of the right bytes, so a flipped bit in its header is "
            "packed",
            in_symbol(
                "log_aggregator.steps.packing.read:_is_sound",
                (
                    "has_no_md5 = is_opaque or not _MD5.fullmatch(original.source.etag)",
                    "has_no_md5 = True",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_each_body_is_compared_with_its_own_etag",
        ),
        Mutant(
            "opacity-of-a-neighbour",
            "after one object whose ETag is not an MD5, a damaged body of another object is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._begin",
                (
                    "_is_sound(first, is_opaque=body.has_opaque_etag)",
                    "_is_sound(first, is_opaque=True)",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_each_body_is_compared_with_its_own_etag",
        ),
        Mutant(
            "refusal-blocks-group",
            "one object that S3 refuses with a 400 keeps its whole group from being packed",
            in_symbol(
                "log_aggregator.adapters.s3.errors:find_kind",
                (
                    "return ObjectRefused if is_its_own else StoreError",
                    "return StoreError",
                ),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_an_object_refused_by_s3_is_left_and_the_rest_is_packed",
        ),
        Mutant(
            "throttling-is-refusal",
            "a 400 that only asks to slow down is blamed on the object",
            in_symbol(
                "log_aggregator.adapters.s3.errors:find_kind",
                (
                    "is_refusal = status // 100 == 4 and not (code in GENERAL_CODES or status in GENERAL_STATUSES)",
                    "is_refusal = status // 100 == 4",
                ),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_general_errors_are_not_blamed_on_the_object",
        ),
        Mutant(
            "header-garbled",
            "user metadata that is not ASCII does not come back byte for byte",
            in_symbol(
                "log_aggregator.adapters.s3.attempts:parse_head",
                ("line.decode('latin-1')", "line.decode('utf-8', 'replace')"),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_an_odd_header_that_is_needed_comes_back_exactly",
        ),
        Mutant(
            "range-not-compared",
            "a range other than the one requested is accepted",
            in_symbol(
                "log_aggregator.adapters.s3.reading:is_range",
                (
                    "answer.status == 206 and answer.headers.get('content-range', '').startswith(f'bytes {first}-')",
                    "True",
                ),
            ),
            proof="tests/unit/adapters/test_one_object.py::test_a_different_range_is_refused",
        ),
        Mutant(
            "large-refusal-blocks-group",
            "a large object that S3 stops serving halfway keeps its group from being packed",
            in_symbol(
                "log_aggregator.steps.packing.large:unfit_where_unreadable",
                ("raise UnfitSources([], [Unreadable(source, error)]) from error", "raise"),
            ),
            proof="tests/unit/steps/packing/test_one_bad_object.py::test_a_large_object_refused_by_s3_is_left",
        ),
        Mutant(
            "length-not-compared",
            "a truncated body is packed",
            in_symbol(
                "log_aggregator.steps.packing.read:_is_sound",
                ("return False", "return True"),
            ),
        ),
        Mutant(
            "second-read-trusted",
            "an object is packed although two reads of it gave different bytes",
            in_symbol(
                "log_aggregator.steps.packing.read:Reader._compare_reads",
                ("is_same = second.data == first.data", "is_same = True"),
            ),
            proof="tests/unit/steps/packing/test_read.py::test_with_kms_both_reads_must_match",
        ),
        Mutant(
            "metadata-dropped",
            "user metadata is lost, including the signatures of CloudTrail digests",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(metadata, _share(body.content_type), _share(body.content_encoding))",
                    "return Headers({}, _share(body.content_type), _share(body.content_encoding))",
                ),
            ),
        ),
        Mutant(
            "content-type-dropped",
            "the content type is lost",
            in_symbol(
                "log_aggregator.steps.packing.read:headers_of",
                (
                    "return Headers(metadata, _share(body.content_type), _share(body.content_encoding))",
                    "return Headers(metadata, None, _share(body.content_encoding))",
                ),
            ),
        ),
        Mutant(
            "large-not-compared",
            "a large object is packed although pieces of it were damaged on the way",
            in_symbol(
                "log_aggregator.steps.packing.large:PieceReader.check",
                ("_compare(self._source, self._running.crc, stored.crc64nvme)", "pass"),
                (
                    """
                    if stored.has_md5_etag:
                        raise _damaged(self._source)
                    """,
                    "",
                ),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_a_damaged_range_never_reaches_a_pack",
        ),
    ),
)
