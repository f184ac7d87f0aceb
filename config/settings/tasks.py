"""What workers do, by which queue, and when."""

CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Work of one kind waits for no other: the quick kind is `celery`, `io` moves many files, `train`
# and `train-gpu` compute for long, `draw` answers people who wait for pictures. A worker consumes
# all queues unless -Q names some.
QUEUES = "celery", "io", "train", "train-gpu", "draw"
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
CELERY_TASK_ROUTES = {
    "labeling.folder_deletions.delete_folders": {"queue": "io"},
    "labeling.tasks.advance_import": {"queue": "io"},
    "labeling.tasks.advance_imports": {"queue": "io"},
    "labeling.tasks.compare_snapshots": {"queue": "io"},
    "labeling.tasks.cut_due_pictures": {"queue": "io"},
    "labeling.tasks.cut_pictures": {"queue": "io"},
    "labeling.tasks.delete_removed_files": {"queue": "io"},
    "labeling.tasks.forget_uploads": {"queue": "io"},
    "labeling.tasks.freeze": {"queue": "io"},
    "labeling.tasks.freeze_due": {"queue": "io"},
    "labeling.tasks.make_due_exports": {"queue": "io"},
    "labeling.tasks.make_export": {"queue": "io"},
    "training.tasks.follow_up": {"queue": "train"},
    "training.tasks.generate": {"queue": "draw"},
    "training.tasks.look_at_share": {"queue": "train"},
    "training.tasks.predict_new_concepts": {"queue": "train"},
    "training.tasks.predict_zero_shot": {"queue": "train"},
    "training.tasks.train": {"queue": "train"},
}
CELERY_BEAT_SCHEDULER = "config.beat:LeasedScheduler"
# What a worker left as it died goes on within its lease and a sweep: ten and four seconds.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "recompute-due-projects": {"task": "labeling.tasks.aggregate_due", "schedule": 20.0},
    "recompute-requested": {"task": "labeling.tasks.aggregate_requested", "schedule": 4.0},
    "fill-due-pools": {"task": "labeling.tasks.fill_due_pools", "schedule": 15.0},
    "finish-concepts": {"task": "labeling.tasks.finish_concepts", "schedule": 15.0},
    "cut-due-pictures": {"task": "labeling.tasks.cut_due_pictures", "schedule": 15.0},
    "freeze-pending-snapshots": {"task": "labeling.tasks.freeze_due", "schedule": 4.0},
    "make-due-exports": {"task": "labeling.tasks.make_due_exports", "schedule": 4.0},
    "advance-imports": {"task": "labeling.tasks.advance_imports", "schedule": 4.0},
    "forget-uploads": {"task": "labeling.tasks.forget_uploads", "schedule": 3600.0},
    "delete-folders": {
        "task": "labeling.folder_deletions.delete_folders",
        "schedule": 3600.0,
    },
    "delete-removed-files": {"task": "labeling.tasks.delete_removed_files", "schedule": 3600.0},
    "forget-challenges": {"task": "labeling.tasks.forget_challenges", "schedule": 3600.0},
    "take-in-attempts": {"task": "labeling.tasks.take_in_attempts", "schedule": 5.0},
    "forget-attempts": {"task": "labeling.tasks.forget_attempts", "schedule": 3600.0},
    "send-webhooks": {"task": "labeling.tasks.send_webhooks", "schedule": 15.0},
    "forget-kept-answers": {"task": "labeling.tasks.forget_kept_answers", "schedule": 3600.0},
    "forget-visitors": {"task": "labeling.tasks.forget_visitors", "schedule": 3600.0},
    "recover-runs-and-generations": {"task": "training.tasks.recover", "schedule": 4.0},
    "follow-up-models": {"task": "training.tasks.sweep", "schedule": 20.0},
    "retrain-due-projects": {"task": "training.tasks.retrain_due", "schedule": 60.0},
}
for _entry in CELERY_BEAT_SCHEDULE.values():  # while no worker runs, they must not pile up
    _entry["options"] = {"expires": _entry["schedule"]}
