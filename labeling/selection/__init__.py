"""Which question next."""
