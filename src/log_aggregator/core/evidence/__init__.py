"""Evidence: what is there, unaltered, and comes back."""
