"""Images in, confident labels out."""
