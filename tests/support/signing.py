"""Everything that signs custody records, all on this machine: keys, a time-stamping authority
backed by openssl, and a KMS that is checked against botocore's own model.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from log_aggregator.adapters.local_key import LocalKey
from log_aggregator.adapters.time_stamps import TimeAuthority

ARN = "arn:aws:kms:eu-west-1:111122223333:key/00000000-1111-2222-3333-444444444444"


def private_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same number, in one process."""
    return _generate_key(number, bits)


@cache
def _write_key() -> Any:
    file = tempfile.NamedTemporaryFile(prefix="custody-", suffix=".pem")  # noqa: SIM115 - until the end
    file.write(private_pem(private_key()))
    file.flush()
    return file


def key_file() -> str:
    """The file of a private key, until the process ends."""
    return str(_write_key().name)


@cache
def _generate_key(_: int, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def make_signer(number: int = 0) -> LocalKey:
    return LocalKey(private_key(number))


def private_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


_OPENSSL = """
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ts]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
signer_digest = sha256
"""


class Authority:
    """A time-stamping authority with its own root."""

    def __init__(self, folder: Path, keys: tuple[int, int] = (90, 91)) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "conf").write_text(_OPENSSL, encoding="ascii")
        (folder / "serial").write_text("01\n", encoding="ascii")
        for file, number in zip(("ca.key", "tsa.key"), keys, strict=True):
            (folder / file).write_bytes(private_pem(private_key(number)))
        config, years = ("-config", "conf"), ("-days", "3650")
        root = ("-x509", "-key", "ca.key", "-out", "ca.pem", "-extensions", "ca")
        self._run("req", *root, "-subj", "/CN=Test Root", *years, *config)
        self._run("req", "-new", "-key", "tsa.key", "-out", "csr", "-subj", "/CN=Test", *config)
        issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7")
        extensions = ("-extfile", "conf", "-extensions", "tsa")
        self._run("x509", "-req", "-in", "csr", "-out", "tsa.pem", *issuer, *years, *extensions)

    @property
    def roots(self) -> Path:
        return self._folder / "ca.pem"

    def answer(self, query: bytes) -> bytes:
        with self._lock:
            (self._folder / "query").write_bytes(query)
            signer = ("-signer", "tsa.pem", "-inkey", "tsa.key")
            files = ("-queryfile", "query", "-out", "answer")
            self._run("ts", "-reply", "-config", "conf", "-section", "ts", *files, *signer)
            return (self._folder / "answer").read_bytes()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Replaces HTTP."""
        return 200, self.answer(body)

    def stamp(self, data: bytes) -> bytes:
        return TimeAuthority("http://authority", self.post).stamp(data)

    def _run(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)


@contextmanager
def serving(answer: Callable[[str, bytes], tuple[int, bytes]], kind: str) -> Iterator[str]:
    """Answers POSTs on a free port of this machine: (X-Amz-Target, body) -> (status, body). Returns
    the URL.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, data = answer(self.headers.get("X-Amz-Target", ""), body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving_time(authority: Authority) -> Iterator[str]:
    """The authority over HTTP."""

    def answer(_: str, query: bytes) -> tuple[int, bytes]:
        return 200, authority.answer(query)

    with serving(answer, "application/timestamp-reply") as url:
        yield url


@dataclass
class FakeKms:
    """GetPublicKey and Sign for one key. Requests and answers must match botocore's model of
    KMS.
    """

    key: rsa.RSAPrivateKey = field(default_factory=private_key)
    spec: str = "RSA_2048"
    usage: str = "SIGN_VERIFY"
    algorithms: tuple[str, ...] = ("RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256")
    refuses: str = ""
    """Fails with this error."""
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def serve(self) -> Iterator[str]:
        with serving(self.answer, "application/x-amz-json-1.1") as url:
            yield url

    def answer(self, target: str, body: bytes) -> tuple[int, bytes]:
        service, _, operation = target.partition(".")
        self.asked.append(operation)
        if self.refuses:
            told = {"__type": self.refuses, "message": "it is refused"}
            return 400, json.dumps(told).encode()
        model = kms_model()
        request = json.loads(body)
        if "Message" in request:
            request["Message"] = base64.b64decode(request["Message"], validate=True)
        _judge(model.operation_model(operation).input_shape, request)
        assert (service, request["KeyId"]) == (model.metadata["targetPrefix"], ARN)
        found = self._sign(request) if operation == "Sign" else self._describe()
        _judge(model.operation_model(operation).output_shape, found)
        text = {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in found.items()
        }
        return 200, json.dumps(text).encode()

    def _describe(self) -> dict[str, Any]:
        return {
            "KeyId": ARN,
            "PublicKey": LocalKey(self.key).public_key,
            "KeySpec": self.spec,
            "KeyUsage": self.usage,
            "SigningAlgorithms": list(self.algorithms),
        }

    def _sign(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert request["SigningAlgorithm"] == "RSASSA_PKCS1_V1_5_SHA_256"
        assert request["MessageType"] == "RAW"
        signature = LocalKey(self.key).sign(request["Message"])
        return {
            "KeyId": ARN,
            "Signature": signature,
            "SigningAlgorithm": request["SigningAlgorithm"],
        }


@cache
def kms_model() -> Any:
    return botocore.session.get_session().get_service_model("kms")


def _judge(shape: Any, value: Mapping[str, Any]) -> None:
    """No field that the model does not have, none missing, none of another type or length."""
    assert not set(value) - set(shape.members), value
    report = ParamValidator().validate(dict(value), shape)
    assert not report.has_errors(), report.generate_report()
