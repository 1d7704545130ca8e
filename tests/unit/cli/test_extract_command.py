"""The `extract` command."""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.inflating import bombs_from
from tests.support.world import (
    DAY,
    World,
    access_key,
    document,
    fail_on,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)
from tests.unit.cli.conftest import Command

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.core.query import Query
from log_aggregator.errors import Unreachable
from log_aggregator.model import Target
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Fault, FaultyStore

TARGET = Target("dest")
ON_THE_DAY = ("--date", f"{DAY}")


def packed(**more: Any) -> World:
    world = make_world(**more)
    world.put(
        "logs",
        trail_key(1),
        document(1),
        metadata={"signature": "one"},
        content_type="application/json",
    )
    world.put("logs", trail_key(1), document(2), metadata={"signature": "two"})
    for number in range(5):
        world.put("logs", access_key(number), f"line {number}\n".encode())
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"without an end"))
    assert world.run().failures == []
    return world


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def packs_of(world: World) -> list[FoundPack]:
    return list(find(world.store, SerialWorkers(), [TARGET], Query()))


def pack_twice(world: World) -> FoundPack:
    """The CloudTrail pack exists twice; the first copy, which is returned, has a damaged member."""
    pack = next(each for each in packs_of(world) if each.group.log_type == "CloudTrail")
    index = read_index(world.store, TARGET, pack.pack_key).decode()
    twin = replace(index, pack_key=pack.pack_key.replace(".json.gz", "-twin.json.gz"))
    world.store.put("dest", twin.pack_key, world.store.get_object("dest", pack.pack_key).data)
    world.store.put("dest", TARGET.index_key(twin.pack_key), encode_index(twin))
    first = packs_of(world)[0]
    damage(world, first, first.members[0].offset + 12)
    return first


def damage(world: World, pack: FoundPack, position: int) -> None:
    data = bytearray(world.store.get_object("dest", pack.pack_key).data)
    data[position] ^= 1
    world.store.put("dest", pack.pack_key, bytes(data))


class TestFolder:
    def test_a_whole_day_is_extracted(self, command: Command, tmp_path: Path) -> None:
        """Each original becomes a file under its bucket and key, with older versions next to the
        newest; the summary is JSON.
        """
        world, folder = packed(), tmp_path / "out"
        done = command(world, "extract", *ON_THE_DAY, "--directory", str(folder), "--json")
        summary = json.loads(done.out)
        assert (
            done.code,
            summary["originals"],
            summary["packs"],
            summary["lost"],
            summary["failures"],
        ) == (0, 8, 3, 0, [])
        older = world.originals[0].source.version_id
        expected = {f"logs/{stored.source.key}": stored.data for stored in world.originals[1:]}
        expected[f"logs/{trail_key(1).removesuffix('.json.gz')}.version-{older}.json.gz"] = (
            document(1)
        )
        assert files_of(folder) == expected
        file = folder / "logs" / access_key(1)
        assert file.stat().st_mtime == pytest.approx(
            world.originals[3].source.last_modified.timestamp()
        )

    def test_metadata_is_written_on_request(self, command: Command, tmp_path: Path) -> None:
        """On request, user metadata, version and content type are written next to each file."""
        world = packed()
        command(
            world,
            "extract",
            trail_key(1),
            "--newest",
            "--directory",
            str(tmp_path / "out"),
            "--metadata",
        )
        described = json.loads(
            (tmp_path / "out" / "logs" / f"{trail_key(1)}.metadata.json").read_bytes()
        )
        source = world.originals[1].source
        assert described["metadata"] == {"signature": "two"}
        assert (described["bucket"], described["key"], described["version_id"]) == (
            "logs",
            source.key,
            source.version_id,
        )
        assert len(files_of(tmp_path / "out")) == 2

    def test_keys_cannot_leave_the_folder(self, command: Command, tmp_path: Path) -> None:
        """Keys with `..`, empty segments or control characters stay in the folder, each under a
        distinct name.
        """
        world = make_world()
        stem = f"AWSLogs/111111111111/vpcflowlogs/eu-west-1/{DAY:%Y/%m/%d}"
        keys = [f"{stem}/../../../../../../../../{name}" for name in ("evil", "EVIL", "evil/x")]
        keys += [
            f"{stem}//a.log",
            f"{stem}/a\x00b.log",
            f"{stem}/{'l' * 800}.log",
            f"{stem}/./a.log",
        ]
        for key in keys:
            world.put("logs", key, key.encode() + b"\n")
        world.run()
        found = {member.key for pack in packs_of(world) for member in pack.members}
        done = command(
            world, "extract", "--key", "*", "--directory", str(tmp_path / "in" / "out"), "--json"
        )
        assert json.loads(done.out)["originals"] == len(found) >= 5
        written = files_of(tmp_path)
        assert sorted(written.values()) == sorted(key.encode() + b"\n" for key in found)
        assert all(name.startswith("in/out/logs/") for name in written)

    def test_a_folder_that_is_not_empty_is_refused(self, command: Command, tmp_path: Path) -> None:
        """It is left alone without --force; with it, other files stay."""
        (tmp_path / "mine").write_text("mine")
        done = command(packed(), "extract", *ON_THE_DAY, "--directory", str(tmp_path))
        assert (done.code, [path.name for path in tmp_path.iterdir()]) == (2, ["mine"])
        assert "not empty" in done.err
        for _ in range(2):
            assert (
                command(
                    packed(), "extract", *ON_THE_DAY, "--directory", str(tmp_path), "--force"
                ).code
                == 0
            )
            assert len(files_of(tmp_path)) == 9

    def test_a_file_in_place_of_the_folder_is_an_error(
        self, command: Command, tmp_path: Path
    ) -> None:
        """A file in the folder's place is a clear error before anything is read."""
        (tmp_path / "file").write_text("x")
        done = command(packed(), "extract", *ON_THE_DAY, "--directory", str(tmp_path / "file"))
        assert (done.code, "--directory" in done.err) == (2, True)

    def test_a_link_out_of_the_folder_is_not_followed(
        self, command: Command, tmp_path: Path
    ) -> None:
        """With --force a folder may hold anything; links in it are not followed out of it."""
        (tmp_path / "out").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out" / "logs").symlink_to(tmp_path / "elsewhere")
        done = command(
            packed(), "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"), "--force"
        )
        assert (
            done.code,
            "a symbolic link leads out" in done.err,
            list((tmp_path / "elsewhere").rglob("*")),
        ) == (1, True, [])

    def test_a_full_disk_leaves_only_whole_files(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The exit code is 1 with a clear message; only whole files have names."""
        world = packed()
        count, utime = [0], os.utime

        def limited(path: Path, *more: Any) -> None:
            count[0] += 1
            if count[0] > 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            utime(path, *more)

        monkeypatch.setattr(os, "utime", limited)
        done = command(world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"))
        assert (
            done.code,
            "No space left on device" in done.err,
            "Free some space" in done.err,
        ) == (
            1,
            True,
            True,
        )
        expected = {stored.data for stored in world.originals}
        written = files_of(tmp_path)
        assert len(written) == 3
        assert set(written.values()) <= expected

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_standard_output_is_noticed_first(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full standard output is noticed before anything is read."""
        with Path("/dev/full").open("w") as full:
            monkeypatch.setattr(sys, "stdout", full)
            done = command(packed(), "extract", *ON_THE_DAY, "--lines")
        assert (done.code, "standard output: No space left" in done.err) == (3, True)

    def test_ctrl_c_leaves_no_unfinished_file(self, command: Command, tmp_path: Path) -> None:
        """The exit code is 130, and no unfinished file has a name."""
        world, seen = packed(), [0]

        def stop(number: int, call: Call) -> Fault | None:
            seen[0] += call.operation == "GetObject" and "/packs/" in f"/{call.key}"
            return Fault(before=KeyboardInterrupt()) if seen[0] == 2 else None

        done = command(
            world,
            "extract",
            *ON_THE_DAY,
            "--directory",
            str(tmp_path / "out"),
            store=FaultyStore(world.store, stop),
        )
        assert done.code == 130
        expected = {stored.data for stored in world.originals}
        assert set(files_of(tmp_path).values()) <= expected
        assert not [name for name in files_of(tmp_path) if "partial" in name]
        assert "What was finished stays, and nothing is half done." in done.err

    def test_one_damaged_member_is_left_out(self, command: Command, tmp_path: Path) -> None:
        """Everything else is extracted; the damaged member is named and has no file, and the exit
        code is 1.
        """
        world = packed()
        pack = next(each for each in packs_of(world) if each.group.log_type == "CloudTrail")
        damage(world, pack, pack.members[0].offset + 12)
        done = command(
            world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"), "--json"
        )
        summary = json.loads(done.out)
        assert (done.code, summary["originals"], summary["lost"]) == (1, 7, 1)
        assert summary["failures"][0]["where"].endswith(trail_key(1))
        assert len(files_of(tmp_path)) == 7

    def test_a_key_in_two_packs_is_extracted_once(self, command: Command, tmp_path: Path) -> None:
        """It is extracted once, under its own name, from the other pack where one is damaged."""
        world = packed()
        pack_twice(world)
        done = command(
            world,
            "extract",
            *ON_THE_DAY,
            "--log-type",
            "CloudTrail",
            "--directory",
            str(tmp_path / "out"),
            "--json",
        )
        summary = json.loads(done.out)
        assert (done.code, summary["originals"], summary["rescued"], summary["lost"]) == (
            0,
            2,
            1,
            0,
        )
        assert {path.name for path in (tmp_path / "out").rglob("*.gz")} >= {
            trail_key(1).rpartition("/")[2]
        }
        assert not [path for path in files_of(tmp_path) if "%" in path]

    def test_a_frozen_pack_is_named(self, command: Command, tmp_path: Path) -> None:
        """It is named, with the command that thaws it."""
        world = packed(storage_class="GLACIER")
        done = command(world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"))
        assert (done.code, "ObjectFrozen" in done.err, "log-aggregator thaw" in done.err) == (
            1,
            True,
            True,
        )
        assert files_of(tmp_path) == {}

    def test_bad_indexes_are_named(self, command: Command, tmp_path: Path) -> None:
        """A foreign, damaged or missing index is named; the exit code is 1 and the rest is
        extracted.
        """
        world = packed()
        first, second, third = packs_of(world)
        world.store.put(
            "dest",
            TARGET.index_key(first.pack_key),
            world.store.get_object("dest", TARGET.index_key(third.pack_key)).data,
        )
        world.store.delete("dest", TARGET.index_key(second.pack_key))
        done = command(
            world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"), "--json"
        )
        summary = json.loads(done.out)
        assert (done.code, summary["originals"]) == (1, len(third.members))
        assert [failure["error"] for failure in summary["failures"]] == ["IncompleteSearch"]
        assert TARGET.index_key(first.pack_key) in summary["failures"][0]["message"]
        assert second.pack_key in summary["failures"][0]["message"]

    def test_failures_are_described_in_words(self, command: Command, tmp_path: Path) -> None:
        """A lost index is not reported as an unreadable original; a lost pack is, and no message
        says that its originals were kept.
        """
        world = packed()
        first, second, _ = packs_of(world)
        world.store.delete("dest", TARGET.index_key(first.pack_key))
        done = command(world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "one"))
        assert "not everything could be searched:" in done.err
        assert "could not be read" not in done.err
        world.store.delete("dest", second.pack_key)
        done = command(world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "two"))
        lost = len(second.members)
        assert (
            f"{lost} original{'s' * (lost > 1)} could not be read, and not everything could "
            "be searched:" in done.err
        )
        assert (
            f"  s3://dest/{second.pack_key}: NotFound: the index exists, but the pack does not"
            in done.err.splitlines()
        )
        assert "kept" not in done.err


class TestOne:
    def test_one_original_is_written_to_the_named_file(
        self, command: Command, tmp_path: Path
    ) -> None:
        """The newest version, or the one named, goes to the given file; an existing file is not
        overwritten.
        """
        world, path = packed(), tmp_path / "one.json.gz"
        done = command(world, "extract", trail_key(1), "--output", str(path))
        assert (done.code, path.read_bytes(), "1 other version is packed too" in done.err) == (
            0,
            document(2),
            True,
        )
        again = command(world, "extract", trail_key(1), "--output", str(path))
        assert (again.code, "--force overwrites it" in again.err) == (2, True)
        older = str(world.originals[0].source.version_id)
        command(
            world,
            "extract",
            f"s3://logs/{trail_key(1)}",
            "--version-id",
            older,
            "-o",
            str(path),
            "--force",
            "--metadata",
        )
        assert path.read_bytes() == document(1)
        assert json.loads((tmp_path / "one.json.gz.metadata.json").read_bytes())["metadata"] == {
            "signature": "one"
        }
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0

    def test_the_default_name_is_the_end_of_the_key(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without --output it is written to the current folder under the key's last segment."""
        monkeypatch.chdir(tmp_path)
        assert command(packed(), "extract", flow_key("a.log.gz")).code == 0
        assert gzip.decompress((tmp_path / "a.log.gz").read_bytes()) == b"without an end"

    @pytest.mark.parametrize("more", [[], ["--lines"]])
    def test_a_device_or_pipe_is_refused(
        self, command: Command, tmp_path: Path, more: list[str]
    ) -> None:
        """Writing would replace a device or pipe for every process, so it is refused, even with
        --force.
        """
        os.mkfifo(tmp_path / "pipe")
        done = command(
            packed(), "extract", trail_key(1), *more, "--output", str(tmp_path / "pipe"), "--force"
        )
        assert (done.code, "a device or a pipe" in done.err) == (2, True)
        assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]

    def test_standard_output_gets_the_exact_bytes(self, command: Command) -> None:
        """Standard output gets the original's exact bytes and nothing else."""
        assert command(packed(), "extract", trail_key(1), "--output", "-").out == document(2)

    @pytest.mark.parametrize("more", [[], ["--version-id", "none"]])
    def test_a_missing_original_exits_with_1(
        self, command: Command, tmp_path: Path, more: list[str]
    ) -> None:
        """A key or version that no pack has gives exit code 1 and no file."""
        key = trail_key(1) if more else trail_key(1) + "x"
        done = command(packed(), "extract", key, "--output", str(tmp_path / "x"), *more)
        assert (done.code, "no pack holds" in done.err, list(tmp_path.iterdir())) == (1, True, [])

    def test_a_damaged_copy_is_replaced_by_the_other_pack(
        self, command: Command, tmp_path: Path
    ) -> None:
        """A single key, too, is taken from the other pack where the first is damaged."""
        world = packed()
        first = pack_twice(world)
        done = command(
            world,
            "extract",
            trail_key(1),
            "--version-id",
            str(first.members[0].version_id),
            "-o",
            str(tmp_path / "one"),
        )
        assert (done.code, "1 original came from another pack" in done.err) == (0, True)
        assert (tmp_path / "one").read_bytes() in {
            original.data for original in world.originals[:2]
        }

    def test_damage_leaves_no_file(self, command: Command, tmp_path: Path) -> None:
        """One wrong bit gives exit code 1, a clear message and no file under any name."""
        world = packed()
        pack = next(each for each in packs_of(world) if each.group.log_type == "vpcflowlogs")
        damage(world, pack, pack.members[0].offset + 12)
        done = command(world, "extract", flow_key("a.log.gz"), "--output", str(tmp_path / "x"))
        assert (done.code, "SHA-256" in done.err, list(tmp_path.iterdir())) == (1, True, [])

    def test_a_silent_s3_is_not_a_missing_log(self, command: Command, tmp_path: Path) -> None:
        """An S3 that does not answer is reported as that, not as a missing log."""
        world = packed()
        store = FaultyStore(
            world.store,
            fail_on(lambda call: call.operation == "GetObject", Unreachable("no answer came")),
        )
        done = command(
            world, "extract", flow_key("a.log.gz"), "--output", str(tmp_path / "x"), store=store
        )
        assert (done.code, "no answer came" in done.err, list(tmp_path.iterdir())) == (3, True, [])


class TestStreams:
    def test_lines_of_all_originals_are_joined(self, command: Command) -> None:
        """All originals are inflated one after the other, each ending in a newline."""
        done = command(packed(), "extract", *ON_THE_DAY, "--lines", "--newest")
        lines = done.out.decode().splitlines()
        assert done.code == 0
        assert sorted(lines) == sorted(
            [
                *(f"line {number}" for number in range(5)),
                '{"Records": [{"n": 2}]}',
                "without an end",
            ]
        )
        assert done.out.endswith(b"\n")

    def test_a_file_of_lines_gets_its_name_only_when_complete(
        self, command: Command, tmp_path: Path
    ) -> None:
        """A file of lines gets its name when complete, and a different name where something is
        missing.
        """
        world, path = packed(), tmp_path / "lines"
        done = command(
            world,
            "extract",
            "--log-type",
            "S3AccessLogs",
            "--lines",
            "--output",
            str(path),
            "--json",
        )
        assert (done.code, json.loads(done.out)["output"], path.read_text().count("\n")) == (
            0,
            str(path),
            5,
        )
        path.unlink()
        pack = next(each for each in packs_of(world) if each.group.log_type == "CloudTrail")
        damage(world, pack, pack.members[0].offset + 12)
        assert command(world, "extract", *ON_THE_DAY, "--lines", "--output", str(path)).code == 1
        assert [each.name for each in tmp_path.iterdir()] == ["lines.incomplete"]

    def test_originals_without_lines_are_named(self, command: Command) -> None:
        """Binary and damaged originals are named and left out; the rest is written."""
        world = make_world()
        world.put("logs", flow_key("a.log.gz"), pack_gzip(b"one\n"))
        world.put("logs", flow_key("b.log.gz"), pack_gzip(b"damaged " * 50)[:-9])
        world.put("logs", flow_key("c.log"), b"\x00binary")
        world.put("logs", flow_key("d.parquet"), b"PAR1" + bytes(9))
        world.put("logs", flow_key("e.log.gz"), pack_gzip(b"two\n"))
        world.run()
        done = command(world, "extract", *ON_THE_DAY, "--lines")
        assert (done.code, done.out) == (1, b"one\ntwo\n")
        assert done.err.count("NoLines") == 3
        assert "without --lines" in done.err

    def test_a_gzip_bomb_has_no_lines(self, command: Command) -> None:
        """It is named and left out while the rest is written; without --lines it is extracted."""
        world, bomb = make_world(), pack_gzip(b"a\n" * 1_000_000)
        world.put("logs", flow_key("a.log.gz"), pack_gzip(b"one\n"))
        world.put("logs", flow_key("b.log.gz"), bomb)
        with bombs_from(1_000_000):
            world.run()
            lines = command(world, "extract", *ON_THE_DAY, "--lines")
            whole = command(world, "extract", *ON_THE_DAY, "--output", "-")
        assert (lines.code, lines.out, lines.err.count("NoLines")) == (1, b"one\n", 1)
        assert "gzip bomb: it inflates to more than 1,000,000 bytes" in lines.err
        assert (whole.code, whole.out) == (0, pack_gzip(b"one\n") + bomb)

    def test_gzip_originals_can_be_joined(self, command: Command) -> None:
        """Concatenated gzip originals are valid gzip."""
        done = command(packed(), "extract", "--log-type", "cloudtrail", "--output", "-")
        assert gzip.decompress(done.out) == b'{"Records": [{"n": 1}]}{"Records": [{"n": 2}]}'

    def test_a_reader_that_leaves_causes_no_traceback(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the reader closes the pipe, as `head` does, one line says so and there is no
        traceback.
        """
        monkeypatch.setattr("log_aggregator.cli.extract.require_room", lambda: None)
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as broken:
            monkeypatch.setattr(sys, "stdout", broken)
            done = command(packed(), "extract", *ON_THE_DAY, "--lines")
        assert (done.code, "closed by its reader" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "more than one original"),
        (["--lines"], 2, "expected at least one condition"),
        (["--date", f"{DAY}"], 2, "more than one original"),
        (["key*"], 2, "more than one original"),
        (["a", "b"], 2, "more than one original"),
        (["a", "--directory", "x", "--output", "y"], 2, "--directory: not allowed with"),
        (["a", "--lines", "--json"], 2, "--json: allowed only with"),
        (["a", "--output", "-", "--metadata"], 2, "--metadata: allowed only with"),
        (["--date", "2019-01-01", "--lines"], 1, "nothing found"),
        (["--date", "2019-13-01", "--lines"], 2, "--date"),
    ],
)
def test_bad_arguments_are_refused(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """Conflicting options and empty results are reported, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    done = command(packed(), "extract", *arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert list(tmp_path.iterdir()) == []


def test_file_names_fit_any_file_system_encoding(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a Latin-1 or C locale, unencodable names get percent signs, and nothing ends in a
    traceback.
    """
    world = make_world()
    world.put("logs", flow_key("ü日.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "latin-1")
    done = command(world, "extract", *ON_THE_DAY, "--directory", str(tmp_path / "out"))
    names = [path.name for path in (tmp_path / "out").rglob("*.gz")]
    assert (done.code, names) == (0, [f"{flow_key('ü').rpartition('/')[2]}%E6%97%A5.log.gz"])
