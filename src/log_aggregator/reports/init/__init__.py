"""`init`: what was found, the settings file, how to go on."""
