"""The database's backend: Django's, which notices a pooler between it and PostgreSQL."""
