"""The standard AWS configuration: each value, where it was found, and whether it can be used.

botocore decides. This module repeats its lookups in its own order, for two purposes: an error about
a bad value can name the setting (botocore notices late, with a Python error, or never), and
`doctor` can print where each value came from.

https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.exceptions import ConfigParseError, InvalidRegionError, ProfileNotFound
from botocore.session import Session
from botocore.utils import validate_region_name

from log_aggregator.adapters.s3.errors import one_line
from log_aggregator.adapters.s3.regions import is_aws, is_region
from log_aggregator.errors import BadConfiguration, LogAggregatorError

REGION_DEFAULT = "us-east-1"
REGION_VARIABLES = ("AWS_DEFAULT_REGION", "AWS_REGION")
"""botocore reads only the first; AWS's other SDKs read the second
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html)."""

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""In the order in which botocore reads them
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html)."""

ADDRESSING_STYLES = ("auto", "virtual", "path")
RETRY_MODES = ("legacy", "standard", "adaptive")
COUNTS = {
    "AWS_MAX_ATTEMPTS": "max_attempts",
    "AWS_METADATA_SERVICE_TIMEOUT": "metadata_service_timeout",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "metadata_service_num_attempts",
}
SWITCHES = {
    "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint",
    "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
}
SWITCH_VALUES = ("true", "false", "0", "no", "off")
"""For botocore everything but "true" means no: a "1" or "yes" would be ignored without a word."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the option, variable or profile entry that it came from."""

    value: str
    source: str


class Named(Protocol):
    """What the command line sets. It comes before everything else."""

    @property
    def profile(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def endpoint_url(self) -> str | None: ...


@contextmanager
def configuration_errors() -> Iterator[None]:
    """Any error of botocore's while it makes a session or a client becomes BadConfiguration."""
    try:
        yield
    except LogAggregatorError:
        raise
    except ProfileNotFound as error:
        raise BadConfiguration(
            f"--profile, AWS_PROFILE: {one_line(str(error))}; name a profile of the config file"
        ) from error
    except ConfigParseError as error:
        raise BadConfiguration(
            f"AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE: {one_line(str(error))}; expected "
            "sections such as [default], and lines such as region = eu-west-1"
        ) from error
    except InvalidRegionError as error:
        raise BadConfiguration(f"--region, AWS_REGION: {one_line(str(error))}") from error
    # botocore has no error of its own for most mistakes in a file: it raises ValueError, KeyError,
    # UnicodeDecodeError and others.
    except Exception as error:
        text = f"{type(error).__name__}: {one_line(str(error))}"
        raise BadConfiguration(f"the AWS configuration cannot be used: {text}") from error


def find_profile(named: str | None) -> Found:
    """The profile in which everything else is looked up."""
    found = (
        Found(named, "--profile") if named else _find_variable("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
    )
    return found or Found("default", "no other profile is named")


def find_region(session: Session, named: str | None) -> Found:
    """The Region of the endpoints and of the signatures."""
    if named is not None:
        return Found(named, "--region")
    found = _find_variable(*REGION_VARIABLES) or _find_entry(session, "region")
    return found or Found(REGION_DEFAULT, "no Region is configured")


def find_endpoint(session: Session, named: str | None) -> Found | None:
    """The configured S3 endpoint; None if botocore derives it from the Region."""
    if named is not None:
        return Found(named, "--endpoint-url")
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    return _find_variable(*ENDPOINT_VARIABLES) or _find_profile_endpoint(session)


def find_bundle(session: Session) -> Found | None:
    """The certificates that TLS trusts; None means those that come with botocore."""
    configured = _find_variable("AWS_CA_BUNDLE") or _find_entry(session, "ca_bundle")
    return configured or _find_variable("REQUESTS_CA_BUNDLE")


def find_proxy(client: Any) -> Found | None:
    """The proxy through which botocore sends a client's requests, if any."""
    endpoint_url = str(client.meta.endpoint_url)
    proxies = client._endpoint.http_session._proxy_config  # noqa: SLF001 - see `curl._session_of`
    url = proxies.proxy_url_for(endpoint_url)
    if not url:
        return None
    name = f"{urlsplit(endpoint_url).scheme}_proxy"
    found = _find_variable(name, name.upper())
    return Found(url, found.source if found else "the system's proxies")


def check_session(session: Session) -> None:
    """Checks everything that can be checked before there is a client. Raises BadConfiguration."""
    with configuration_errors():
        scoped = session.get_scoped_config()
        for variable, entry in COUNTS.items():
            found = _find_variable(variable) or _find_entry(session, entry)
            if found and not re.fullmatch("[1-9][0-9]{0,8}", found.value.strip()):
                raise _bad(found, "a whole number from 1")
        _check_one_of(
            _find_variable("AWS_RETRY_MODE") or _find_entry(session, "retry_mode"), RETRY_MODES
        )
        for variable, entry in SWITCHES.items():
            switch = _find_variable(variable) or _find_entry(session, entry)
            _check_one_of(switch, SWITCH_VALUES)
        section = scoped.get("s3", {})
        if not isinstance(section, dict):
            raise _bad(Found(str(section), "s3 in the profile"), "indented lines below it")
        style = section.get("addressing_style")
        if style is not None:
            _check_one_of(
                Found(str(style), "s3.addressing_style in the profile"), ADDRESSING_STYLES
            )


def check_region(region: Found, endpoint: Found | None) -> None:
    """Raises BadConfiguration if AWS cannot have this Region; other servers use any names."""
    try:
        validate_region_name(region.value)
    except InvalidRegionError:
        raise _bad(region, "a Region, such as eu-west-1") from None
    is_at_aws = endpoint is None or is_aws(endpoint.value)
    if is_at_aws and not is_region(region.value):
        raise _bad(region, "an AWS Region, such as eu-west-1")


def check_endpoint(endpoint: Found | None) -> None:
    """Raises BadConfiguration if an endpoint is not a URL, of S3 or of any other service."""
    others = [
        Found(value, name)
        for name, value in sorted(os.environ.items())
        if name.startswith("AWS_ENDPOINT_URL") and name not in ENDPOINT_VARIABLES and value
    ]
    for found in [endpoint, *others]:
        if found is not None and not _is_url(found.value):
            raise _bad(found, "http:// or https:// and a host, such as https://s3.example.com:9000")


def check_client(session: Session, client: Any) -> None:
    """Checks the proxy and the certificates of a client. Raises BadConfiguration."""
    proxy = find_proxy(client)
    if proxy is not None and not _is_url(proxy.value):
        shown = Found(hide_password(proxy.value), proxy.source)
        raise _bad(shown, "http://host:port; no other kind of proxy is supported")
    bundle = find_bundle(session)
    if bundle is None or not str(client.meta.endpoint_url).startswith("https:"):
        return
    if not Path(bundle.value).is_file():
        raise _bad(bundle, "a file of certificates, but there is no such file")
    try:
        ssl.create_default_context(cafile=bundle.value)
    except OSError as error:  # ssl.SSLError is one
        raise _bad(bundle, f"certificates in PEM ({one_line(str(error))})") from error


def hide_password(url: str) -> str:
    """A proxy's URL, fit for a screen or a log."""
    return re.sub(r"(?<=//)[^/@]*@", "...@", url)


def _bad(found: Found, expected: str) -> BadConfiguration:
    return BadConfiguration(f"{found.source}: {found.value!r}: expected {expected}")


def _check_one_of(found: Found | None, values: tuple[str, ...]) -> None:
    if found is not None and found.value.lower() not in values:
        raise _bad(found, " or ".join(values))


def _is_url(text: str) -> bool:
    """Whether both botocore and libcurl can connect to it."""
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if port == 0 or parts.netloc.endswith(":"):
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _find_variable(*names: str) -> Found | None:
    """The first that is set to something."""
    return next((Found(os.environ[name], name) for name in names if os.environ.get(name)), None)


def _find_entry(session: Session, name: str) -> Found | None:
    value = session.get_scoped_config().get(name)
    profile = session.profile or "default"
    return Found(str(value), f"{name} of profile {profile}") if value else None


def _find_profile_endpoint(session: Session) -> Found | None:
    """A profile's `services` section has an endpoint for each service and comes before its
    `endpoint_url`.
    """
    scoped = session.get_scoped_config()
    services = session.full_config.get("services", {}).get(scoped.get("services"), {})
    url = services.get("s3", {}).get("endpoint_url")
    if url:
        return Found(str(url), f"s3.endpoint_url of services {scoped['services']}")
    return _find_entry(session, "endpoint_url")
