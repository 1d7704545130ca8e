"""Planted bugs: boundaries of windows and pages, counts, ties and order."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

BOUNDARIES = Section(
    "Boundaries, counts and order",
    (
        Mutant(
            "window-is-the-longer",
            "logs that came late and are kept for a while are never revisited, so their originals "
            "stay forever",
            in_symbol(
                "log_aggregator.core.windows:make_window",
                ("look_back_days + days_kept", "max(look_back_days, days_kept)"),
            ),
            proof="tests/unit/core/test_windows.py::test_kept_logs_stay_in_the_window_until_they_may_go",
        ),
        Mutant(
            "today-too",
            "logs of the current day are packed before it is over, and later ones go into separate "
            "packs",
            in_symbol(
                "log_aggregator.core.windows:make_window",
                ("today - timedelta(days=1)", "today"),
            ),
            proof="tests/unit/core/test_windows.py::test_the_default_is_yesterday_and_the_days_before",
        ),
        Mutant(
            "last-day-alone",
            "the last day of a range is skipped if a new window would start on it",
            in_symbol(
                "log_aggregator.core.windows:split_window",
                ("first <= window.last", "first < window.last"),
            ),
            proof="tests/unit/core/test_windows.py::test_windows_cover_the_range_exactly",
        ),
        Mutant(
            "full-too-early",
            "a pack filled to exactly the limit counts as too large",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                (
                    "size + source.log_object.size_bytes > limits.pack_size_bytes_max",
                    "size + source.log_object.size_bytes >= limits.pack_size_bytes_max",
                ),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_when_full_or_at_the_last_hour_before",
        ),
        Mutant(
            "size-never-reset",
            "bytes already cut off still count, so every pack after the first is cut too early",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                (
                    "size, boundary = (sum((kept.log_object.size_bytes for kept in batch)), 0)",
                    "boundary = 0",
                ),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_when_full_or_at_the_last_hour_before",
        ),
        Mutant(
            "first-change-of-hour",
            "a pack is cut at its first change of hour instead of its last",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                ("boundary = len(batch)", "boundary = boundary or len(batch)"),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_when_full_or_at_the_last_hour_before",
        ),
        Mutant(
            "large-versions-parted",
            "large versions of one key are copied into separate packs and can be deleted out of "
            "order",
            in_symbol(
                "log_aggregator.core.planning:plan_packs",
                ("versions[source.log_object.key] == 1", "True"),
            ),
            proof="tests/unit/core/test_planning.py::test_large_versions_of_a_key_stay_together",
        ),
        Mutant(
            "order-of-the-listing",
            "versions are packed in listing order, so the same objects can give two different "
            "packs",
            in_symbol(
                "log_aggregator.core.planning:_place",
                ("source.log_object.version_id or ''", "''"),
            ),
            proof="tests/unit/core/test_planning.py::test_the_order_of_listing_does_not_matter",
        ),
        Mutant(
            "first-two-keys",
            "a lookup of many places covers only the first two keys, and all others count as "
            "deleted",
            in_symbol(
                "log_aggregator.steps.packing.scan:_common_prefix",
                ("max(texts)", "sorted(texts)[1]"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_a_lookup_finds_all_places",
        ),
        Mutant(
            "empty-page-ends",
            "a page without keys ends a listing that has more pages",
            in_symbol(
                "log_aggregator.steps.packing.scan:list_window",
                ("start = page.next_start\ncontinue", "return"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_an_empty_page_does_not_end_a_listing",
        ),
        Mutant(
            "page-at-the-prefix",
            "a page of versions that ends at exactly the prefix is fetched again forever",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_object_versions",
                ("start.key.encode() >= prefix.encode()", "start.key.encode() > prefix.encode()"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_page_of_versions_starts_where_the_last_one_ended",
        ),
        Mutant(
            "page-behind-the-first",
            "the next page of objects starts after the first key of the previous page, not after "
            "the last",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_objects",
                ("ListStart(objects[-1].key)", "ListStart(objects[0].key)"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_page_of_objects_starts_after_the_last_key",
        ),
        Mutant(
            "last-page-of-folders",
            "only the last of several pages of folders is seen",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                (
                    "prefixes += folders",
                    "prefixes = folders",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_prefixes_of_all_pages_are_listed",
        ),
        Mutant(
            "first-token-again",
            "the second page of folders is fetched again forever",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                (
                    "query['continuation-token'] = token",
                    "query.setdefault('continuation-token', token)",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_prefixes_of_all_pages_are_listed",
        ),
        Mutant(
            "folders-without-end",
            "an endless list of folders fills the memory",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                ("len(objects) + len(prefixes) > PREFIXES_MAX", "False"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_endless_prefixes_are_an_error",
        ),
        Mutant(
            "every-version-newest",
            "every version counts as the newest, so versions can be deleted in any order",
            in_symbol(
                "log_aggregator.adapters.s3.listing:make_log_object",
                ("entry.get('IsLatest') != 'false'", "True"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_only_the_newest_version_counts_as_newest",
        ),
        Mutant(
            "key-guessed",
            "a key that is not valid UTF-8 is decoded as a different key",
            in_symbol(
                "log_aggregator.adapters.s3.listing:RawPage.decode",
                ("unquote_plus(value, errors='strict')", "unquote_plus(value)"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_key_that_is_not_text_is_an_error",
        ),
        Mutant(
            "beside-an-organisation",
            "objects next to the folders of an organisation are not listed by any task",
            in_symbol(
                "log_aggregator.steps.packing.prefixes:list_folders",
                ("inner is None or inner.objects", "inner is None"),
            ),
            proof="tests/unit/steps/fanout/test_tasks.py::test_every_key_is_listed_by_exactly_one_task",
        ),
        Mutant(
            "older-version-frozen",
            "a key is packed although an older version of it is frozen",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                (
                    "any((version.storage_class in FROZEN_CLASSES for version in listed.versions))",
                    "listed.versions[0].storage_class in FROZEN_CLASSES",
                ),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_one_frozen_version_excludes_its_key",
        ),
        Mutant(
            "global-is-another-region",
            "logs of global services are deleted unpacked, as if they came from an unwanted Region",
            in_symbol(
                "log_aggregator.steps.packing.selection:_is_wanted_region",
                ("not is_region(facts.region)", "False"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_global_services_and_local_zones_are_never_other_regions",
        ),
        Mutant(
            "zone-is-another-region",
            "logs of a local zone are deleted unpacked although its Region is wanted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_is_wanted_region",
                ("parent_region(facts.region)", "facts.region"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_global_services_and_local_zones_are_never_other_regions",
        ),
        Mutant(
            "reasons-of-the-last-chunk",
            "the report of what was left covers only the last chunk",
            in_symbol(
                "log_aggregator.steps.packing.selection:Selection.merge_counts",
                (
                    "self.left_why.setdefault(why, LeftKeys()).add(keys)",
                    "self.left_why[why] = keys",
                ),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_counts_add_up_across_chunks",
        ),
        Mutant(
            "versions-uncounted",
            "several versions of a key are counted as one",
            in_symbol(
                "log_aggregator.steps.packing.selection:_take",
                ("selection.listed += len(listed.versions)", "selection.listed += 1"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_counts_add_up_across_chunks",
        ),
        Mutant(
            "hold-from-the-second-day",
            "the first day of a hold is packed and deleted",
            in_symbol(
                "log_aggregator.steps.rules:Holds.hold",
                ("first <= facts.date <= last", "first < facts.date <= last"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_held_logs_are_neither_packed_nor_deleted",
        ),
        Mutant(
            "newest-pack-first",
            "the newest pack is settled first, so originals in older packs wait for another run",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.plan",
                (
                    "dict(sorted(settled.items(), key=lambda each: ledger.age_of(each[0])))",
                    "dict(sorted(settled.items(), key=lambda each: ledger.age_of(each[0]), reverse=True))",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_the_oldest_packs_are_settled_first",
        ),
        Mutant(
            "as-old-as-the-newest",
            "originals are kept until the youngest pack of their group is old enough",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.plan",
                ("keep(ledger.written[key].date())", "keep(max(ledger.written.values()).date())"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_each_pack_has_its_own_age",
        ),
        Mutant(
            "discards-not-kept",
            "logs to discard are deleted immediately, whatever keep_originals_days says",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.discard",
                (
                    "[each for each in discards if not self._keeps(each.last_modified.date())]",
                    "list(discards)",
                ),
            ),
            proof="tests/unit/steps/packing/test_discard.py::test_discards_are_kept_as_long_as_originals",
        ),
        Mutant(
            "changed-is-gone",
            "an older version that S3 reports as changed counts as deleted, and the newest is "
            "deleted first",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "staying.update((failure.deletion for failure in (*retained, *changed)))",
                    "staying.update((failure.deletion for failure in retained))",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_the_newest_version_waits_for_existing_older_ones",
        ),
        Mutant(
            "gone-is-waited-for",
            "the newest version waits forever for an older one that no longer exists",
            in_symbol(
                "log_aggregator.steps.packing.delete:ListedVersions.forget",
                ("self.took(identity)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_vanished_older_versions_are_not_waited_for",
        ),
        Mutant(
            "changed-of-the-last-batch",
            "the report of replaced objects covers only the last batch",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "report.changed += changed",
                    "report.changed = changed",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_a_report_accumulates_over_attempts_and_batches",
        ),
        Mutant(
            "answers-do-not-count",
            "after three unanswered groups in total, not in a row, no further group is tried",
            in_symbol(
                "log_aggregator.steps.packing.run:_settle_all",
                (
                    "unanswered + 1 if _is_unanswered(settled) else 0",
                    "unanswered + 1 if _is_unanswered(settled) else unanswered",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_only_unanswered_groups_in_a_row_stop_the_run",
        ),
        Mutant(
            "folded-counts-again",
            "after the first fold every log object is folded into a block by itself",
            in_symbol(
                "log_aggregator.steps.packing.shelf:Shelf._fold",
                ("self._open_objects = 0", "pass"),
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_only_new_objects_are_folded",
        ),
        Mutant(
            "parts-in-any-order",
            "parts of a large group overlap, in whatever order threads listed them",
            in_symbol(
                "log_aggregator.steps.packing.shelf:Shelf._pieces",
                ("sorted(row.blocks, key=lambda block: block.first_key)", "row.blocks"),
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_objects_listed_by_several_threads_are_in_key_order",
        ),
        Mutant(
            "opaque-text-left",
            "a large text object whose ETag is not an MD5 is called damaged and never packed",
            in_symbol(
                "log_aggregator.steps.packing.large:PieceReader.check",
                ("stored.has_md5_etag", "True"),
            ),
            proof="tests/unit/steps/packing/test_large.py::test_a_large_text_is_packed_whatever_its_etag_is",
        ),
        Mutant(
            "customer-key-forgotten",
            "the ETag of an object encrypted with a customer's key is taken for an MD5",
            in_symbol(
                "log_aggregator.adapters.s3.reading:is_opaque",
                ("'x-amz-server-side-encryption-customer-algorithm' in headers", "False"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_encrypted_objects_need_no_checksum",
        ),
        Mutant(
            "metadata-by-name",
            "an object with a different signature in its metadata is accepted as the original",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_is_alike",
                (
                    "dict(body.metadata) == dict(member.metadata)",
                    "body.metadata.keys() == member.metadata.keys()",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_nothing_is_overwritten",
        ),
        Mutant(
            "encoding-not-compared",
            "an object with a different content encoding is accepted as the original",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_is_alike",
                ("(body.content_encoding or None) == (member.content_encoding or None)", "True"),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_nothing_is_overwritten",
        ),
        Mutant(
            "only-the-last-folder",
            "a bucket is rejected as the wrong one if its last folder has no logs",
            in_symbol(
                "log_aggregator.steps.packing.prefixes:MainTree._list_roots",
                ("found = found or bool(roots)", "found = bool(roots)"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_one_folder_of_logs_is_enough",
        ),
        Mutant(
            "bytes-of-the-last",
            "put-back reports only the bytes of the last original it wrote",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:put_back",
                (
                    "result.written_bytes += original.member.size_bytes",
                    "result.written_bytes = original.member.size_bytes",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_originals_are_restored_exactly",
        ),
        Mutant(
            "one-part-too-many",
            "an original is split into more parts than S3 accepts and cannot be put back",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_put_large",
                (
                    "max(PART_SIZE_BYTES, -(-member.size_bytes // PART_COUNT_MAX))",
                    "max(PART_SIZE_BYTES, member.size_bytes // PART_COUNT_MAX)",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_parts_grow_to_stay_within_s3s_limit",
        ),
    ),
)
