"""Runs, models and generations over HTTP."""
