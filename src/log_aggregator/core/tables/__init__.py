"""Tables of terms: many packs' terms in one file of Parquet, sorted by value, by month and log
type. docs/internals/tables-format.md says what lies where.
"""
