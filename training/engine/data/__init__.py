"""What is learned from: a snapshot's rows, their pictures, and their texts."""
