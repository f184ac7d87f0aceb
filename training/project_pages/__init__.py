"""The pages of a project about its runs, its models and their drawings."""
