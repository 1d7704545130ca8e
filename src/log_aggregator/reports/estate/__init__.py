"""What `survey` found: in plain types for programs, as lines for people, as an HTML page."""
