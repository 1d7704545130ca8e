"""Planted bugs: packing."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

PACKING = Section(
    "Packing",
    (
        Mutant(
            "last-of-a-pack-lost",
            "the last member of a full pack is in no pack",
            in_file("core/planning.py", ("            yield batch[:cut]\n", "            yield batch[: cut - 1] or batch[:cut]\n")),
        ),
        Mutant(
            "listed-twice",
            "an object that a listing shows twice ends the run",
            in_file(
                "core/planning.py",
                ("    ordered = sorted(listed_once.values(),", "    ordered = sorted(sources,"),
                (
                    "    listed_once = {source.log_object.identity: source for source in sources}  # S3 may list an object on two pages\n",
                    "    sources = list(sources)\n",
                ),
            ),
        ),
        Mutant(
            "name-of-the-first",
            "a pack is named after its first member, so two packs share a name",
            in_file(
                "core/planning.py",
                (
                    "    for log_object in objects:\n        digest.update",
                    "    for log_object in list(objects)[:1]:\n        digest.update",
                ),
            ),
            proof="tests/unit/core/test_planning.py",
        ),
        Mutant(
            "wrong-offset",
            "a member lies one byte beside where the index says",
            in_file("core/packformat/index.py", ('    yield "offset", member.offset\n', '    yield "offset", member.offset + 1\n')),
        ),
        Mutant(
            "damaged-gzip-inflated",
            "damaged gzip is packed as if it were whole, and hides the rest of the pack",
            in_file(
                "core/packformat/contents.py",
                ('        return Contents(Shape.SEALED, flags=("damaged-gzip",))\n', "        return Contents(Shape.GZIP)\n"),
            ),
            proof="tests/property/test_packs.py tests/unit/core/packformat/test_contents.py",
        ),
    ),
)
