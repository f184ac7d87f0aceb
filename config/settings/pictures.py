"""Pictures, uploads, and where they may come from or go."""

from config import environment

environment.section("Pictures and uploads")
# Images in
IMAGE_MAX_BYTES = environment.number(
    "IMAGE_MAX_BYTES", 20 * 1024 * 1024, least=1, about="bytes of a picture's file at most"
)
IMAGE_MAX_PIXELS = environment.number(
    "IMAGE_MAX_PIXELS",
    40_000_000,
    least=1,
    about="width × height of a picture at most, checked before it is decoded",
)
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
# Uploads of pictures, in parts
UPLOAD_MAX_BYTES = environment.number(
    "UPLOAD_MAX_BYTES", 20 * 1024 * 1024 * 1024, least=1, about="bytes of one upload at most"
)
UPLOAD_MAX_FILES = environment.number(
    "UPLOAD_MAX_FILES",
    200_000,
    least=1,
    about="files of one upload at most, and members of an archive in it",
)
IMPORT_HOSTS = environment.items(
    "IMPORT_HOSTS",
    about="hosts from which the pictures of a list of addresses are fetched, a list:"
    " `photos.example.org` over HTTPS, `http://photos.example.org:8000`, `*.example.org` for all"
    " below it; private addresses never",
)
IMPORT_BUCKETS = environment.items(
    "IMPORT_BUCKETS",
    about="buckets, or prefixes of them, that owners of projects may import from, a list:"
    " `s3://photos/incoming`; where it is not AWS's, with its endpoint after a space:"
    " `s3://photos http://minio.internal:9000` ([buckets](#buckets))",
)
EXPORT_BUCKETS = environment.items("EXPORT_BUCKETS", about="… that exports may be put into")
UPLOAD_MAX_UNFINISHED = environment.number(
    "UPLOAD_MAX_UNFINISHED", 10, least=1, about="unfinished uploads of a project at most"
)
UPLOAD_MIN_FREE_BYTES = environment.number(
    "UPLOAD_MIN_FREE_BYTES",
    1024 * 1024 * 1024,
    about="bytes that must stay free on that disk: beyond them an upload waits",
)
UPLOAD_PART_BYTES = 4 * 1024 * 1024  # of one request
