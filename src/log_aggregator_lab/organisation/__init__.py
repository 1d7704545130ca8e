"""A synthetic AWS organisation: the same seed gives the same log objects, byte for byte."""
