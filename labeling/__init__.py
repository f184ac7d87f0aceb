"""Images in, confident labels out."""

__version__ = "0.1.0"  # of the whole product; pyproject.toml reads it here
