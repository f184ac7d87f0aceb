"""What is stored: one file a noun, in the order of the loop."""

from labeling.models.annotators import Annotator, SuspectSpell
from labeling.models.answers import Answer
from labeling.models.attempts import Attempt
from labeling.models.caption_trust import CaptionTrust
from labeling.models.challenges import Challenge
from labeling.models.comments import Comment
from labeling.models.cuttings import Cutting
from labeling.models.decision_batches import DecisionBatch
from labeling.models.events import Event
from labeling.models.examples import ConceptExample
from labeling.models.exports import Export
from labeling.models.folder_deletions import FolderDeletion
from labeling.models.gold_marks import GoldMark
from labeling.models.heartbeats import Heartbeat
from labeling.models.images import Image, Tile
from labeling.models.import_shares import ImportShare
from labeling.models.imports import Import, UploadedFile
from labeling.models.installations import Installation
from labeling.models.jobs import Job
from labeling.models.lease import Leased, LeasedQuerySet, LeaseLost
from labeling.models.members import Invitation, Membership, Role
from labeling.models.named_leases import NamedLease
from labeling.models.pairs import Pair
from labeling.models.pools import NewPictures, Pool
from labeling.models.practice import Practice, PracticeQuestion
from labeling.models.projects import (
    ClassSet,
    Concept,
    ConceptPhrase,
    ExclusionRule,
    ExclusiveGroup,
    Project,
)
from labeling.models.quality_reports import QualityReport
from labeling.models.questions import Question
from labeling.models.recomputation_shares import RecomputationShare
from labeling.models.recomputations import Recomputation
from labeling.models.removals import RemovedAnswer, RemovedImage
from labeling.models.showings import AddressDay, Showing
from labeling.models.sites import Site, SiteSecret
from labeling.models.skip_reviews import SkipReview
from labeling.models.snapshots import Snapshot
from labeling.models.statements import BoxStatement, ImportStatement
from labeling.models.taken_back import TakenBack
from labeling.models.text_sources import TextSource
from labeling.models.tokens import KeptAnswer, Scope, Token
from labeling.models.webhooks import Delivery, HookEvent, Webhook
from labeling.models.withdrawals import Withdrawal

__all__ = [
    "AddressDay",
    "Annotator",
    "Answer",
    "Attempt",
    "BoxStatement",
    "CaptionTrust",
    "Challenge",
    "ClassSet",
    "Comment",
    "Concept",
    "ConceptExample",
    "ConceptPhrase",
    "Cutting",
    "DecisionBatch",
    "Delivery",
    "Event",
    "ExclusionRule",
    "ExclusiveGroup",
    "Export",
    "FolderDeletion",
    "GoldMark",
    "Heartbeat",
    "HookEvent",
    "Image",
    "Import",
    "ImportShare",
    "ImportStatement",
    "Installation",
    "Invitation",
    "Job",
    "KeptAnswer",
    "LeaseLost",
    "Leased",
    "LeasedQuerySet",
    "Membership",
    "NamedLease",
    "NewPictures",
    "Pair",
    "Pool",
    "Practice",
    "PracticeQuestion",
    "Project",
    "QualityReport",
    "Question",
    "Recomputation",
    "RecomputationShare",
    "RemovedAnswer",
    "RemovedImage",
    "Role",
    "Scope",
    "Showing",
    "Site",
    "SiteSecret",
    "SkipReview",
    "Snapshot",
    "SuspectSpell",
    "TakenBack",
    "TextSource",
    "Tile",
    "Token",
    "UploadedFile",
    "Webhook",
    "Withdrawal",
]
