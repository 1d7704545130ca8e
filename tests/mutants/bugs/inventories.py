"""Planted bugs: inventories as a listing, and the shelf that a listing waits on."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

_INVENTORY = "tests/unit/steps/test_inventory.py"
_HISTORY = "tests/simulation/test_history_by_inventory.py"

INVENTORIES = Section(
    "Inventories, and the shelf",
    (
        Mutant(
            "gone-counts-as-deleted",
            "what had gone since the inventory was made is deleted once more, and stands so in the custody record",
            in_file("steps/group.py", ("    if rules.is_listing_old:  # S3", "    if False:  # S3")),
            proof=_INVENTORY,
        ),
        Mutant(
            "discarded-by-an-inventory",
            "logs of other regions are deleted without a pack because of what an old list says",
            in_file("steps/inventory.py", ("replace(rules, discard_other_regions=False)", "rules")),
            proof=_INVENTORY,
        ),
        Mutant(
            "null-version-lost",
            "the null version of a key is looked for under no version id, so another one is packed in its place",
            in_file("core/inventory/rows.py", ("            return text or NULL_VERSION\n", "            return text or None\n")),
            proof="tests/unit/core/inventory/test_rows.py",
        ),
        Mutant(
            "current-versions-will-do",
            "older versions are not seen, and come to light when the newest goes",
            in_file("core/inventory/manifest.py", ("    if versioning is not None and not manifest.has_versions:\n", "    if False:\n")),
            proof=_INVENTORY,
        ),
        Mutant(
            "markers-forgotten",
            "a key that somebody deleted is packed, and its versions go",
            in_file(
                "core/inventory/sorting.py",
                ("markers = [entry for entry in found if isinstance(entry, DeleteMarker)]", "markers: list[DeleteMarker] = []"),
            ),
            proof="tests/unit/core/inventory/test_sorting.py",
        ),
        Mutant(
            "half-an-inventory",
            "a file of an inventory that is not what the manifest says is taken",
            in_file(
                "steps/inventory.py",
                ("        if self._md5.hexdigest() != self._file.md5 and not is_quoted_etag:\n", "        if False:\n"),
                ("    if stored.size_bytes != file.size_bytes:\n", "    if False:\n"),
            ),
            proof=_INVENTORY,
        ),
        Mutant(
            "unfinished-inventory",
            "an inventory that S3 is still writing is taken for the newest",
            in_file("steps/inventory.py", ('            store.head_object(bucket, f"{made}{CHECKSUM}")\n', "")),
            proof=_INVENTORY,
        ),
        Mutant(
            "later-days-dropped",
            "what does not fit into the memory is never done",
            in_file("steps/inventory.py", ("        found = Found(held.window)\n", "        found = Found(rules.window)\n")),
            proof=_INVENTORY,
        ),
        Mutant(
            "anything-in-a-main-bucket",
            "what is no log of Control Tower's is packed out of its bucket",
            in_file("steps/inventory.py", (" and bucket.is_main and not is_main_log(entry.key, organization_id)", " and False")),
            proof=_INVENTORY,
        ),
        Mutant(
            "inventory-keys-not-decoded",
            "keys with a space or a plus are not found",
            in_file("core/inventory/rows.py", ('unquote_plus(values[Column.KEY], errors="strict")', "values[Column.KEY]")),
            proof="tests/unit/core/inventory/test_rows.py",
        ),
        Mutant(
            "unsorted-files-forgotten",
            "a window is taken for done although a file of the inventory was never sorted",
            in_file("steps/fanout/sorting.py", ("    if done != files:\n", "    if False:\n")),
            proof=_HISTORY,
        ),
        Mutant(
            "any-window",
            "a window that history never sorted looks empty, and its logs stay",
            in_file("steps/fanout/sorting.py", ("    if wanted not in windows:\n", "    if False:\n")),
            proof=_HISTORY,
        ),
        Mutant(
            "folded-block-lost",
            "of a large listing what was folded last is never packed",
            in_file("steps/shelf.py", ("        part.add(row.open)\n", "")),
            proof="tests/unit/steps/test_shelf.py",
        ),
        Mutant(
            "versions-parted-on-the-shelf",
            "versions of one key get into different parts, and the newest goes before an older one",
            in_file(
                "steps/shelf.py",
                (
                    "    for key, sources in groupby(found.sources, key=_key_of):\n",
                    "    for key, sources in ((_key_of(each), [each]) for each in found.sources):\n",
                ),
            ),
            proof="tests/unit/steps/test_shelf.py",
        ),
    ),
)
