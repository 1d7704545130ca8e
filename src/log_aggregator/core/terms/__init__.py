"""The values by which people search events: read out of log objects, kept for each pack."""
