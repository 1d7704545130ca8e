"""S3 through botocore and libcurl. Nothing else in this package imports them."""

from log_aggregator.adapters.s3.clients import ClientSettings
from log_aggregator.adapters.s3.store import S3Store

__all__ = ["ClientSettings", "S3Store"]
