"""Tables of terms: the terms of many packs in one Parquet file for each month and log type, sorted
by value. docs/internals/tables-format.md specifies the format.
"""
