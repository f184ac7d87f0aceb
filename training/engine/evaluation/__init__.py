"""What a model is worth, by judges that are named."""
