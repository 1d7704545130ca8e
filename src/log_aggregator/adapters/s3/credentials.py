"""Where credentials come from, and the error when there are none or they have expired.

botocore finds and renews them and knows how long they last. When a source answers nonsense, it
raises whatever its parsers raise; this module turns that into one error that names the source.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import (
    CredentialRetrievalError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)

from log_aggregator.adapters.s3.errors import ERRORS, one_line
from log_aggregator.errors import (
    BadConfiguration,
    LogAggregatorError,
    NotAuthenticated,
    Unreachable,
)

PROCESS_SECONDS_MAX = 300.0
"""A `credential_process` may take this long: some open a browser and wait for a log-in. botocore
itself would wait for ever.
"""

SOURCES = {
    "explicit": "keys set by the program",
    "env": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION",
    "assume-role": "role_arn of {profile}",
    "assume-role-with-web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or {profile}",
    "sso": "sso_session or sso_start_url of {profile}",
    "login": "login_session of {profile}",
    "shared-credentials-file": "aws_access_key_id of {profile} in the shared credentials file",
    "custom-process": "credential_process of {profile}",
    "config-file": "aws_access_key_id of {profile} in the config file",
    "container-role": "AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI",
    "iam-role": "the instance's role",
}
"""By botocore's name for the method
(https://docs.aws.amazon.com/boto3/latest/guide/credentials.html)."""

LOG_IN = "log in again: aws sso login --profile {name}"
ADVICE = {
    "env": "set new ones",
    "assume-role": "check the role, and its source_profile or credential_source",
    "custom-process": "check the command, or log in again with it",
    "shared-credentials-file": "set new ones",
    "config-file": "set new ones",
    "login": "log in again: aws login --profile {name}",
    "sso": LOG_IN,
}
_ENDED = (SSOTokenLoadError, UnauthorizedSSOTokenError)


@dataclass(frozen=True, slots=True)
class Source:
    """One of the places where botocore looks for credentials."""

    method: str
    profile: str | None

    def __str__(self) -> str:
        return SOURCES.get(self.method, self.method).format(profile=self._profile)

    @property
    def advice(self) -> str:
        text = ADVICE.get(self.method, "renew them, or name another --profile")
        return text.format(name=self.profile or "default")

    def describe(self, error: Exception) -> str:
        """One line: the source, what went wrong, and what to do."""
        advice = LOG_IN.format(name=self.profile or "default") if _is_login(error) else self.advice
        return f"{self}: {_explain(error)}; {advice}"

    @property
    def _profile(self) -> str:
        return f"profile {self.profile or 'default'}"


class GuardedCredentials:
    """botocore's credentials, whose errors are ours. Everything else is passed on to botocore."""

    def __init__(self, inner: Any, source: Source) -> None:
        self.inner, self.source = inner, source

    def get_frozen_credentials(self) -> Any:
        """The current credentials. Raises NotAuthenticated, or Unreachable if the service that
        renews them does not answer.
        """
        with credential_errors(self.source):
            frozen = self.inner.get_frozen_credentials()
            _check_text(frozen)
            return frozen

    @property
    def expires_at(self) -> datetime | None:
        """When botocore considers them expired; None if it knows no end. botocore has no public
        attribute for it; a test checks that the private one still exists.
        """
        moment: datetime | None = getattr(self.inner, "_expiry_time", None)
        return moment

    def __getattr__(self, name: str) -> Any:
        # `copy` and `pickle` ask an object that has no attributes yet; without this they would
        # recurse for ever.
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)


@contextmanager
def credential_errors(source: Source) -> Iterator[None]:
    """Any error of botocore's about a source of credentials becomes NotAuthenticated or
    Unreachable.
    """
    try:
        yield
    except LogAggregatorError:
        raise
    except Exception as error:
        if ERRORS.get(type(error).__name__) is Unreachable:
            text = f"credentials cannot be renewed: {source}: {_explain(error)}"
            raise Unreachable(text, code=type(error).__name__, operation="credentials") from error
        text = f"credentials: {source.describe(error)}"
        raise NotAuthenticated(text, code=type(error).__name__, operation="credentials") from error


def load_credentials(session: Any) -> GuardedCredentials | None:
    """The credentials of the first source that has any, in botocore's order; None if none has.
    Raises BadConfiguration if a source fails: botocore would not try the next one either.
    """
    profile = session.profile
    for provider in session.get_component("credential_provider").providers:
        source = Source(provider.METHOD, profile)
        if provider.METHOD == "custom-process":
            provider._popen = LimitedProcess  # noqa: SLF001 - it takes another only when it is made
        with starting(source):
            found = provider.load()
        if found is not None:
            return GuardedCredentials(found, source)
    return None


@contextmanager
def starting(source: Source) -> Iterator[None]:
    """Like `credential_errors`, before anything was done. Raises BadConfiguration, Unreachable."""
    try:
        with credential_errors(source):
            yield
    except NotAuthenticated as error:
        raise BadConfiguration(str(error)) from error


class LimitedProcess(subprocess.Popen[bytes]):
    """A `credential_process` with a time limit."""

    def communicate(self, input: Any = None, timeout: float | None = None) -> Any:  # noqa: A002 - subprocess's own name
        """What it wrote; if it failed without writing anything, its exit code as the error text.
        Raises CredentialRetrievalError.
        """
        try:
            out, error = super().communicate(
                input, PROCESS_SECONDS_MAX if timeout is None else timeout
            )
            return out, error or f"exit code {self.returncode}".encode()
        except subprocess.TimeoutExpired:
            self.kill()
            super().communicate()
            text = f"no answer within {PROCESS_SECONDS_MAX:.0f} seconds"
            raise CredentialRetrievalError(provider="custom-process", error_msg=text) from None


def _check_text(frozen: Any) -> None:
    """A source may hand out anything, but the credentials become header values, which cannot hold
    line breaks. Raises CredentialRetrievalError.
    """
    for name in ("access_key", "secret_key", "token"):
        value = getattr(frozen, name)
        is_text = isinstance(value, str) and value.isprintable()
        if not (is_text or (value is None and name == "token")):
            text = f"expected text without line breaks as {name}"
            raise CredentialRetrievalError(provider="its source", error_msg=text)


def _is_login(error: Exception) -> bool:
    return isinstance(error, _ENDED)


def _explain(error: Exception) -> str:
    """The error's text; for Python's own errors also the type, as their text alone says little."""
    text = one_line(str(error))
    if isinstance(error, RuntimeError) and "still expired" in text:
        return "they have expired and were not renewed"
    if type(error).__module__.startswith("botocore."):
        return text
    return f"its answer cannot be used ({type(error).__name__}: {text})"
