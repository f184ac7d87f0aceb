"""Torch: snapshot folders in, models out. No Django, no database."""
