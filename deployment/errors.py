"""What can go wrong beside log_aggregator's own errors, and AWS's refusals in words that say what
to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from log_aggregator.errors import CannotStart, LogAggregatorError, SettingsError

REFUSED_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Error codes of AWS that are about who asks, not about what is asked for."""

DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"}
)
MISSING = frozenset({"404", "NoSuchBucket", "NotFound"})

LOG_IN = (
    "Log in (`aws sso login --profile NAME`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, and start again."
)


class DeploymentFailed(LogAggregatorError):
    """A step failed after it began. The text holds the reasons that sam or CloudFormation gave."""

    exit_code = 1
    advice = "Correct what the reasons name and start ./deploy again."


class NoCredentials(CannotStart):
    """AWS does not know who asks."""

    advice = f"Nothing was touched. {LOG_IN}"


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_text(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) or str(error)


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Around requests: credentials and network become CannotStart, so does what is denied. All else
    is DeploymentFailed.
    """
    try:
        yield
    except ClientError as error:
        raise _from_refusal(doing, error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise NoCredentials("no AWS credentials were found: environment, profile, login") from error
    except (SSOError, TokenRetrievalError, CredentialRetrievalError) as error:
        raise NoCredentials(f"the AWS credentials could not be renewed: {error}") from error
    except ProfileNotFound as error:
        raise SettingsError(f"--profile: {error}") from error
    except NoRegionError as error:
        raise SettingsError(
            "region: none is named; give --region, or region in samconfig.toml"
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        raise CannotStart(f"{doing}: AWS cannot be reached: {error}") from error
    except BotoCoreError as error:
        raise DeploymentFailed(f"{doing}: {error}") from error


def _from_refusal(doing: str, error: ClientError) -> LogAggregatorError:
    code = error_code(error)
    if code in REFUSED_CREDENTIALS:
        return NoCredentials(
            f"AWS refuses the credentials, expired or wrong: {code}: {error_text(error)}"
        )
    if code in DENIED:
        return CannotStart(f"{doing}: not allowed to {error.operation_name}: {error_text(error)}")
    return DeploymentFailed(f"{doing}: {code}: {error_text(error)}")
