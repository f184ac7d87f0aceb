"""Runs, models and drawings over HTTP."""
