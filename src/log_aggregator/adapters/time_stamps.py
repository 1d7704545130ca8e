"""Time-stamping authorities (RFC 3161): requests to them, and checks of their answers.

The protocol over HTTP is section 3.4 of RFC 3161.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from log_aggregator.core.signatures import Stamp
from log_aggregator.errors import NotInstalled, RequestFailed, SettingsError, Unreachable
from log_aggregator.limits import KIB

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

EXTRA = "sign"
OPERATION = "GetTimeStamp"
ANSWER_BYTES_MAX = 64 * KIB
ATTEMPTS_MAX = 3
SHA256_OID = "2.16.840.1.101.3.4.2.1"

Post = Callable[[str, bytes, dict[str, str]], tuple[int, bytes]]
"""(URL, body, headers) -> (status, body of at most ANSWER_BYTES_MAX). Raises Unreachable."""


class TimeAuthority:
    """Implements `log_aggregator.ports.signing.TimeStamper`."""

    def __init__(self, url: str, post: Post) -> None:
        """Raises NotInstalled."""
        _require_client()
        self._url = url
        self._post = post

    def stamp(self, data: bytes) -> bytes:
        """Checks that the answer belongs to this request. Whose signature it has is checked by
        `TimeAuthorities`, when the record is verified.
        """
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
        return self._check(request, data, self._ask(request.as_bytes()))

    def _ask(self, body: bytes) -> bytes:
        """Repeats the request if no answer came, or a 5xx."""
        headers = {"Content-Type": "application/timestamp-query"}
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                status, answer = self._post(self._url, body, headers)
            except Unreachable:
                if attempt == ATTEMPTS_MAX:
                    raise
                continue
            if status < HTTPStatus.INTERNAL_SERVER_ERROR or attempt == ATTEMPTS_MAX:
                break
        if status != HTTPStatus.OK:
            raise self._refused(f"HTTP status {status}")
        return answer

    def _check(self, request: TimeStampRequest, data: bytes, answer: bytes) -> bytes:
        try:
            with _reading():
                response = _decode(answer)
                nonce, is_of_data = response.tst_info.nonce, _is_of(response, data)
        except ValueError as error:
            raise self._refused(str(error)) from None
        if nonce != request.nonce:
            raise self._refused("the answer is to another request")
        if not is_of_data:
            raise self._refused("the answer is a time stamp of other data")
        return answer

    def _refused(self, why: str) -> RequestFailed:
        return RequestFailed(f"{OPERATION} {self._url}: {why}", operation=OPERATION)


class TimeAuthorities:
    """Implements `log_aggregator.ports.signing.StampReader` for the authorities whose certificates
    are in a file.
    """

    def __init__(self, certificates: list[Certificate]) -> None:
        roots = [each for each in certificates if each.issuer == each.subject]
        others = [each for each in certificates if each not in roots]
        self._roots, self._others = roots or certificates, others

    @classmethod
    def read_file(cls, path: Path) -> TimeAuthorities:
        """PEM, any number of certificates. Raises SettingsError, NotInstalled."""
        _require_client()
        from cryptography.x509 import load_pem_x509_certificates

        try:
            return cls(load_pem_x509_certificates(path.read_bytes()))
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError:
            raise SettingsError(f"{path}: expected certificates as PEM") from None

    def read(self, time_stamp: bytes, data: bytes) -> Stamp:
        """The certificates must have been valid when the time stamp was made, not now."""
        from rfc3161_client import VerificationError, VerifierBuilder

        builder = VerifierBuilder(roots=list(self._roots), intermediates=list(self._others))
        with _reading():
            response = _decode(time_stamp)
            if not _is_of(response, data):
                raise ValueError("it is a time stamp of other data")
            try:
                builder.build().verify(response, hashlib.sha256(data).digest())
            except VerificationError as error:
                raise ValueError(str(error)) from None
            return Stamp(response.tst_info.gen_time.astimezone(UTC), _name_signer(response))


def _require_client() -> None:
    """Raises NotInstalled."""
    try:
        import rfc3161_client  # noqa: F401
    except ImportError:
        raise NotInstalled.of("rfc3161-client, which reads time stamps,", EXTRA) from None


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Any error of the packages over bytes from elsewhere becomes ValueError."""
    try:
        yield
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"it cannot be read: {type(error).__name__}") from error


def _decode(data: bytes) -> TimeStampResponse:
    """Raises ValueError if it is not a time-stamp response, or one that refuses."""
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(data)
        status = response.status
    except ValueError:
        raise ValueError("it is not a time stamp") from None
    if status != 0:
        raise ValueError(f"the authority refused, with status {status}")
    return response


def _is_of(response: TimeStampResponse, data: bytes) -> bool:
    imprint = response.tst_info.message_imprint
    is_sha256 = imprint.hash_algorithm.dotted_string == SHA256_OID
    return is_sha256 and imprint.message == hashlib.sha256(data).digest()


def _name_signer(response: TimeStampResponse) -> str:
    """The subject of the signer's certificate, which the response contains."""
    from cryptography.x509 import load_der_x509_certificate

    (signer,) = response.signed_data.signer_infos
    found: list[Any] = [
        certificate
        for certificate in map(load_der_x509_certificate, response.signed_data.certificates)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number)
    ]
    return str(found[0].subject.rfc4514_string())
