"""The pages of a project for those who own, review or train it: the loop, one page a step."""
