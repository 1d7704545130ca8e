"""A stand-in for S3 Batch Operations' "Compute checksum", built from AWS's documents: CreateJob,
DescribeJob and UpdateJobStatus of S3 Control.

    with BatchOperations(store) as server:
        ... AWS_ENDPOINT_URL_S3_CONTROL=server.endpoint_url ...

Requests are parsed with botocore's model of the service, and checked by its validation. A job
really hashes what its manifest names, in any storage class, and writes its completion report to the
bucket in S3's form. A job moves on each time its state is asked for: New, Preparing, Active,
Complete.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-compute-checksums.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html (a CSV manifest may
not be encrypted with KMS)
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import threading
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from log_aggregator.core.checksums import crc64nvme, encode_crc64nvme

NAMESPACE = "http://awss3control.amazonaws.com/doc/2018-08-20/"
PATH = "/v20180820/jobs"
STEPS = ("New", "Preparing", "Active", "Complete")
SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
SSE_C = "the object is encrypted with a customer-provided key"


@dataclass(frozen=True, slots=True)
class AtRest:
    """An object as it is stored."""

    data: bytes
    etag: str
    version_id: str | None
    is_sse_c: bool = False
    is_kms: bool = False


class Storage(Protocol):
    """What the server hashes, and where it writes reports."""

    def find(self, bucket: str, key: str, version_id: str | None) -> AtRest | None: ...

    def write(self, bucket: str, key: str, data: bytes) -> None: ...


@dataclass(slots=True)
class Job:
    """A job as it was requested, and how far it is."""

    job_id: str
    request: dict[str, Any]
    step: int = 0
    status: str = ""
    succeeded: int = 0
    failed: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.status or STEPS[self.step]


class Refused(Exception):
    """An error of the service."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


Rows = list[list[str]]


class BatchOperations:
    """Serves on a free port of this machine while the block runs.

    `change_rows` may change what a report says before it is written; `refuse` gives an error for
    every CreateJob.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.jobs: dict[str, Job] = {}
        self.change_rows: Callable[[Rows], Rows] = lambda rows: rows
        self.refuse: Refused | None = None
        self._model = botocore.session.get_session().get_service_model("s3control")
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def _answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    status, text = 200, server.handle(method, self.path, self.headers, body)
                except Refused as error:
                    status, text = error.status, _render_error(error)
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Prints nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The endpoint for AWS's clients."""
        return {"AWS_ENDPOINT_URL_S3_CONTROL": self.endpoint_url}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, method: str, path: str, headers: Any, body: bytes) -> str:
        """The answer to a request. Raises Refused."""
        parts = urlsplit(path)
        operation, job_id = _route(method, parts.path)
        model = self._model.operation_model(operation)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        given = _read_request(model, job_id, query, headers, body)
        with self._lock:
            if operation == "CreateJob":
                return self._create(given)
            job = self.jobs.get(given["JobId"])
            if job is None:
                raise Refused("NoSuchJobException", "The specified job does not exist", 404)
            if operation == "DescribeJob":
                return self._describe(job)
            return self._update(job, given)

    def _create(self, given: dict[str, Any]) -> str:
        if self.refuse is not None:
            raise self.refuse
        for job in self.jobs.values():
            if job.request["ClientRequestToken"] == given["ClientRequestToken"]:
                if job.request != given:
                    raise Refused("IdempotencyException", "another request of the same token")
                return _render("CreateJobResult", f"<JobId>{job.job_id}</JobId>")
        _check_request(given)
        job = Job(str(uuid.uuid4()), given)
        self.jobs[job.job_id] = job
        return _render("CreateJobResult", f"<JobId>{job.job_id}</JobId>")

    def _describe(self, job: Job) -> str:
        answer = _render("DescribeJobResult", _describe_job(job))
        if not job.status and job.step < len(STEPS) - 1:
            job.step += 1
            if job.state == "Complete":
                self._run(job)
        return answer

    def _update(self, job: Job, given: Mapping[str, Any]) -> str:
        if job.state in ("Complete", "Failed", "Cancelled"):
            raise Refused("JobStatusException", f"the job is {job.state}")
        job.status = "Cancelled" if given["RequestedJobStatus"] == "Cancelled" else ""
        body = f"<JobId>{job.job_id}</JobId><Status>{job.state}</Status>"
        return _render("UpdateJobStatusResult", body)

    def _run(self, job: Job) -> None:
        """Hashes what the manifest names, and writes the report; a manifest that differs from the
        request fails the job.
        """
        manifest = job.request["Manifest"]
        bucket, _, key = manifest["Location"]["ObjectArn"].split(":::", 1)[1].partition("/")
        found = self.storage.find(bucket, key, None)
        if found is None or found.etag != manifest["Location"]["ETag"].strip('"'):
            job.status = "Failed"
            job.reasons.append(("ManifestNotFound", "the manifest is not there, or another"))
            return
        if found.is_kms:
            job.status = "Failed"
            job.reasons.append(("InvalidManifest", "the manifest is encrypted with KMS"))
            return
        fields = manifest["Spec"]["Fields"]
        algorithm = job.request["Operation"]["S3ComputeObjectChecksum"]["ChecksumAlgorithm"]
        rows: dict[str, Rows] = {"succeeded": [], "failed": []}
        for line in csv.reader(io.StringIO(found.data.decode(), newline="")):
            row = self._hash(dict(zip(fields, line, strict=True)), algorithm)
            rows[row[3]].append(row)
        job.succeeded, job.failed = len(rows["succeeded"]), len(rows["failed"])
        self._write_report(job, rows)

    def _hash(self, line: Mapping[str, str], algorithm: str) -> list[str]:
        bucket, key, version = line["Bucket"], unquote(line["Key"]), line.get("VersionId")
        task = [bucket, quote(key, safe="/"), version or ""]
        found = self.storage.find(bucket, key, version)
        if found is None:
            return [*task, "failed", "404", "NoSuchKey", "The specified key does not exist"]
        if found.is_sse_c:
            return [*task, "failed", "400", "InvalidRequest", SSE_C]
        raw = compute_hash(algorithm, found.data)
        message = {
            "checksum_base64": base64.b64encode(raw).decode(),
            "ETag": found.etag,
            "checksumAlgorithm": algorithm,
            "checksumType": "FULL_OBJECT",
            "checksum_hex": raw.hex().upper(),
        }
        return [*task, "succeeded", "200", "", json.dumps(message, separators=(",", ":"))]

    def _write_report(self, job: Job, rows: Mapping[str, Rows]) -> None:
        report = job.request["Report"]
        bucket = report["Bucket"].split(":::", 1)[1]
        prefix = report.get("Prefix")
        folder = f"{prefix}/job-{job.job_id}" if prefix else f"job-{job.job_id}"
        results = []
        for status, found in rows.items():
            told = self.change_rows(list(found))
            if not told:
                continue
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(told)
            data = text.getvalue().encode()
            md5 = hashlib.md5(data).hexdigest()
            key = f"{folder}/results/{hashlib.sha1(data).hexdigest()}.csv"
            self.storage.write(bucket, key, data)
            results.append(
                {"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": md5, "Key": key}
            )
        head = {
            "Format": report["Format"],
            "ReportCreationDate": "2026-11-29T00:00:00.000Z",
            "Results": results,
            "ReportSchema": SCHEMA,
        }
        self.storage.write(bucket, f"{folder}/manifest.json", json.dumps(head).encode())


def compute_hash(algorithm: str, data: bytes) -> bytes:
    """As S3 computes it over a whole object."""
    if algorithm == "CRC64NVME":
        return base64.b64decode(encode_crc64nvme(crc64nvme(data)))
    return hashlib.new(algorithm.lower(), data).digest()


def _route(method: str, path: str) -> tuple[str, str]:
    rest = path.removeprefix(PATH).strip("/")
    if not path.startswith(PATH):
        raise Refused("InvalidURI", path, 404)
    if method == "POST" and not rest:
        return "CreateJob", ""
    if method == "POST" and rest.endswith("/status"):
        return "UpdateJobStatus", rest.removesuffix("/status")
    if method == "GET" and rest:
        return "DescribeJob", rest
    raise Refused("MethodNotAllowed", f"{method} {path}", 405)


def _read_request(
    model: OperationModel, job_id: str, query: Mapping[str, str], headers: Any, body: bytes
) -> dict[str, Any]:
    """What the request says, by the service's model. Raises Refused where botocore's validation, a
    pattern or an enumeration does not hold.
    """
    shape = model.input_shape
    given: dict[str, Any] = {}
    if body:
        root = ET.fromstring(body)
        if root.tag != f"{{{NAMESPACE}}}{model.name}Request":
            raise Refused("MalformedXML", f"unexpected {root.tag}")
        given = _read(shape, root)
    for name, member in shape.members.items():
        place = member.serialization.get("location")
        key = member.serialization.get("name", name)
        told = {"header": headers.get(key), "uri": job_id, "querystring": query.get(key)}.get(place)
        if told:
            given[name] = told
    report = ParamValidator().validate(given, shape)
    problems = [report.generate_report()] if report.has_errors() else []
    problems += _find_breaches(shape, given, model.name)
    if problems:
        raise Refused("InvalidRequest", "; ".join(problems))
    return given


def _read(shape: Shape, node: ET.Element) -> Any:
    """A value of the model, from XML."""
    if shape.type_name == "structure":
        found = {}
        for child in node:
            name = child.tag.removeprefix(f"{{{NAMESPACE}}}")
            if name not in shape.members:
                raise Refused("MalformedXML", f"{shape.name} has no {name}")
            found[name] = _read(shape.members[name], child)
        return found
    if shape.type_name == "list":
        return [_read(shape.member, child) for child in node]
    text = node.text or ""
    if shape.type_name == "boolean":
        return text == "true"
    return int(text) if shape.type_name in ("integer", "long") else text


def _find_breaches(shape: Shape, value: Any, where: str) -> Iterator[str]:
    """Botocore checks types, least lengths and what is required; not greatest lengths, patterns
    and enumerations.
    """
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _find_breaches(shape.members[name], inner, f"{where}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from _find_breaches(shape.member, inner, where)
    elif shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{where}: {value!r} is not one of {shape.enum}"
        if len(value) > shape.metadata.get("max", len(value)):
            yield f"{where}: longer than {shape.metadata['max']}"
        pattern = shape.metadata.get("pattern")
        if pattern and not re.search(pattern, value):
            yield f"{where}: {value!r} does not match {pattern}"


def _check_request(given: Mapping[str, Any]) -> None:
    """Further rules of the user guide."""
    operation = given["Operation"].get("S3ComputeObjectChecksum")
    if operation is None:
        raise Refused("InvalidRequest", "this server computes checksums only")
    if "Manifest" not in given:
        raise Refused("InvalidRequest", "a manifest is missing")
    fields = given["Manifest"]["Spec"].get("Fields")
    if fields not in (["Bucket", "Key"], ["Bucket", "Key", "VersionId"]):
        raise Refused("InvalidRequest", f"a manifest with the fields {fields}")
    report = given["Report"]
    if report["Enabled"] and not (report.get("Bucket") and report.get("Format")):
        raise Refused("InvalidRequest", "a report needs a bucket and a format")
    if given["RoleArn"].split(":")[4] != given["AccountId"]:
        raise Refused("AccessDenied", "the role is of another account", 403)


def _describe_job(job: Job) -> str:
    reasons = "".join(
        f"<member><FailureCode>{escape(code)}</FailureCode>"
        f"<FailureReason>{escape(reason)}</FailureReason></member>"
        for code, reason in job.reasons
    )
    total = job.succeeded + job.failed
    return (
        f"<Job><JobId>{job.job_id}</JobId><Status>{job.state}</Status>"
        f"<FailureReasons>{reasons}</FailureReasons><ProgressSummary>"
        f"<TotalNumberOfTasks>{total}</TotalNumberOfTasks>"
        f"<NumberOfTasksSucceeded>{job.succeeded}</NumberOfTasksSucceeded>"
        f"<NumberOfTasksFailed>{job.failed}</NumberOfTasksFailed></ProgressSummary></Job>"
    )


def _render(name: str, body: str) -> str:
    return f'<?xml version="1.0"?><{name} xmlns="{NAMESPACE}">{body}</{name}>'


def _render_error(error: Refused) -> str:
    return (
        f"<ErrorResponse><Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message>"
        "</Error><RequestId>lab</RequestId></ErrorResponse>"
    )
