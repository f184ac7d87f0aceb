"""Names take the article that English gives them, where they take one."""

import pytest

from labeling.english import with_article


@pytest.mark.parametrize(
    "name", ["a bicycle", "an apple", "an hour glass", "a unicorn", "an umbrella", "a one-way sign"]
)
def test_a_name_gets_its_article(name: str) -> None:
    assert with_article(name.partition(" ")[2]) == name


@pytest.mark.parametrize(
    "name", ["a bus", "a glass", "a lens", "an iris", "a man with glasses", "a flock of birds"]
)
def test_a_singular_that_ends_or_goes_on_like_a_plural_gets_one_too(name: str) -> None:
    assert with_article(name.partition(" ")[2]) == name


@pytest.mark.parametrize(
    "name",
    ["birds", "round things", "Birds of prey", "people", "a bird", "The Sun", "two cats", "3D"],
)
def test_a_plural_and_what_has_an_article_stay_as_they_are(name: str) -> None:
    assert with_article(name) == name


def test_another_script_has_no_article() -> None:
    assert with_article("りんご") == "りんご"
