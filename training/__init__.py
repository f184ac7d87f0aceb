"""Snapshots in, models and their opinions out."""
