"""What all answers add up to: posteriors recomputed from all of a project's answers."""
