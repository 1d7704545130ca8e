"""The values by which people search for events: extracted from log objects, kept for each pack."""
