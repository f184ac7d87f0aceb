"""What networks draw: principal components, pixels, tokens."""
