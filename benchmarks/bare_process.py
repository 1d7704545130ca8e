"""Reads every object of a bucket with obstore, as its documentation shows it, and throws the bytes
away: a whole process that does the least. Prints how many bytes it read.

    python -m benchmarks.bare_process ENDPOINT_URL BUCKET THREADS

What it signs with is in AWS's variables.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import obstore
from obstore.store import S3Store


def main(endpoint_url: str, bucket: str, threads: str) -> int:
    store = S3Store(
        bucket,
        endpoint=endpoint_url,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    keys = [entry["path"] for page in obstore.list(store) for entry in page]
    with ThreadPoolExecutor(int(threads)) as pool:
        print(sum(pool.map(lambda key: len(obstore.get(store, key).bytes()), keys)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
