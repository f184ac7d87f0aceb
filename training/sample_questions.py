"""Ask people whether samples show what they were generated from.

Their answers judge the model (`training.promotion`) and label new images for the next one.
"""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from labeling import images, questions, removal
from labeling.images import tiles
from labeling.models import Concept, Project, Question
from training import generators
from training.generation_requests import GenerationError
from training.models import Generation, Model, Sample

CAPTION_PRIOR = 0.5  # probability that a sample shows its prompt, before anyone was asked


def ask(*, generation: Generation) -> int:
    """Ask about a finished request's samples; return how many questions are new.

    Raises GenerationError where there are no samples, or none that has a prompt, or where their
    model's pictures are not put before people.
    """
    if not generators.is_accepted(generation.model):
        raise GenerationError(
            f"The {generation.model} was not accepted, or only tries whether everything works: "
            "people are not asked about its pictures. Promote another model, or this one."
        )
    if generation.kind == Generation.Kind.TRANSLATION:
        raise GenerationError(
            "These are other halves of a picture, and what they should show no text says: people "
            "are not asked about them."
        )
    if generation.state != Generation.State.SUCCEEDED:
        raise GenerationError(
            f"This generation is {generation.state}: there is nothing to ask about yet."
        )
    if generation.draft:
        raise GenerationError("This is a draft: draw its pictures first.")
    with_prompts = list(_with_prompts(generation))
    if not with_prompts:
        raise GenerationError("These were drawn from no prompt: there is nothing to ask.")
    return sum(_ask(sample, prompt, generation.model) for sample, prompt in with_prompts)


def of_refused_models() -> QuerySet[Sample]:
    """Return the samples that people are still asked about although no accepted model drew them."""
    asked = Sample.objects.filter(question__state=Question.State.OPEN, question__verdict=None)
    accepted = generators.accepted().order_by().values("pk")
    refused = asked.exclude(generation__model__in=accepted)
    also_accepted = Sample.objects.filter(
        question=OuterRef("question"), generation__model__in=accepted
    )
    return refused.exclude(Exists(also_accepted))


def take_back(project: Project) -> int:
    """Ask no more about samples of a project's refused models; return how many questions went.

    Answers to them are archived with those about removed pictures. Settled questions stay.
    """
    refused = of_refused_models().filter(generation__model__project=project)
    with transaction.atomic():
        images.lock(project)
        questions = set(refused.values_list("question", flat=True))
        removal.withdraw_questions(questions)
    return len(questions)


def _with_prompts(generation: Generation) -> Iterator[tuple[Sample, str]]:
    """Yield each sample with the prompt that it should show.

    Between two different prompts nobody knows what it should show: only the ends count.
    """
    samples = list(generation.samples.all())
    first, last = generation.prompt, generation.second_prompt
    if generation.is_interpolation and first != last:
        pairs = [(samples[0], first), (samples[-1], last)] if samples else []
    else:
        pairs = [(sample, first) for sample in samples]
    yield from ((sample, prompt) for sample, prompt in pairs if prompt)


def _ask(sample: Sample, prompt: str, model: Model) -> int:
    """Make a sample an image of the project and ask about it; return 1 if the question is new."""
    with sample.file.open("rb") as file:
        image, _ = images.add(
            project=model.project,
            data=file.read(),
            source=f"{model}: {prompt}"[:300],
            generated=True,
            prompt=prompt,
        )
    tile = tiles.whole(image)
    if concept := _concept(model.project, prompt):
        new = questions.ask_concepts(tiles=[tile], concepts=[concept])
        sample.question = Question.objects.get(tile=tile, concept=concept)
    else:
        new = questions.ask_captions(
            captions=[(tile, prompt)], source=Question.Source.MODEL, prior=CAPTION_PRIOR
        )
        sample.question = Question.objects.get(tile=tile, kind=Question.Kind.CAPTION, text=prompt)
    sample.save(update_fields=["question"])
    return new


def _concept(project: Project, prompt: str) -> Concept | None:
    """Return the concept that a prompt names, however a person has typed it."""
    concepts = project.concepts.filter(merged_into=None)
    return next((each for each in concepts if each.is_named_by(prompt)), None)
