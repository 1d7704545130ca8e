"""Numbers that nothing may exceed: S3's own, and the defaults of ours. Sources:
docs/reference/limits.md.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# S3's own (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)
PART_SIZE_BYTES_MIN = 5 * MIB
PART_COUNT_MAX = 10_000
COPY_RANGE_BYTES_MAX = 5 * GIB
KEY_BYTES_MAX = 1024
LIST_PAGE_COUNT_MAX = 1_000
DELETE_COUNT_MAX = 1_000

# The pack format's own (docs/internals/pack-format.md)
EXTRA_PIECE_BYTES_MAX = 16_000
"""Payload of one gzip extra field. Readers differ: DuckDB refuses a field over 32,768 bytes."""
TEXT_BLOCK_BYTES = 1 * MIB

# Ours
COPY_SIZE_BYTES_MIN = 16 * MIB
"""From this size on a member is copied by S3 (UploadPartCopy) instead of read.

S3 would take parts from 5 MiB on. Below 16 MiB a GET is ten times cheaper than a copy request,
gives a SHA-256 and shows whether the gzip is whole, for a quarter of a second of network at most.
"""
PART_SIZE_BYTES = 16 * MIB
BOMB_RATIO_MIN = 100
"""A log object that inflates to more than so many times its size, and to more than
BOMB_BYTES_MIN, is a gzip bomb: it is not inflated any further, and is sealed.

Deflate can do 1,032 times. AWS logs make about 10 to 30; the same stack trace again and again, with
the time, 150; one line a hundred times a second, with the time, 310. So the ratio alone would meet
honest logs.
"""
BOMB_BYTES_MIN = 1 * GIB
"""Whatever inflates to less is no bomb: it costs two seconds of a core. Logs that AWS delivers are
far smaller: VPC flow logs close a file at 75 MB
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html).
"""
RECORD_BYTES_MIN = 16 * MIB
"""An index, a custody record or a list of ours that inflates to more than this, and to more than
BOMB_RATIO_MIN times its size, is not read: it is not ours. Each line of ours has an ETag, a version
id or a hash in it, which deflate cannot make smaller: 5 times are usual, and keys of 1,024 bytes
with 2 KiB of metadata, all alike, make 40.
"""
SEARCHED_MEMBER_BYTES_MAX = 16 * MIB
"""A member that inflates to more is not looked at for terms, and counts as unsearched: it would be
in memory as a whole. CloudTrail and Config close their files far below that.
"""
READERS = 128
"""GETs at once, where nothing else is set. Where S3 takes 30 ms to answer, 64 leave half of a core
idle; more gain where it takes longer.
"""
STALE_UPLOAD_AGE_HOURS_MIN = 24
UNREADABLE_COUNT_MAX = 100
PLAN_ATTEMPTS_MAX = 3
