"""Train models on snapshots, generate samples, and give both back to the labelling loop."""
