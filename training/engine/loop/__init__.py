"""The training loop around any recipe."""
