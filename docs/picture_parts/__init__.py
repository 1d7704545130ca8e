"""What the pictures of docs/pictures/ are made of."""
