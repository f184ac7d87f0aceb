"""Where files lie."""

from config import environment, storage
from config.settings.running import DATA_DIR

environment.section("Files")
MEDIA_ROOT = DATA_DIR / "media"
CACHE_ROOT = DATA_DIR / "cache"
FILE_STORAGE = storage.parse(
    environment.text(
        "FILE_STORAGE",
        shown="the folder `media` in the data folder",
        about="where pictures and all other files lie: `s3://bucket/prefix?endpoint_url=…`,"
        " `gs://bucket/prefix`, `file:///path`, or the class of a back end, as of django-storages"
        " ([storage](#storage))",
    ),
    environment.text(
        "FILE_STORAGE_OPTIONS",
        secret=True,
        about="what else that class takes, an object of JSON",
    ),
)
FOLDER_CACHE_BYTES = environment.number(
    "FOLDER_CACHE_BYTES",
    50 * 1024**3,
    about="bytes of snapshots, runs and models that a machine keeps copies of, in `cache` in the"
    " data folder, where its storage is elsewhere; beyond them those that were not used for longest"
    " go, and never one in use",
)
PICTURE_CACHE_BYTES = environment.number(
    "PICTURE_CACHE_BYTES",
    20 * 1024**3,
    least=2**20,
    about="bytes of rendered tiles, and of pictures from a storage elsewhere, that a machine keeps"
    " in `cache` in the data folder; beyond them those that were not used for longest go",
)
FILE_UPLOAD_PERMISSIONS = None  # files are as readable as the process's umask lets them be
STORAGES = {
    "default": FILE_STORAGE.as_setting(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
