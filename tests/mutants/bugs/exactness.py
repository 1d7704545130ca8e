"""Planted bugs: exactly what was listed."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

EXACTNESS = Section(
    "Exactly what was listed",
    (
        Mutant(
            "read-newest",
            "the newest version is read where an older one was listed",
            in_file(
                "steps/read.py",
                (
                    "body = self._store.get_object(source.bucket, source.key, version_id=source.version_id, if_match=source.etag)",
                    "body = self._store.get_object(source.bucket, source.key)",
                ),
            ),
        ),
        Mutant(
            "etag-not-compared",
            "a damaged body is packed: neither its MD5 nor its gzip is looked at",
            in_file("steps/read.py", ("        if _has_md5(original):\n            return True\n", "        return True\n")),
        ),
        Mutant(
            "gzip-proves-bytes",
            "whole gzip is taken for the right bytes, so a flipped bit of its header is packed",
            in_file(
                "steps/read.py",
                ("        is_opaque = self._has_opaque_etags or not _MD5.fullmatch(source.etag)\n", "        is_opaque = True\n"),
            ),
        ),
        Mutant(
            "length-not-compared",
            "a body that was cut short is packed",
            in_file(
                "steps/read.py",
                (
                    "        if len(data) != source.size_bytes:\n            return False\n        if _has_md5(original):\n            return True\n",
                    "        if len(data) != source.size_bytes:\n            return True\n        if _has_md5(original):\n            return True\n",
                ),
            ),
        ),
        Mutant(
            "second-read-trusted",
            "what was read twice is packed, although the two differ",
            in_file(
                "steps/read.py",
                (
                    "        is_same = len(body.data) == source.size_bytes and body.data == first.data\n",
                    "        is_same = len(body.data) == source.size_bytes\n",
                ),
            ),
            proof="tests/unit/steps/test_read.py",
        ),
        Mutant(
            "metadata-dropped",
            "user metadata is lost, and with it the signature of a CloudTrail digest",
            in_file(
                "steps/read.py",
                (
                    "    return Headers(dict(body.metadata), body.content_type, body.content_encoding)\n",
                    "    return Headers({}, body.content_type, body.content_encoding)\n",
                ),
            ),
        ),
        Mutant(
            "content-type-dropped",
            "the content type does not come back",
            in_file(
                "steps/read.py",
                (
                    "    return Headers(dict(body.metadata), body.content_type, body.content_encoding)\n",
                    "    return Headers(dict(body.metadata), None, body.content_encoding)\n",
                ),
            ),
        ),
        Mutant(
            "large-not-compared",
            "a large object that was read in damaged pieces is packed",
            in_file(
                "steps/large.py",
                ("            _compare(self._source, self._running.crc, stored.crc64nvme)\n", "            pass\n"),
                ("        if stored.has_md5_etag:\n            raise _damaged(self._source)\n", ""),
            ),
            proof="tests/unit/steps/test_group.py",
        ),
    ),
)
