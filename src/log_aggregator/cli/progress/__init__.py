"""How something long is going: bars on a terminal, plain lines elsewhere. Always on standard error,
so that results stay clean.

Only `bars` knows rich. It takes as long to import as most commands do altogether, so the others
import it where there is a terminal to show a bar on.
"""
