"""Planted bugs: listing and selection."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

FINDING = Section(
    "Listing and selection",
    (
        Mutant(
            "page-end-lost",
            "the last key of a page is never listed",
            in_symbol(
                "log_aggregator.steps.packing.scan:list_window",
                ("held = [] if jump else entries[len(complete):]", "held = []"),
            ),
        ),
        Mutant(
            "holds-ignored",
            "logs under a hold are packed and deleted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                ("rules.holds.hold(bucket.name, listed.key, facts)", "False"),
            ),
        ),
        Mutant(
            "other-regions-taken",
            "logs of unwanted Regions are packed and deleted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                (
                    "not _is_wanted_region(facts, rules) and (not (bucket.is_main and rules.discard_other_regions))",
                    "False",
                ),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_unwanted_regions_are_left_and_counted",
        ),
        Mutant(
            "auxiliary-logs-discarded",
            "outside Control Tower's buckets, logs of other Regions are deleted unpacked",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                ("bucket.is_main and rules.discard_other_regions", "rules.discard_other_regions"),
            ),
            proof="tests/unit/steps/packing/test_discard.py::test_nothing_in_an_auxiliary_bucket_is_discarded",
        ),
        Mutant(
            "other-days-taken",
            "logs outside the requested days are packed and deleted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_sort_out",
                ("parsed.facts.date not in rules.window", "False"),
            ),
        ),
        Mutant(
            "empty-packed",
            "empty marker objects are packed and deleted",
            in_symbol(
                "log_aggregator.steps.packing.selection:_reason_to_leave",
                ("all((version.size_bytes == 0 for version in listed.versions))", "False"),
            ),
        ),
        Mutant(
            "own-packs-eaten",
            "packs are taken for logs, packed again and deleted",
            in_symbol(
                "log_aggregator.steps.packing.scan:_list_others",
                (
                    "return (found for found in listed if not found.key.startswith(area.skipped))",
                    "return listed",
                ),
            ),
            proof="tests/unit/steps/packing/test_scan.py::test_own_packs_are_not_logs",
        ),
        Mutant(
            "ledger-forgotten",
            "existing packs are ignored: every run packs again what could not be deleted",
            in_symbol(
                "log_aggregator.steps.packing.ledger:read_ledger",
                ("pack_of |= dict.fromkeys(members, key)", "pass"),
            ),
        ),
        Mutant(
            "only-pack-unseen",
            "a group's only pack is ignored, and its members are packed again",
            in_symbol(
                "log_aggregator.steps.packing.ledger:read_ledger",
                ("not written", "len(written) < 2"),
            ),
            proof="tests/unit/steps/packing/test_ledger.py::test_only_groups_with_packs_need_indexes",
        ),
        Mutant(
            "index-never-restored",
            "if a run died before writing an index, the index is never restored from its pack",
            in_symbol(
                "log_aggregator.steps.packing.ledger:read_ledger",
                ("restore and _restore_index(store, target, group, key, options)", "False"),
            ),
            proof="tests/unit/steps/packing/test_ledger.py::test_a_missing_index_is_restored_from_the_pack",
        ),
        Mutant(
            "clock-behind",
            "on a machine whose clock is behind, originals are kept forever",
            in_symbol(
                "log_aggregator.steps.rules:GroupRules.keeps",
                (
                    "return max(0, (today - since).days) < self.keep_originals_days",
                    "return (today - since).days < max(1, self.keep_originals_days)",
                ),
            ),
        ),
        Mutant(
            "living-uploads-aborted",
            "uploads of runs still in progress are aborted as if those runs were dead",
            in_symbol(
                "log_aggregator.steps.packing.run:abort_stale_uploads",
                (
                    "upload.initiated is not None and upload.initiated < oldest",
                    "upload.initiated is not None",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_stale_uploads_are_aborted_after_a_day",
        ),
        Mutant(
            "failures-of-groups-lost",
            "groups that failed are missing from the result, and the run counts as good",
            in_symbol(
                "log_aggregator.steps.packing.results:RunResult.take_groups",
                ("failures |= dict.fromkeys(settled.failures)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_store_errors_keep_originals_and_do_not_stop_other_groups",
        ),
        Mutant(
            "not-tried-is-done",
            "groups skipped because S3 did not answer count as done",
            in_symbol(
                "log_aggregator.steps.packing.run:_settle_all",
                ("settled.failures.append(Failure.of(str(group), skipped))", "_ = skipped"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_skipped_groups_are_failures",
        ),
        Mutant(
            "limit-ignored",
            "a run packs and deletes more than objects_max allows",
            in_symbol(
                "log_aggregator.steps.packing.listing:check_limit",
                ("found.shelf.objects > rules.objects_max", "False"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_too_many_objects_stop_the_run",
        ),
    ),
)
