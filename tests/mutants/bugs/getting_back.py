"""Planted bugs: getting originals back."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

GETTING_BACK = Section(
    "Getting originals back",
    (
        Mutant(
            "put-back-overwrites",
            "putting back says that an original is there where another object is",
            in_file("steps/putback.py", ("    if stored.size_bytes != member.size_bytes:\n        raise taken\n", "    return True\n")),
            proof="tests/unit/cli/test_put_back_command.py tests/unit/steps/test_putback.py",
        ),
        Mutant(
            "put-back-unlike",
            "an object with other user metadata is taken for the original",
            in_file("steps/putback.py", ("        dict(body.metadata) == dict(member.metadata)\n        and ", "        ")),
            proof="tests/unit/steps/test_putback.py tests/unit/cli/test_put_back_command.py",
        ),
        Mutant(
            "put-back-left-open",
            "an upload of an original that failed is left open",
            in_file(
                "steps/putback.py",
                (
                    "    except BaseException:\n        store.abort_multipart_upload(upload)\n        raise\n",
                    "    except BaseException:\n        raise\n",
                ),
            ),
            proof="tests/unit/steps/test_putback.py",
        ),
        Mutant(
            "extracted-unchecked",
            "what comes out of a pack is handed out without a look at its hash",
            in_file("steps/fetch.py", ("        yield piece\n    check.finish()\n", "        yield piece\n")),
            proof="tests/unit/steps/test_fetch.py tests/property/test_fetching.py",
        ),
        Mutant(
            "answers-mixed-up",
            "after a pack that could not be read its neighbour gets its answers",
            in_file("steps/fetch.py", ("    ranges.finish()\n", "")),
            proof="tests/unit/steps/test_fetch.py tests/property/test_fetching.py",
        ),
        Mutant(
            "no-second-pack",
            "an original that two packs hold is lost with one of them",
            in_file("steps/fetch.py", ("    for spare in original.spares:\n", "    for spare in ():\n")),
            proof="tests/unit/steps/test_fetch.py",
        ),
        Mutant(
            "thawing-is-thawed",
            "a pack that S3 is still thawing is read as if it were thawed",
            in_file(
                "steps/thaw.py", ("    return State.THAWING if stored.restore.is_ongoing else State.THAWED\n", "    return State.THAWED\n")
            ),
            proof="tests/unit/steps/test_thaw.py",
        ),
        Mutant(
            "thawed-again",
            "packs that are readable are thawed again, and paid for",
            in_file(
                "steps/thaw.py",
                (
                    "[each for each in states if each.state is State.FROZEN], lambda _: 1))\n    return",
                    "list(states), lambda _: 1))\n    return",
                ),
            ),
            proof="tests/unit/steps/test_thaw.py",
        ),
    ),
)
