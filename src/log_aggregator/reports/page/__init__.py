"""Pages to show: one file of HTML each, made of templates, with their plots inside."""
