"""Reports of plans, runs and other commands, for people and for programs."""
