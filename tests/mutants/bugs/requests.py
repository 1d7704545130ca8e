"""Planted bugs: what is sent to S3."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

REQUESTS = Section(
    "What is sent to S3",
    (
        Mutant(
            "pack-overwritten",
            "a pack is written over: CompleteMultipartUpload without a condition",
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
            "a small pack, an index, a record is written over: PutObject without a condition",
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
            "S3 is not told what the whole must be",
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
            "a copy takes whatever is there, not the version that was listed",
            in_symbol(
                "log_aggregator.adapters.s3.writing:upload_part_copy",
                (
                    "{**encode_upload(upload), 'PartNumber': number, 'CopySource': copy_source, 'CopySourceIfMatch': f'\"{source.etag}\"'}",
                    "{**encode_upload(upload), 'PartNumber': number, 'CopySource': copy_source}",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestWriting::test_what_is_copied",
        ),
        Mutant(
            "read-unpinned",
            "a read names neither version nor ETag",
            in_symbol(
                "log_aggregator.adapters.s3.reading:make_headers",
                ("{} if if_match is None else {'if-match': f'\"{if_match}\"'}", "{}"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_conditions_are_sent",
        ),
        Mutant(
            "delete-condition-dropped",
            "a conditional delete goes without its condition",
            in_symbol(
                "log_aggregator.adapters.s3.deleting:_encode_deletion",
                (
                    "version, etag = deletion.version_id, deletion.etag",
                    "version, etag = deletion.version_id, None",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_only_what_s3_names_has_failed",
        ),
        Mutant(
            "key-errors-ignored",
            "per-key errors of DeleteObjects are not looked at",
            in_symbol(
                "log_aggregator.adapters.s3.deleting:_delete_batch",
                (
                    "[failure for error in response.get('Errors', []) for failure in find_failures(bucket, deletions, error)]",
                    "[]",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_only_what_s3_names_has_failed",
        ),
        Mutant(
            "part-checksum-for-whole",
            "a checksum of the parts' checksums is taken for the whole's",
            in_symbol(
                "log_aggregator.adapters.s3.reading:find_object_crc",
                (
                    "kind == 'FULL_OBJECT' or (kind is None and '-' not in headers['etag'])",
                    "True",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_which_checksums_count",
        ),
        Mutant(
            "version-not-named",
            "a read names no version",
            in_symbol(
                "log_aggregator.adapters.s3.reading:make_query",
                ("{} if version_id is None else {'versionId': version_id}", "{}"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_conditions_are_sent",
        ),
        Mutant(
            "signed-by-yesterday",
            "after midnight, and after a clock was put back, reads are signed for another day",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer.sign",
                ("day is None or not day.since <= moment < day.until", "day is None"),
            ),
            proof="tests/property/test_signing.py::test_the_moment_decides",
        ),
        Mutant(
            "credentials-never-renewed",
            "a run of many hours reads with the credentials that it began with",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer._begin",
                (
                    "min(now + CREDENTIALS_SECONDS, midnight + DAY_SECONDS, math.inf if end is None else end.timestamp())",
                    "midnight + DAY_SECONDS",
                ),
            ),
            proof="tests/property/test_signing.py::test_credentials_are_asked_for_anew",
        ),
        Mutant(
            "head-signed-as-get",
            "what S3 knows of a pack cannot be asked for, and nothing is ever verified",
            in_symbol(
                "log_aggregator.adapters.s3.signing:Signer.sign",
                (
                    "f'{method}\\n{path}\\n{query}\\n{lines}\\n{names}\\n{EMPTY_SHA256}'",
                    "f'GET\\n{path}\\n{query}\\n{lines}\\n{names}\\n{EMPTY_SHA256}'",
                ),
            ),
            proof="tests/property/test_signing.py::test_a_signature_is_botocores",
        ),
        Mutant(
            "half-a-listing",
            "a page of a listing that broke off ends the run, instead of being asked for again",
            in_symbol(
                "log_aggregator.adapters.s3.attempts:find_document_flaw",
                ("(BAD_ANSWER, 500, 'the answer is cut off')", "None"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_cut_off_listing_is_asked_for_again",
        ),
        Mutant(
            "announced-for-ever",
            "a server that announces a body of years is waited for",
            in_symbol(
                "log_aggregator.adapters.s3.curl:ReadRequest.allow_seconds",
                ("min(announced_bytes, DOWNLOAD_BYTES_MAX)", "announced_bytes"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestSeconds",
        ),
        Mutant(
            "proxy-of-libcurl",
            "reads go by the proxy that libcurl finds, all other requests by botocore's",
            in_symbol(
                "log_aggregator.adapters.s3.curl:ReadRequest.prepare",
                ("handle.setopt(pycurl.PROXY, place.proxy)", "pass"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestProxies",
        ),
        Mutant(
            "any-certificate",
            "reads trust any server",
            in_symbol(
                "log_aggregator.adapters.s3.curl:CurlReader._make_handle",
                ("1 if verify else 0", "0"),
                ("2 if verify else 0", "0"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestCertificates",
        ),
        Mutant(
            "read-in-any-order",
            "of many GETs the last one that was begun is handed over in the place of the first",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._read",
                ("begun.popleft()", "begun.pop() if begun[-1].outcome else begun.popleft()"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestOrder",
        ),
        Mutant(
            "read-ahead-unbounded",
            "all log objects of a group are read before the first is packed",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._has_room",
                ("len(begun) < AHEAD_COUNT_MAX * each", "True"),
                ("ahead_bytes <= AHEAD_BYTES_MAX", "True"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestBounds",
        ),
        Mutant(
            "cut-while-away",
            "requests time out because their caller uploads a part meanwhile",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._now",
                ("time.monotonic() - self._away_seconds", "time.monotonic()"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestTime",
        ),
        Mutant(
            "loop-hears-no-stop",
            "after a ctrl-C many GETs are waited for",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop._drive",
                ("WATCHDOG.is_stopping", "False"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestTime::test_a_stop_is_heard",
        ),
        Mutant(
            "share-not-given-back",
            "with each group there are fewer GETs at once",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop.read",
                ("self._share.leave()", "pass"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestLeaving",
        ),
        Mutant(
            "left-behind-in-the-loop",
            "what nobody waits for any more is still read",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:ReadLoop.read", ("self._drop_all()", "pass")
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestLeaving",
        ),
        Mutant(
            "slow-down-unheard",
            "S3 says that there are too many requests, and as many are sent",
            in_symbol(
                "log_aggregator.adapters.s3.curl_loop:Share.note_slow_down",
                ("max(1.0, self._count / 2)", "self._count"),
            ),
            proof="tests/unit/adapters/test_curl_loop.py::TestShare",
        ),
        Mutant(
            "not-tried-not-told",
            "of many GETs those that are not tried are left out, and all after them move up",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore.get_objects",
                ("yield refused.popleft()", "refused.popleft()"),
            ),
            proof="tests/unit/adapters/test_patience.py::test_of_many_each_has_its_place",
        ),
        Mutant(
            "checksum-of-parts-compared",
            "a good object is refused: its checksum is one of its parts' checksums",
            in_symbol(
                "log_aggregator.adapters.s3.reading:compare_checksum",
                ("is_usable and '-' not in stored", "is_usable"),
            ),
            proof="tests/unit/adapters/test_curl.py::TestChecksums",
        ),
        Mutant(
            "versions-skipped",
            "between two pages of a listing the rest of a key's versions is skipped",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_object_versions",
                ("query['version-id-marker'] = start.version_id", "pass"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_markers_are_handed_back",
        ),
        Mutant(
            "keys-not-decoded",
            "keys with signs that a URL cannot hold are listed as other keys",
            in_symbol(
                "log_aggregator.adapters.s3.listing:RawPage.decode",
                ("return unquote_plus(value, errors='strict')", "return value"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_keys_are_decoded_once",
        ),
        Mutant(
            "size-not-sent",
            "S3 is not told how long the whole must be",
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
            "a refused key that S3 names without its version counts as deleted",
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
            proof="tests/unit/adapters/test_s3_store.py::TestDeleting::test_an_error_for_no_known_entry_is_not_lost",
        ),
        Mutant(
            "owner-not-expected",
            "a request does not say whose bucket it expects",
            in_symbol(
                "log_aggregator.adapters.s3.owners:register_owners",
                ("client.meta.events.register('provide-client-params.s3', name_owners)", "pass"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-of-copies-not-expected",
            "a copy does not say whose bucket its source is expected in",
            in_symbol(
                "log_aggregator.adapters.s3.owners:add_owners",
                ("buckets[SOURCE] = params['CopySource'].get('Bucket')", "pass"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-by-first-beginning",
            "of two beginnings the shorter one says whose bucket it is",
            in_symbol(
                "log_aggregator.adapters.s3.owners:Owners._find_named",
                ("max(beginnings, key=len)", "min(beginnings, key=len)"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "owner-asked-late",
            "STS is asked in mid-run, when something was touched already",
            in_symbol("log_aggregator.wiring:connect_store", ("store.find_owner()", "pass")),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "credentials-shown-to-aws",
            "AWS's STS is asked with another server's credentials",
            in_symbol(
                "log_aggregator.adapters.s3.owners:make_owners",
                ("not is_aws(s3_endpoint_url)", "False"),
            ),
            proof="tests/unit/adapters/test_owners.py",
        ),
        Mutant(
            "destination-account-ignored",
            "the account that the settings name for the destination is expected nowhere",
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
