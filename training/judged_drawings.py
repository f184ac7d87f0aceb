"""What people have said of a project's drawings, as far as models may learn from it."""

from labeling import drawn_verdicts
from labeling.images import visible
from labeling.models import Project
from training.engine.data.preferences import Preferences, find_preferences


def preferences(project: Project) -> Preferences:
    """Return the pairs of drawings of the same prompt of which people prefer one."""
    concepts = list(project.concepts.filter(merged_into=None))
    drawn = list(project.images.filter(visible(), generated=True).exclude(prompt=""))
    said = drawn_verdicts.of_images(drawn, concepts)
    judged = [image for image in drawn if image.pk in said]
    return find_preferences(
        [image.prompt for image in judged], [said[image.pk].shows_prompt for image in judged]
    )
