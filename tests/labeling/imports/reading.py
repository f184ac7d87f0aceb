"""Read folders and members into what they say of their pictures, without a database."""

import io

from labeling.imports import jobs, source, source_index
from labeling.imports.members import Member
from labeling.imports.options import Options


def read(box, **options):
    """Return the index of a folder or an archive, with the pictures in its tables."""
    chosen = Options.of(options)
    return source_index.build(jobs.expanded(source.find(box), chosen), chosen)


def of_texts(some, group=".txt", **options):
    """Return the index of pictures with a text beside each: `0.png`, `0.txt`."""
    members = [Member(f"{number}.png", 1, io.BytesIO) for number in range(len(some))]
    for number, text in enumerate(some):
        data = text.encode()
        members.append(Member(f"{number}{group}", len(data), lambda data=data: io.BytesIO(data)))
    return source_index.build(lambda: iter(members), Options.of(options))


def kind(index, group=".txt"):
    """Return what was decided of a group."""
    return {decision.group: str(decision.kind) for decision in index.decisions}[group]


def captions(index):
    """Return the captions of each picture that has some."""
    return {path: each.captions for path, each in index.by_path.items() if each.captions}


def keywords(index):
    """Return the keywords of each picture that has some."""
    return {path: each.keywords for path, each in index.by_path.items() if each.keywords}


def reasons(index):
    """Return why files, rows and texts were refused, by where they stand."""
    found = {each.path: each.reason for each in index.rejections}
    found |= {each.where: each.reason for each in index.refusals}
    for path, each in index.by_path.items():
        found |= {problem.where or path: problem.reason for problem in each.problems}
    return found
