"""The cast of the tests: careful Alice, hasty Bob, Mallory the bot."""
