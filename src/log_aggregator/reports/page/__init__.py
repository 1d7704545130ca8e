"""Pages to show: each one HTML file with its plots inside, made from templates."""
