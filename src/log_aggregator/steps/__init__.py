"""What the program does, in rooms by journey; see docs/internals/architecture.md."""
