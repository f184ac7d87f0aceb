"""The demo project: Fluent emoji, and scenes composed of them."""
