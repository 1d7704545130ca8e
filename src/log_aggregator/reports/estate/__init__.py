"""What `survey` found: in plain types for programs, as lines for people, as a page to show."""
