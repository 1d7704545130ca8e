"""Drills: a random sample of the members is brought back and compared, and that is recorded."""
