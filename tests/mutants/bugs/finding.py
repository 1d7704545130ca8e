"""Planted bugs: listing and selection."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

FINDING = Section(
    "Listing and selection",
    (
        Mutant(
            "page-end-lost",
            "the last key of a page is never listed",
            in_file("steps/list.py", ("        held = [] if jump else entries[len(complete) :]\n", "        held = []\n")),
        ),
        Mutant(
            "holds-ignored",
            "what a hold names is packed and deleted",
            in_file("steps/selection.py", ("    if rules.holds.hold(bucket, listed.key, facts):\n", "    if False:\n")),
        ),
        Mutant(
            "other-regions-taken",
            "logs of regions that are not wanted are packed and deleted",
            in_file(
                "steps/selection.py",
                ("    if not _is_wanted_region(facts, rules) and not rules.discard_other_regions:\n", "    if False:\n"),
            ),
            proof="tests/unit/steps/test_list.py tests/unit/steps/test_run.py",
        ),
        Mutant(
            "other-days-taken",
            "logs of days that nobody asked for are packed and deleted",
            in_file("steps/selection.py", ("    elif parsed.facts.date not in rules.window:\n", "    elif False:\n")),
        ),
        Mutant(
            "empty-packed",
            "marker objects without bytes are packed and deleted",
            in_file("steps/selection.py", ("    if all(version.size_bytes == 0 for version in listed.versions):\n", "    if False:\n")),
        ),
        Mutant(
            "own-packs-eaten",
            "packs are taken for logs, packed and deleted",
            in_file(
                "steps/list.py",
                (
                    "    return (found for found in listed if not found.key.startswith(bucket.own_prefixes)) if bucket.own_prefixes else listed\n",
                    "    return listed\n",
                ),
            ),
            proof="tests/unit/steps/test_list.py",
        ),
        Mutant(
            "ledger-forgotten",
            "nobody looks which packs there are: every run packs again what could not be deleted",
            in_file(
                "steps/ledger.py",
                ("            pack_of |= dict.fromkeys(_find_members(store, target, key, wanted), key)\n", "            pass\n"),
            ),
        ),
        Mutant(
            "index-never-restored",
            "a pack whose run died before its index was written never gets it back",
            in_file("steps/ledger.py", ("not (restore and _restore_index(store, target, group, key, options))", "restore")),
            proof="tests/unit/steps/test_ledger.py",
        ),
        Mutant(
            "clock-behind",
            "a machine whose clock is behind keeps originals for ever",
            in_file(
                "steps/group.py",
                (
                    "        return max(0, (today - since).days) < self.keep_originals_days\n",
                    "        return (today - since).days < max(1, self.keep_originals_days)\n",
                ),
            ),
        ),
        Mutant(
            "living-uploads-aborted",
            "uploads of runs that are under way are taken for those of dead ones",
            in_file("steps/run.py", ("if upload.initiated is not None and upload.initiated < oldest:", "if upload.initiated is not None:")),
            proof="tests/unit/steps/test_run.py",
        ),
        Mutant(
            "failures-of-groups-lost",
            "groups that failed are not in the result, and the run counts as good",
            in_file("steps/run.py", ("            result.failures += settled.failures\n", "")),
            proof="tests/unit/steps/test_run.py tests/unit/steps/test_group.py",
        ),
        Mutant(
            "not-tried-is-done",
            "groups that were not tried, because S3 gave no answer, count as done",
            in_file(
                "steps/run.py",
                (
                    "            settled.failures.append(Failure.of(str(group), skipped))\n",
                    "            _ = skipped\n",
                ),
            ),
            proof="tests/unit/steps/test_run.py",
        ),
        Mutant(
            "limit-ignored",
            "a run packs and deletes more than objects_max allows",
            in_file("steps/run.py", ("    if found.shelf.objects > rules.objects_max:\n", "    if False:\n")),
            proof="tests/unit/steps/test_run.py",
        ),
    ),
)
