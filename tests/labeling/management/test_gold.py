"""The command says how much gold there is, and marks it from a CSV."""

import io

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Event, Image, Question

pytestmark = pytest.mark.django_db


def run(*arguments, **options) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("gold", *arguments, project="shapes", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_says_what_is_missing_and_why(shapes):
    out, _ = run()
    assert "circle: 3 yes and 3 no of 4 and 4. 2 more (1 yes, 1 no): a busy annotator" in out


def test_it_marks_from_a_file_and_tells_what_it_cannot(shapes, ada, tmp_path):
    first, second = Image.objects.order_by("-pk")[:2]
    file = tmp_path / "gold.csv"
    file.write_text(
        "path,concept,value\n"
        f"{first.source},circle,yes\n"
        f"{second.sha256},Circle,no\n"
        f"{second.source},circle,yes\n"
        "gone.png,circle,yes\n"
        f"{first.source},unicorn,yes\n"
        f"{first.source},square,perhaps\n"
    )
    out, err = run(str(file), by="ada")
    assert out.startswith("2 marked as gold, 0 changed, 0 gold already, 4 refused.")
    for problem in ("both yes and no", "no picture 'gone.png'", "no concept 'unicorn'", "perhaps"):
        assert problem in err
    known = Question.objects.filter(tile__image__in=[first, second], state="gold")
    assert set(known.values_list("verdict", flat=True)) == {True, False}
    assert Event.objects.get(kind="gold").actor == "ada"
    assert run(str(file), by="ada")[0].startswith("0 marked as gold, 0 changed, 2 gold already")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n", "lacks the columns path, concept, value"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "lacks the columns"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(shapes, tmp_path, data, message):
    file = tmp_path / "gold.csv"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=message):
        run(str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="no user"):
        run(str(file), by="nobody")
