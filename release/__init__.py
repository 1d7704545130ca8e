"""Builds a release, and checks what a stranger gets of it: `make release-check`."""
