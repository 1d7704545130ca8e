"""Planted bugs: at the boundaries of windows and pages, in counts, in ties, in what is first and what
is last.
"""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

BOUNDARIES = Section(
    "Boundaries, counts and order",
    (
        Mutant(
            "window-is-the-longer",
            "what is kept and came late is never looked at again, and its original stays for ever",
            in_symbol(
                "log_aggregator.core.windows:make_window",
                ("look_back_days + days_kept", "max(look_back_days, days_kept)"),
            ),
            proof="tests/unit/core/test_windows.py::test_whatever_is_kept_is_looked_at_again_until_it_may_go",
        ),
        Mutant(
            "today-too",
            "logs of a day that is not over are packed, and its late ones in packs of their own",
            in_symbol(
                "log_aggregator.core.windows:make_window",
                ("today - timedelta(days=1)", "today"),
            ),
            proof="tests/unit/core/test_windows.py::test_nothing_named_is_yesterday_and_what_was_before",
        ),
        Mutant(
            "last-day-alone",
            "the last day of a range is forgotten where a window would begin with it",
            in_symbol(
                "log_aggregator.core.windows:split_window",
                ("first <= window.last", "first < window.last"),
            ),
            proof="tests/unit/core/test_windows.py::test_windows_follow_each_other_and_make_up_the_range",
        ),
        Mutant(
            "full-too-early",
            "a pack that is filled to the byte is taken for one that is too large",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                (
                    "size + source.log_object.size_bytes > limits.pack_size_bytes_max",
                    "size + source.log_object.size_bytes >= limits.pack_size_bytes_max",
                ),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_where_it_is_full_or_at_the_hour_before",
        ),
        Mutant(
            "size-never-reset",
            "what was cut off still counts: every pack after the first is cut too early",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                (
                    "size, boundary = (sum((kept.log_object.size_bytes for kept in batch)), 0)",
                    "boundary = 0",
                ),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_where_it_is_full_or_at_the_hour_before",
        ),
        Mutant(
            "first-change-of-hour",
            "a pack is cut at its first change of hour instead of its last",
            in_symbol(
                "log_aggregator.core.planning:cut_sources",
                ("boundary = len(batch)", "boundary = boundary or len(batch)"),
            ),
            proof="tests/property/test_cutting.py::test_a_pack_ends_where_it_is_full_or_at_the_hour_before",
        ),
        Mutant(
            "large-versions-parted",
            "large versions of one key are copied into packs that know nothing of each other",
            in_symbol(
                "log_aggregator.core.planning:plan_packs",
                ("versions[source.log_object.key] == 1", "True"),
            ),
            proof="tests/unit/core/test_planning.py::test_large_versions_of_a_key_stay_together",
        ),
        Mutant(
            "order-of-the-listing",
            "versions of a key lie in a pack as they were listed, so the same objects have two packs",
            in_symbol(
                "log_aggregator.core.planning:_place",
                ("source.log_object.version_id or ''", "''"),
            ),
            proof="tests/unit/core/test_planning.py::test_the_order_of_a_listing_does_not_matter",
        ),
        Mutant(
            "first-two-keys",
            "of many places only those of the first two keys are looked at, and the rest counts as gone",
            in_symbol(
                "log_aggregator.steps.packing.scan:_common_prefix",
                ("max(texts)", "sorted(texts)[1]"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_what_is_looked_for_is_found_however_many_places_it_lies_in",
        ),
        Mutant(
            "empty-page-ends",
            "a page without a key ends a listing that goes on",
            in_symbol(
                "log_aggregator.steps.packing.scan:list_window",
                ("start = page.next_start\ncontinue", "return"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_an_empty_page_is_not_the_end",
        ),
        Mutant(
            "page-at-the-prefix",
            "a page of versions that ends at the very prefix comes again for ever",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_object_versions",
                ("start.key.encode() >= prefix.encode()", "start.key.encode() > prefix.encode()"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_page_of_versions_begins_where_the_one_before_ended",
        ),
        Mutant(
            "page-behind-the-first",
            "a page of objects begins behind the first key of the one before",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_objects",
                ("ListStart(objects[-1].key)", "ListStart(objects[0].key)"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_page_of_objects_begins_behind_the_last_one",
        ),
        Mutant(
            "last-page-of-folders",
            "of several pages of folders only the last is seen",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                (
                    "prefixes += folders",
                    "prefixes = folders",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_prefixes_of_all_pages_come",
        ),
        Mutant(
            "first-token-again",
            "the second page of folders comes for ever",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                (
                    "query['continuation-token'] = token",
                    "query.setdefault('continuation-token', token)",
                ),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_prefixes_of_all_pages_come",
        ),
        Mutant(
            "folders-without-end",
            "folders without end fill the memory",
            in_symbol(
                "log_aggregator.adapters.s3.listing:list_folder",
                ("len(objects) + len(prefixes) > PREFIXES_MAX", "False"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_prefixes_without_end_are_an_error",
        ),
        Mutant(
            "every-version-newest",
            "every version counts as the newest, and none has to wait for the others",
            in_symbol(
                "log_aggregator.adapters.s3.listing:make_log_object",
                ("entry.get('IsLatest') != 'false'", "True"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_only_the_newest_entry_is_the_newest",
        ),
        Mutant(
            "key-guessed",
            "a key that is no text is taken for another one",
            in_symbol(
                "log_aggregator.adapters.s3.listing:RawPage.decode",
                ("unquote_plus(value, errors='strict')", "unquote_plus(value)"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestListing::test_a_key_that_is_no_text_is_an_error",
        ),
        Mutant(
            "beside-an-organisation",
            "objects beside the folders of an organisation are in no listing task",
            in_symbol(
                "log_aggregator.steps.packing.prefixes:list_folders",
                ("inner is None or inner.objects", "inner is None"),
            ),
            proof="tests/unit/steps/fanout/test_tasks.py::test_every_key_is_listed_by_exactly_one_task",
        ),
        Mutant(
            "older-version-frozen",
            "a key goes on without its frozen older version",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                (
                    "any((version.storage_class in FROZEN_CLASSES for version in listed.versions))",
                    "listed.versions[0].storage_class in FROZEN_CLASSES",
                ),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_one_frozen_version_leaves_its_key",
        ),
        Mutant(
            "global-is-another-region",
            "logs of global services are deleted without a pack as those of another region",
            in_symbol(
                "log_aggregator.steps.packing.selection:_is_wanted_region",
                ("not is_region(facts.region)", "False"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_what_is_of_no_region_is_of_every_region",
        ),
        Mutant(
            "zone-is-another-region",
            "logs of a local zone are deleted without a pack although its Region is wanted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_is_wanted_region",
                ("parent_region(facts.region)", "facts.region"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_what_is_of_no_region_is_of_every_region",
        ),
        Mutant(
            "reasons-of-the-last-chunk",
            "of what was left only the last chunk is told",
            in_symbol(
                "log_aggregator.steps.packing.selection:Selection.merge_counts",
                (
                    "self.left_why.setdefault(why, LeftKeys()).add(keys)",
                    "self.left_why[why] = keys",
                ),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_counts_add_up_over_chunks",
        ),
        Mutant(
            "versions-uncounted",
            "of several versions of a key one is counted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_take",
                ("selection.listed += len(listed.versions)", "selection.listed += 1"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_counts_add_up_over_chunks",
        ),
        Mutant(
            "hold-from-the-second-day",
            "the first day of a hold is packed and deleted",
            in_symbol(
                "log_aggregator.steps.rules:Holds.hold",
                ("first <= facts.date <= last", "first < facts.date <= last"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_holds",
        ),
        Mutant(
            "newest-pack-first",
            "the newest pack is settled first, and its originals wait a run for the older ones",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.plan",
                (
                    "dict(sorted(settled.items(), key=lambda each: ledger.age_of(each[0])))",
                    "dict(sorted(settled.items(), key=lambda each: ledger.age_of(each[0]), reverse=True))",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_packs_are_settled_the_oldest_first",
        ),
        Mutant(
            "as-old-as-the-newest",
            "originals are kept as long as the youngest pack of their group wants it",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.plan",
                ("keep(ledger.written[key].date())", "keep(max(ledger.written.values()).date())"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_each_pack_is_as_old_as_it_is_itself",
        ),
        Mutant(
            "discards-not-kept",
            "what is discarded goes at once, whatever keep_originals_days says",
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
            "an older version that S3 calls changed counts as gone, and the newest goes",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "staying.update((failure.deletion for failure in (*retained, *changed)))",
                    "staying.update((failure.deletion for failure in retained))",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_the_newest_waits_for_every_older_version_that_is_there",
        ),
        Mutant(
            "gone-is-waited-for",
            "the newest version waits for ever for an older one that is gone",
            in_symbol(
                "log_aggregator.steps.packing.delete:ListedVersions.forget",
                ("self.took(identity)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_older_versions_that_had_gone_before_hold_nothing_up",
        ),
        Mutant(
            "changed-of-the-last-batch",
            "of what was replaced only the last batch is told",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "report.changed += changed",
                    "report.changed = changed",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_a_report_goes_on_from_attempt_to_attempt_and_batch_to_batch",
        ),
        Mutant(
            "answers-do-not-count",
            "after three groups without an answer, whatever came between, no other is tried",
            in_symbol(
                "log_aggregator.steps.packing.run:_settle_all",
                (
                    "unanswered + 1 if _is_unanswered(settled) else 0",
                    "unanswered + 1 if _is_unanswered(settled) else unanswered",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_only_groups_in_a_row_without_an_answer_end_the_trying",
        ),
        Mutant(
            "folded-counts-again",
            "behind the first many each log object is a block of its own",
            in_symbol(
                "log_aggregator.steps.packing.shelf:Shelf._fold",
                ("self._open_objects = 0", "pass"),
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_it_folds_only_what_has_become_too_much",
        ),
        Mutant(
            "parts-in-any-order",
            "parts of a large group overlap, as threads happened to list them",
            in_symbol(
                "log_aggregator.steps.packing.shelf:Shelf._pieces",
                ("sorted(row.blocks, key=lambda block: block.first_key)", "row.blocks"),
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_what_several_threads_listed_comes_in_key_order",
        ),
        Mutant(
            "opaque-text-left",
            "a large text whose ETag is no MD5 is called damaged, and is never packed",
            in_symbol(
                "log_aggregator.steps.packing.large:PieceReader.check",
                ("stored.has_md5_etag", "True"),
            ),
            proof="tests/unit/steps/packing/test_large.py::test_a_large_text_is_packed_whatever_its_etag_is",
        ),
        Mutant(
            "customer-key-forgotten",
            "an ETag that a customer's key made opaque is taken for an MD5",
            in_symbol(
                "log_aggregator.adapters.s3.reading:is_opaque",
                ("'x-amz-server-side-encryption-customer-algorithm' in headers", "False"),
            ),
            proof="tests/unit/adapters/test_s3_store.py::TestReading::test_encrypted_objects_need_no_checksum",
        ),
        Mutant(
            "metadata-by-name",
            "an object with another signature is taken for the original",
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
            "an object with another content encoding is taken for the original",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_is_alike",
                ("(body.content_encoding or None) == (member.content_encoding or None)", "True"),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_nothing_is_overwritten",
        ),
        Mutant(
            "only-the-last-folder",
            "a bucket whose last folder holds no logs is called the wrong one",
            in_symbol(
                "log_aggregator.steps.packing.prefixes:MainTree._list_roots",
                ("found = found or bool(roots)", "found = bool(roots)"),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_one_folder_of_logs_is_enough",
        ),
        Mutant(
            "bytes-of-the-last",
            "of the bytes that were put back only those of the last original are told",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:put_back",
                (
                    "result.written_bytes += original.member.size_bytes",
                    "result.written_bytes = original.member.size_bytes",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_all_is_as_it_was",
        ),
        Mutant(
            "one-part-too-many",
            "an original is cut into more parts than S3 takes, and cannot be put back",
            in_symbol(
                "log_aggregator.steps.retrieval.put_back:_put_large",
                (
                    "max(PART_SIZE_BYTES, -(-member.size_bytes // PART_COUNT_MAX))",
                    "max(PART_SIZE_BYTES, member.size_bytes // PART_COUNT_MAX)",
                ),
            ),
            proof="tests/unit/steps/retrieval/test_put_back.py::test_parts_grow_where_there_would_be_too_many",
        ),
    ),
)
