"""Where a store is known to differ from S3: store, test, reason. A test in DEVIATIONS must fail
there; once it passes, its row must be removed.

The name of a test may contain its parameters, as in `test_a_key_survives[two-slashes]`; without
them, all of its variants are meant.
"""

REFUSES_KEY = "it keeps files under paths, and refuses or changes such a key"
NOTHING_FREEZES = "it takes a storage class and does nothing with it, and knows no RestoreObject"
LOOKS_AND_WRITES = "it looks whether the key is there, and then writes: several may do so at once"

DEVIATIONS: dict[str, dict[str, str]] = {
    "memory": {},
    "seaweedfs": {
        "test_a_key_survives[backslash]": REFUSES_KEY,
        "test_a_key_survives[two-slashes]": REFUSES_KEY,
        "test_a_key_survives[slash-first]": REFUSES_KEY,
        "test_a_key_survives[only-slashes]": REFUSES_KEY,
        "test_a_key_survives[dot]": REFUSES_KEY,
        "test_a_key_survives[two-dots]": REFUSES_KEY,
        "test_a_key_survives[bell]": "its listing holds a character that XML does not allow",
        "test_another_key_is_never_read[/a]": "the server itself reads another key",
        "test_a_slash_is_a_character_like_any_other": (
            "it lists directories, so names that begin like a folder's come in another order"
        ),
        "test_suspended_versioning": "it lists the null version last, not as the newest",
        "test_frozen_objects_cannot_be_read": "it reads objects of archive classes",
        "test_a_restore_is_reported": NOTHING_FREEZES,
        "test_a_restore_takes_its_time": NOTHING_FREEZES,
        "test_requesting_a_restore_again_is_not_an_error": NOTHING_FREEZES,
        "test_objects_that_need_no_thawing_are_refused": NOTHING_FREEZES,
        "test_a_wrong_whole_is_refused[size]": "it does not look at MpuObjectSize",
    },
    "moto": {
        "test_a_key_survives[newline]": "its router does not know such a path",
        "test_a_key_survives[bell]": "its listing holds a character that XML does not allow",
        "test_a_slash_is_a_character_like_any_other": (
            "it ignores KeyMarker without VersionIdMarker"
        ),
        "test_a_listing_starts_after_any_key": "it ignores KeyMarker without VersionIdMarker",
        "test_suspended_versioning": "it drops all older versions",
        "test_a_restore_takes_its_time": "its restores are done at once",
        "test_a_stored_checksum_vouches_for_the_body": "it does not store CRC64NVME",
        "test_a_written_object_keeps_its_size_checksum_and_metadata": "it does not store CRC64NVME",
        "test_wrong_bytes_are_refused": "it does not compare checksums",
        "test_the_checksum_of_the_whole_is_known": "it does not store CRC64NVME",
        "test_a_source_that_changed_is_not_copied": "it ignores CopySourceIfMatch",
        "test_wrong_parts_are_refused": "it does not compare checksums",
        "test_parts_out_of_order_are_refused": "it takes parts in any order",
        "test_a_wrong_whole_is_refused": "it looks neither at MpuObjectSize nor at checksums",
        "test_aborting": "it answers 500 to an upload that is gone",
        "test_deleting_by_etag_spares_changed_objects": "it ignores the ETag in DeleteObjects",
        "test_a_null_version_that_was_overwritten_stays": "it ignores the ETag in DeleteObjects",
    },
    "ministack": {
        "test_a_key_survives[bell]": "its listing holds a character that XML does not allow",
        "test_a_thousand_and_one": "behind the null version of a key it lists that version again",
        "test_the_checksum_of_the_whole_is_known": (
            "it composes a checksum of the parts' own, and says so"
        ),
        "test_small_parts_are_refused": "it takes parts of any size",
        "test_parts_out_of_order_are_refused": "it takes parts in any order",
        "test_a_wrong_whole_is_refused[crc]": (
            "it composes a checksum of the parts' own, and says so"
        ),
    },
}

RACES: dict[str, dict[str, str]] = {
    "memory": {},
    "seaweedfs": {
        "test_one_of_eight_completions_wins": LOOKS_AND_WRITES,
    },
    "moto": {
        "test_one_of_eight_completions_wins": LOOKS_AND_WRITES,
        "test_one_of_sixteen_writers_wins": LOOKS_AND_WRITES,
    },
    "ministack": {},
}
"""Where a store may or may not differ, by chance. The outcome of these tests means nothing, so they
are skipped. What these stores do promise has its own tests:
`test_parallel_writers_get_true_answers` and `test_parallel_completions_get_true_answers`.
"""
