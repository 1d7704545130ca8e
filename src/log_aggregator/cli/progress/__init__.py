"""Progress of long work: bars on a terminal, plain lines elsewhere. Always on standard error, so
that results stay clean.

Only `bars` imports rich, which takes as long as a whole short command. The others import `bars`
only where there is a terminal to show a bar on.
"""
