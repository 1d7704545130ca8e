"""Planted bugs: inventories used as listings, and the shelf that holds a listing."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

INVENTORIES = Section(
    "Inventories and the shelf",
    (
        Mutant(
            "gone-counts-as-deleted",
            "objects that vanished since the inventory are deleted again and recorded in custody "
            "as deleted",
            in_symbol(
                "log_aggregator.steps.packing.group:GroupWork.delete",
                ("self.rules.is_listing_old", "False"),
            ),
            proof="tests/unit/steps/test_inventory.py::test_a_killed_run_is_finished_by_the_same_inventory",
        ),
        Mutant(
            "discarded-by-an-inventory",
            "logs of other Regions are deleted unpacked on the strength of an outdated inventory",
            in_symbol(
                "log_aggregator.steps.inventory:InventoryListing.windows",
                (
                    "careful, first = (replace(rules, discard_other_regions=False), rules.window.first)",
                    "careful, first = (rules, rules.window.first)",
                ),
            ),
            proof="tests/unit/steps/test_inventory.py::test_other_regions_are_never_deleted_by_an_inventory",
        ),
        Mutant(
            "null-version-lost",
            "the null version of a key is looked up without a version id, and another version is "
            "packed instead",
            in_symbol(
                "log_aggregator.core.inventory.rows:RowReader._version_of",
                ("return text or NULL_VERSION", "return text or None"),
            ),
            proof="tests/unit/core/inventory/test_rows.py::test_rows_come_back",
        ),
        Mutant(
            "current-versions-will-do",
            "older versions are not seen, and become visible when the newest is deleted",
            in_symbol(
                "log_aggregator.core.inventory.manifest:check_versions",
                ("versioning is not None and (not manifest.has_versions)", "False"),
            ),
            proof="tests/unit/steps/test_inventory.py::test_an_inventory_of_current_versions_is_refused_for_versioned_buckets",
        ),
        Mutant(
            "markers-forgotten",
            "a key that someone deleted is packed, and its older versions are deleted",
            in_symbol(
                "log_aggregator.core.inventory.sorting:gather_keys",
                (
                    "markers = [entry for entry in found if isinstance(entry, DeleteMarker)]",
                    "markers: list[DeleteMarker] = []",
                ),
            ),
            proof="tests/unit/core/inventory/test_sorting.py::test_keys_keep_all_their_versions",
        ),
        Mutant(
            "half-an-inventory",
            "an inventory file that does not match the manifest is used",
            (
                *in_symbol(
                    "log_aggregator.steps.inventory:_Checked.check",
                    ("self._md5.hexdigest() != self._file.md5 and (not is_quoted_etag)", "False"),
                ),
                *in_symbol(
                    "log_aggregator.steps.inventory:InventoryReader._read_rows",
                    ("stored.size_bytes != file.size_bytes", "False"),
                ),
            ),
            proof="tests/unit/steps/test_inventory.py::test_a_damaged_file_stops_the_run_before_it_begins",
        ),
        Mutant(
            "unfinished-inventory",
            "an inventory that S3 is still writing is taken for the newest",
            in_symbol(
                "log_aggregator.steps.inventory:_find_newest",
                ("store.head_object(bucket, f'{made}{CHECKSUM}')", ""),
            ),
            proof="tests/unit/steps/test_inventory.py::test_the_newest_complete_inventory_is_used",
        ),
        Mutant(
            "later-days-dropped",
            "logs that do not fit into memory are never packed",
            in_symbol(
                "log_aggregator.steps.inventory:InventoryListing._read_window",
                ("found = Found(held.window)", "found = Found(rules.window)"),
            ),
            proof="tests/unit/steps/test_inventory.py::test_excess_objects_wait_for_another_reading",
        ),
        Mutant(
            "anything-in-a-main-bucket",
            "objects that are not Control Tower's logs are packed from its bucket",
            in_symbol(
                "log_aggregator.steps.inventory:find_dated",
                (
                    "isinstance(parsed, DatedKey) and source.bucket.is_main and (not is_main_log(entry.key, source.organization_id))",
                    "isinstance(parsed, DatedKey) and False",
                ),
            ),
            proof="tests/unit/steps/test_inventory.py::test_only_control_towers_places_in_a_main_bucket_are_packed",
        ),
        Mutant(
            "inventory-keys-not-decoded",
            "keys with a space or a plus sign are not found",
            in_symbol(
                "log_aggregator.core.inventory.rows:RowReader.read_csv",
                (
                    "values[Column.KEY] = unquote_plus(values[Column.KEY], errors='strict')",
                    "values[Column.KEY] = values[Column.KEY]",
                ),
            ),
            proof="tests/unit/core/inventory/test_rows.py::test_rows_come_back",
        ),
        Mutant(
            "unsorted-files-forgotten",
            "a window counts as done although an inventory file was never sorted",
            in_symbol(
                "log_aggregator.steps.fanout.sorting:check_sorted", ("done != files", "False")
            ),
            proof="tests/simulation/test_history_by_inventory.py::test_an_incomplete_inventory_is_refused",
        ),
        Mutant(
            "any-window",
            "a window that was never sorted looks empty, and its logs are never packed",
            in_symbol(
                "log_aggregator.steps.fanout.sorting:check_sorted",
                ("wanted not in windows", "False"),
            ),
            proof="tests/simulation/test_history_by_inventory.py::test_a_run_only_takes_sorted_windows",
        ),
        Mutant(
            "folded-block-lost",
            "the last block folded from a large listing is never packed",
            in_symbol(
                "log_aggregator.steps.packing.shelf:Shelf._pieces", ("yield row.open", "pass")
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_everything_put_on_the_shelf_comes_back",
        ),
        Mutant(
            "versions-parted-on-the-shelf",
            "versions of one key end up in different parts, and the newest is deleted before an "
            "older one",
            in_symbol(
                "log_aggregator.steps.packing.shelf:_by_key",
                (
                    "groupby(found.sources, key=_key_of)",
                    "((_key_of(each), [each]) for each in found.sources)",
                ),
            ),
            proof="tests/unit/steps/packing/test_shelf.py::test_everything_put_on_the_shelf_comes_back",
        ),
    ),
)
