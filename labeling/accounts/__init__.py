"""Accounts: who may sign up under which name, and how often anybody may try to sign in."""
