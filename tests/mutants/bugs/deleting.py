"""Planted bugs: deletion."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

DELETING = Section(
    "Deletion",
    (
        Mutant(
            "delete-by-key",
            "a deletion names the key and no version",
            in_file("steps/delete.py", ("    return Deletion(key, version_id=version_id)\n", "    return Deletion(key, etag=etag)\n")),
        ),
        Mutant(
            "no-condition",
            "in a bucket without versions what was written over is deleted",
            in_file(
                "adapters/memory.py",
                (
                    '        if deletion.etag is not None and current is not None and current.etag != deletion.etag:\n            return "PreconditionFailed"\n',
                    "",
                ),
            ),
        ),
        Mutant(
            "lost-errors",
            "what S3 refused to delete counts as deleted",
            in_file(
                "steps/delete.py",
                (
                    "        report.retained += [failure for failure in failures if failure.code in _RETAINED]\n",
                    "        failures = [failure for failure in failures if failure.code not in _RETAINED]\n",
                ),
            ),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "not-tried-again",
            "a SlowDown for some keys ends the group as if they were deleted",
            in_file("steps/delete.py", ("        if not waiting:\n            return\n", "        return\n")),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "newest-first",
            "the newest version goes while an older one is still there",
            in_file(
                "steps/delete.py",
                ("    ready = [member for member in newest if not listed.has_older(member.key)]\n", "    ready = newest\n"),
            ),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "newest-forgotten",
            "the order of versions is not kept at all",
            in_file("steps/delete.py", ("        return self._newest.get(identity[0]) == identity\n", "        return False\n")),
        ),
        Mutant(
            "unreadable-version-left",
            "the newest version goes although an older one cannot be read and stays",
            in_file("steps/group.py", (" and source.key not in staying]", "]")),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "hiding-marker-removed",
            "the delete marker that hides a key is removed",
            in_file(
                "steps/delete.py",
                (
                    "    markers = [Deletion(key, version_id=version_id) for key, version_id in pack.index.markers if key in keys]\n",
                    "    page = store.list_object_versions(pack.source_bucket)\n    markers = [Deletion(marker.key, version_id=marker.version_id) for marker in page.markers]\n",
                ),
            ),
        ),
        Mutant(
            "deleted-keys-packed",
            "a key that somebody deleted is packed, and its versions go",
            in_file(
                "model.py",
                (
                    "        return not self.versions or (bool(self.markers) and not any(version.is_latest for version in self.versions))\n",
                    "        return not self.versions\n",
                ),
            ),
        ),
    ),
)
