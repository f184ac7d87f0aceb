"""Pictures from a finished model, once or on demand."""
