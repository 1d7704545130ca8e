"""`init`: what was found, the settings file, and what to do next."""
