"""Limits: S3's, the pack format's, and our defaults. Sources: docs/reference/limits.md."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# S3's (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)
PART_SIZE_BYTES_MIN = 5 * MIB
PART_COUNT_MAX = 10_000
COPY_RANGE_BYTES_MAX = 5 * GIB
KEY_BYTES_MAX = 1024
LIST_PAGE_COUNT_MAX = 1_000
DELETE_COUNT_MAX = 1_000

# The pack format's (docs/internals/pack-format.md)
EXTRA_PIECE_BYTES_MAX = 16_000
"""Payload of one gzip extra field. Readers differ: DuckDB refuses a field over 32,768 bytes."""
TEXT_BLOCK_BYTES = 1 * MIB

# Ours
COPY_SIZE_BYTES_MIN = 16 * MIB
"""From this size on a member is copied by S3 (UploadPartCopy) instead of read.

S3 accepts parts of 5 MiB or more. Below 16 MiB a GET costs a tenth of a copy request, gives a
SHA-256 and shows whether the gzip is whole, for at most a quarter of a second of network time.
"""
PART_SIZE_BYTES = 16 * MIB
BOMB_RATIO_MIN = 100
"""A log object that inflates to more than this many times its size, and to more than
BOMB_BYTES_MIN, is a gzip bomb: it is not inflated any further, and is sealed.

Deflate reaches 1,032 times at most. AWS logs reach about 10 to 30; the same stack trace again and
again, each with its time, 150; one line a hundred times a second, with its time, 310. So the ratio
alone would catch honest logs.
"""
BOMB_BYTES_MIN = 1 * GIB
"""Anything that inflates to less is not a bomb: it costs two seconds of a core. Logs that AWS
delivers are far smaller: VPC flow logs close a file at 75 MB
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html).
"""
RECORD_BYTES_MIN = 16 * MIB
"""An index, a custody record or a list that inflates to more than this, and to more than
BOMB_RATIO_MIN times its size, was not written by us and is not read. Each of our lines has an ETag,
a version id or a hash in it, which deflate cannot make smaller: 5 times is usual, and identical
keys of 1,024 bytes with 2 KiB of metadata reach 40.
"""
SEARCHED_MEMBER_BYTES_MAX = 16 * MIB
"""A member that inflates to more is not read for terms, and counts as unsearched, because it would
be held in memory as a whole. CloudTrail and Config close their files far below that.
"""
READERS = 128
"""Default number of GETs at the same time. Where S3 takes 30 ms to answer, 64 leave half of a core
idle; the longer it takes, the more a higher number gains.
"""
STALE_UPLOAD_AGE_HOURS_MIN = 24
UNREADABLE_COUNT_MAX = 100
PLAN_ATTEMPTS_MAX = 3
