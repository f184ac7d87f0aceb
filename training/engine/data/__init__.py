"""What is learned from: a snapshot's rows, their pictures, and what is said of them."""
