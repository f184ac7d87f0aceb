"""Latent spaces: principal components, pixels, tokens."""
