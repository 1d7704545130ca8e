"""A stored pack: its index, its bytes as a stream, and whether they are what was written."""
