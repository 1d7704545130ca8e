"""The effective configuration, for `doctor`: each value and where it came from."""

from __future__ import annotations

from typing import Any

from botocore.session import Session

from log_aggregator.adapters.s3 import configuration
from log_aggregator.adapters.s3.configuration import Found, hide_password
from log_aggregator.adapters.s3.credentials import GuardedCredentials
from log_aggregator.ports.account import ConfiguredValue

KEY_SIGNS = 4
"""The number of an access key's last characters that are shown: enough to tell two keys apart."""


def describe_configuration(
    session: Session, client: Any, named: configuration.Named
) -> tuple[ConfiguredValue, ...]:
    """In the order in which an operator would look for a mistake. Secrets and a proxy's password
    are left out.
    """
    endpoint = configuration.find_endpoint(session, named.endpoint_url)
    bundle = configuration.find_bundle(session)
    proxy = configuration.find_proxy(client)
    region = configuration.find_region(session, named.region)
    return (
        _value("profile", configuration.find_profile(named.profile)),
        _value("region", region),
        ConfiguredValue(
            "endpoint", str(client.meta.endpoint_url), endpoint.source if endpoint else "the Region"
        ),
        _describe_credentials(session.get_credentials()),
        _value("ca_bundle", bundle or Found("Mozilla's certificates", "botocore")),
        ConfiguredValue(
            "proxy",
            hide_password(proxy.value) if proxy else "none",
            proxy.source if proxy else "no variable names one for the endpoint",
        ),
    )


def _value(name: str, found: Found) -> ConfiguredValue:
    return ConfiguredValue(name, found.value, found.source)


def _describe_credentials(credentials: GuardedCredentials) -> ConfiguredValue:
    key = str(credentials.get_frozen_credentials().access_key)
    shown = f"access key ...{key[-KEY_SIGNS:]}"
    if credentials.expires_at is not None:
        shown += f", until {credentials.expires_at:%Y-%m-%d %H:%M:%S %Z}"
    return ConfiguredValue("credentials", shown, str(credentials.source))
