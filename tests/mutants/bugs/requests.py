"""Planted bugs: requests to S3."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

REQUESTS = Section(
    "Requests to S3",
    (
        Mutant(
            "pack-overwritten",
            "CompleteMultipartUpload is sent without a condition and can overwrite a pack",
            in_symbol(
                "log_aggregator.adapters.s3.writing:complete_multipart_upload",
                (
                    "s3.complete_multipart_upload(**encode_upload(upload), **whole, MultipartUpload={'Parts': [encode_part(part) for part in parts]}, MpuObjectSize=size_bytes, IfNoneMatch='*')",
                    "s3.complete_multipart_upload(**encode_upload(upload), **whole, MultipartUpload={'Parts': [encode_part(part) for part in parts]}, MpuObjectSize=size_bytes)",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_completing_states_everything",
        ),
        Mutant(
            "object-overwritten",
            "PutObject is sent without a condition and can overwrite a small pack, an index or a "
            "record",
            in_symbol(
                "log_aggregator.adapters.s3.writing:put_object",
                (
                    "condition = {} if options.may_replace else {'IfNoneMatch': '*'}",
                    "condition: dict[str, str] = {}",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_options_are_sent",
        ),
        Mutant(
            "checksum-not-sent",
            "S3 is not told the checksum of the whole pack, so it cannot refuse a damaged one",
            in_symbol(
                "log_aggregator.adapters.s3.writing:complete_multipart_upload",
                (
                    "whole = {'ChecksumCRC64NVME': encode_crc(crc64nvme), 'ChecksumType': 'FULL_OBJECT'} if upload.has_object_checksum else {}",
                    "whole: dict[str, str] = {}",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_completing_states_everything",
        ),
        Mutant(
            "copy-of-anything",
            "a copy takes whatever the key holds now, not what was listed",
            in_symbol(
                "log_aggregator.adapters.s3.writing:upload_part_copy",
                (
                    "{**encode_upload(upload), 'PartNumber': number, 'CopySource': copy_source, 'CopySourceIfMatch': f'\"{source.etag}\"'}",
                    "{**encode_upload(upload), 'PartNumber': number, 'CopySource': copy_source}",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_a_copy_names_version_etag_and_range",
        ),
        Mutant(
            "read-unpinned",
            "a read is sent without the listed ETag",
            in_symbol(
                "log_aggregator.adapters.s3.reading:make_headers",
                ("{} if if_match is None else {'if-match': f'\"{if_match}\"'}", "{}"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_conditions_are_sent",
        ),
        Mutant(
            "delete-condition-dropped",
            "a conditional delete is sent without its condition",
            in_symbol(
                "log_aggregator.adapters.s3.deleting:_encode_deletion",
                (
                    "version, etag = deletion.version_id, deletion.etag",
                    "version, etag = deletion.version_id, None",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_only_entries_that_s3_names_have_failed",
        ),
        Mutant(
            "key-errors-ignored",
            "errors for single keys in a DeleteObjects response are ignored",
            in_symbol(
                "log_aggregator.adapters.s3.deleting:_delete_batch",
                (
                    "[failure for error in response.get('Errors', []) for failure in find_failures(bucket, deletions, error)]",
                    "[]",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_only_entries_that_s3_names_have_failed",
        ),
        Mutant(
            "part-checksum-for-whole",
            "a checksum of the parts' checksums is taken for the checksum of the whole object",
            in_symbol(
                "log_aggregator.adapters.s3.reading:find_object_crc",
                (
                    "kind == 'FULL_OBJECT' or (kind is None and '-' not in headers['etag'])",
                    "True",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_only_checksums_of_the_whole_object_count",
        ),
        Mutant(
            "version-not-named",
            "a read is sent without the listed version",
            in_symbol(
                "log_aggregator.adapters.s3.reading:make_query",
                ("{} if version_id is None else {'versionId': version_id}", "{}"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_conditions_are_sent",
        ),
        Mutant(
            "signed-by-yesterday",
            "after midnight, or after the clock was set back, reads are signed for the wrong day",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer.sign",
                ("day is None or not day.since <= moment < day.until", "day is None"),
            ),
            proof="tests/property/test_signing.py::test_each_signature_matches_its_moment",
        ),
        Mutant(
            "credentials-never-renewed",
            "a run of many hours keeps reading with the credentials it started with",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer._begin",
                (
                    "min(now + CREDENTIALS_SECONDS, midnight + DAY_SECONDS, math.inf if end is None else end.timestamp())",
                    "midnight + DAY_SECONDS",
                ),
            ),
            proof="tests/property/test_signing.py::test_credentials_are_refreshed_in_time",
        ),
        Mutant(
            "head-signed-as-get",
            "HEAD requests are signed wrongly, so no pack can ever be verified",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer.sign",
                (
                    "f'{method}\\n{path}\\n{query}\\n{lines}\\n{names}\\n{EMPTY_SHA256}'",
                    "f'GET\\n{path}\\n{query}\\n{lines}\\n{names}\\n{EMPTY_SHA256}'",
                ),
            ),
            proof="tests/property/test_signing.py::test_a_signature_equals_that_of_botocore",
        ),
        Mutant(
            "half-a-listing",
            "a truncated listing page aborts the run instead of being fetched again",
            in_symbol(
                "log_aggregator.adapters.s3.attempts:find_document_flaw",
                ("(BAD_ANSWER, 500, 'the answer is cut off')", "None"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_truncated_listing_is_fetched_again",
        ),
        Mutant(
            "announced-for-ever",
            "a server that announces an enormous body is waited for, for years",
            in_symbol(
                "log_aggregator.adapters.s3.curl:ReadRequest.allow_seconds",
                ("min(announced_bytes, DOWNLOAD_BYTES_MAX)", "announced_bytes"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestSeconds",
        ),
        Mutant(
            "proxy-of-libcurl",
            "reads use the proxy that libcurl finds, while all other requests use botocore's",
            in_symbol(
                "log_aggregator.adapters.s3.curl:ReadRequest.prepare",
                ("handle.setopt(pycurl.PROXY, place.proxy)", "pass"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestProxies",
        ),
        Mutant(
            "any-certificate",
            "reads accept any server certificate",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._make_handle",
                ("1 if verify else 0", "0"),
                ("2 if verify else 0", "0"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestCertificates",
        ),
        Mutant(
            "read-in-any-order",
            "parallel reads return the newest request's object in place of the oldest's",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._read",
                ("begun.popleft()", "begun.pop() if begun[-1].outcome else begun.popleft()"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestOrder",
        ),
        Mutant(
            "read-ahead-unbounded",
            "all log objects of a group are read into memory before the first is packed",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._has_room",
                ("len(begun) < AHEAD_COUNT_MAX * each", "True"),
                ("ahead_bytes <= AHEAD_BYTES_MAX", "True"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestBounds",
        ),
        Mutant(
            "cut-while-away",
            "requests time out while their caller is busy uploading a part",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._now",
                ("time.monotonic() - self._away_seconds", "time.monotonic()"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestTime",
        ),
        Mutant(
            "loop-hears-no-stop",
            "after Ctrl-C, the run waits for all parallel reads to finish",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._drive",
                ("WATCHDOG.is_stopping", "False"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestTime::test_a_stop_ends_the_waiting",
        ),
        Mutant(
            "share-not-given-back",
            "each group leaves fewer parallel reads for the next",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop.read",
                ("self._share.leave()", "pass"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestLeaving",
        ),
        Mutant(
            "left-behind-in-the-loop",
            "abandoned reads continue in the background",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop.read", ("self._drop_all()", "pass")
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestLeaving",
        ),
        Mutant(
            "slow-down-unheard",
            "when S3 asks to slow down, requests are sent at the same rate",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:Share.note_slow_down",
                ("max(1.0, self._count / 2)", "self._count"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestShare",
        ),
        Mutant(
            "not-tried-not-told",
            "reads that were not tried are left out of the answers, and all later answers move up",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore.get_objects",
                ("yield refused.popleft()", "refused.popleft()"),
            ),
            proof="tests/unit/adapters/test_patience.py::test_parallel_answers_keep_their_places",
        ),
        Mutant(
            "checksum-of-parts-compared",
            "an intact object is rejected because its checksum is one of parts' checksums",
            in_symbol(
                "log_aggregator.adapters.s3.reading:compare_checksum",
                ("is_usable and '-' not in stored", "is_usable"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestChecksums",
        ),
        Mutant(
            "versions-skipped",
            "versions of a key that continue on the next page of a listing are skipped",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_object_versions",
                ("query['version-id-marker'] = start.version_id", "pass"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_version_markers_are_sent_back_unchanged",
        ),
        Mutant(
            "keys-not-decoded",
            "keys with characters that are encoded in URLs are listed as other keys",
            in_symbol(
                "log_aggregator.adapters.s3.listing:RawPage.decode",
                ("return unquote_plus(value, errors='strict')", "return value"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_keys_are_decoded_once",
        ),
        Mutant(
            "size-not-sent",
            "S3 is not told the size of the whole pack, so it cannot refuse a truncated one",
            in_symbol(
                "log_aggregator.adapters.s3.writing:complete_multipart_upload",
                (
                    "s3.complete_multipart_upload(**encode_upload(upload), **whole, MultipartUpload={'Parts': [encode_part(part) for part in parts]}, MpuObjectSize=size_bytes, IfNoneMatch='*')",
                    "s3.complete_multipart_upload(**encode_upload(upload), **whole, MultipartUpload={'Parts': [encode_part(part) for part in parts]}, IfNoneMatch='*')",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_completing_states_everything",
        ),
        Mutant(
            "refusal-without-version-lost",
            "a key whose deletion S3 refused counts as deleted if the error names no version",
            in_symbol(
                "log_aggregator.adapters.s3.deleting:find_failures",
                (
                    """
                    if not named:
                        raise make_error('DeleteObjects', bucket, '', code, 0, message)
                    """,
                    "",
                ),
                ("version_id in (None, deletion.version_id)", "version_id == deletion.version_id"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_an_error_for_an_unknown_entry_fails_the_call",
        ),
        Mutant(
            "owner-not-expected",
            "requests do not name the expected bucket owner",
            in_symbol(
                "log_aggregator.adapters.s3.owners:register_owners",
                ("client.meta.events.register('provide-client-params.s3', name_owners)", "pass"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-of-copies-not-expected",
            "copies do not name the expected owner of the source bucket",
            in_symbol(
                "log_aggregator.adapters.s3.owners:add_owners",
                ("buckets[SOURCE] = params['CopySource'].get('Bucket')", "pass"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-by-first-beginning",
            "when two configured bucket prefixes match, the shorter one decides the owner",
            in_symbol(
                "log_aggregator.adapters.s3.owners:Owners._find_named",
                ("max(beginnings, key=len)", "min(beginnings, key=len)"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-asked-late",
            "STS is first asked in the middle of a run, after objects were already touched",
            in_symbol("log_aggregator.wiring:connect_store", ("store.find_owner()", "pass")),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "credentials-shown-to-aws",
            "credentials for another S3 server are used in a request to AWS STS",
            in_symbol(
                "log_aggregator.adapters.s3.owners:make_owners",
                ("not is_aws(s3_endpoint_url)", "False"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "destination-account-ignored",
            "the configured account of the destination bucket is never checked",
            in_symbol(
                "log_aggregator.settings:Settings.bucket_owners",
                (
                    "(*self.bucket_accounts, (self.destination_bucket, self.destination_account))",
                    "self.bucket_accounts",
                ),
            ),
            proof="tests/unit/test_settings.py tests/unit/adapters/test_owners.py",
        ),
    ),
)
