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
                ("    ready = [identity for identity in newest if not listed.has_older(identity[0])]\n", "    ready = newest\n"),
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
            (
                *in_file("steps/group.py", (" and source.key not in staying]", "]")),
                *in_file(
                    "steps/delete.py",
                    ("    ready = [identity for identity in newest if not listed.has_older(identity[0])]\n", "    ready = newest\n"),
                ),
            ),
            proof="tests/unit/steps/test_group.py",
        ),
        Mutant(
            "hiding-marker-removed",
            "the delete marker that hides a key is removed",
            in_file(
                "steps/delete.py",
                (
                    "    markers = [Deletion(key, version_id=version_id) for key, version_id in pack.index.markers if key in keys and version_id != NULL_VERSION]\n",
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
        Mutant(
            "null-marker-removed",
            "a log object that has taken the place of an old delete marker is deleted unread",
            in_file("steps/delete.py", (" if key in keys and version_id != NULL_VERSION]", " if key in keys]")),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "older-null-deleted",
            "an older version that was delivered again meanwhile is deleted as the newest one",
            in_file(
                "steps/delete.py",
                (
                    "    fixed = [identity for identity in others if not (listed.is_older(identity) and _can_be_replaced(identity[1], versioning))]\n",
                    "    fixed = others\n",
                ),
            ),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "null-without-condition",
            "where versioning is suspended, what was written over is deleted",
            in_file(
                "steps/delete.py",
                (
                    "        return Deletion(key, version_id=version_id, etag=etag)\n",
                    "        return Deletion(key, version_id=version_id)\n",
                ),
            ),
        ),
        Mutant(
            "discards-unlisted",
            "a 409 is taken for a list that is there: log objects go without a trace",
            in_file("steps/discard.py", ("        store.head_object(target.bucket, key)\n", "        pass\n")),
            proof="tests/unit/steps/test_discard.py",
        ),
        Mutant(
            "discards-in-any-order",
            "an older version of what is discarded comes to light",
            in_file("steps/discard.py", ("versioning, ListedVersions(ordered), report)", "versioning, ListedVersions([]), report)")),
            proof="tests/unit/steps/test_discard.py",
        ),
        Mutant(
            "gone-is-deleted",
            "what was gone already counts as deleted, and the counts of a run are wrong",
            in_file(
                "steps/delete.py", ("        report.deleted += len(waiting) - len(failures)\n", "        report.deleted += len(waiting)\n")
            ),
            proof="tests/unit/steps/test_delete.py",
        ),
        Mutant(
            "kept-too-short",
            "originals go a day before keep_originals_days allows it",
            in_file("steps/group.py", (".days) < self.keep_originals_days\n", ".days) < self.keep_originals_days - 1\n")),
            proof="tests/unit/steps/test_group.py tests/unit/steps/test_run.py",
        ),
    ),
)
