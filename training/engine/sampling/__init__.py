"""From noise to latents, and from token to token."""
