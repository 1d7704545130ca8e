"""Searching events in packs by their terms, and the tables that make it fast."""
