"""What models are worth, by judges that are named."""
