"""What those who run an installation watch it by: health, metrics, logs, errors and traces."""
