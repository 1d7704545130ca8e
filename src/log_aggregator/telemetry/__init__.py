"""Logs, metrics and traces for operators. Standard library only, to keep cold starts short."""
