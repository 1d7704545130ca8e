"""An asymmetric KMS key that signs custody records. Its private half never leaves KMS."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from log_aggregator.adapters.s3.clients import ClientSettings, make_clients, make_service_client
from log_aggregator.adapters.s3.inspection import service_errors
from log_aggregator.core.signatures import ALGORITHM
from log_aggregator.errors import SettingsError

_ARN = re.compile(
    r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:(?:key|alias)/[A-Za-z0-9:/_-]+"
)


class KmsKey:
    """Implements `log_aggregator.ports.signing.Signer`."""

    def __init__(self, client: Any, arn: str) -> None:
        """Fetches the public key
        (https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html). Raises
        RequestFailed; SettingsError if the key does not support the algorithm of custody records.
        """
        self._client = client
        with service_errors("GetPublicKey", arn):
            answer = client.get_public_key(KeyId=arn)
            found = str(answer["KeyId"]), bytes(answer["PublicKey"])
            algorithms = list(answer.get("SigningAlgorithms", ()))
        if ALGORITHM not in algorithms:
            raise SettingsError(
                f"{arn}: expected an RSA key for SIGN_VERIFY that signs with {ALGORITHM}, but it "
                f"is {answer.get('KeySpec')} for {answer.get('KeyUsage')}; name another key"
            )
        # AWS answers with the key's ARN, even if asked by alias; emulators may answer with less.
        self.name = found[0] if found[0].startswith("arn:") else arn
        self.public_key = found[1]

    @classmethod
    def connect(cls, settings: ClientSettings, arn: str) -> KmsKey:
        """Asks in the Region of the ARN. Raises BadConfiguration if there are no credentials or the
        configuration cannot be used; RequestFailed, SettingsError.
        """
        found = _ARN.fullmatch(arn)
        if found is None:
            raise SettingsError(
                f"{arn!r}: expected the ARN of a KMS key, such as "
                "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
            )
        clients = make_clients(settings)
        own = replace(settings, region=found["region"])
        endpoint_url = str(clients.s3.meta.endpoint_url)
        return cls(make_service_client(clients.session, "kms", own, endpoint_url), arn)

    def sign(self, message: bytes) -> bytes:
        """KMS hashes the message itself, up to 4,096 bytes
        (https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
        """
        with service_errors("Sign", self.name):
            answer = self._client.sign(
                KeyId=self.name, Message=message, MessageType="RAW", SigningAlgorithm=ALGORITHM
            )
            return bytes(answer["Signature"])
