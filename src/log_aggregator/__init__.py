"""Control Tower Log Aggregator: many small log objects into few large packs, and every original
back, byte for byte.
"""

__version__ = "0.2.0"
