"""Buckets of S3, or of what speaks its protocol: read from and written to where the owner allows.

Which ones may be named is a setting of the installation, and so is where they are; credentials are
the server's own, found as AWS's tools find them. Nobody types them, and no message holds them.
"""

from labeling.buckets.addresses import Address, Place, find, listed
from labeling.buckets.errors import BucketError, Changed, Denied, Missing, Unavailable

__all__ = [
    "Address",
    "BucketError",
    "Changed",
    "Denied",
    "Missing",
    "Place",
    "Unavailable",
    "find",
    "listed",
]
