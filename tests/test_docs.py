"""README.md and docs/ against the code: what they name exists."""

import ast
import contextlib
import io
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from config import environment
from config.management.commands import list_settings
from labeling import challenges, checks, pace, skip_debts, visitors
from labeling.accounts import limits
from labeling.aggregation.__main__ import _parser as aggregation
from labeling.captcha import tokens, verifying
from labeling.withdrawals import MAX_UNDOS
from labeling.withdrawals.service import AT_ONCE
from tests.captcha_clients.clients import CLIENTS
from training.__main__ import _parser as training
from training.engine.presets import PRESETS

ROOT = Path(__file__).parent.parent
ANNOTATING = ROOT / "docs" / "annotating.md"
CAPTCHA = ROOT / "docs" / "captcha.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = [
    ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY", "deploy/README")
]
APPS = ("config", "labeling", "training")
FOLDERS = "|".join((*APPS, "deploy", "docs", "frontend", "scripts", "tests"))
BENCHMARK = r"tests/benchmarks/\w+\.py|-m tests\.benchmarks\.\w+"
FILE_NAME = re.compile(r"[\w.-]+\.(conf|csv|env|html|jsonl?|py|md|safetensors|toml|txt|ya?ml)")
ATTACK = r"^\| (.*) \| (.*) \| \[`(\w+)\.py`\]\(benchmarks\.md#([\w-]+)\) \|$"
DAY = 24 * 3600  # seconds
OF_OTHERS = {  # variables that are read, but no settings
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"),
    *("ENV_FILE", "LISTEN_FDS", "LISTEN_PID", "LOCAL_RANK", "PATH", "PROMETHEUS_MULTIPROC_DIR"),
    *("GLOO_SOCKET_IFNAME", "NCCL_DEBUG", "NCCL_SOCKET_IFNAME", "TORCHELASTIC_ERROR_FILE"),
    *("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "WANDB_PROJECT", "WORLD_SIZE"),
}

pages = pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!http)([^)\s]+)\)", page.read_text())
    assert not [target for target in targets if not leads_somewhere(page, target)]


def test_the_readme_leads_to_every_page() -> None:
    readme = PAGES[0].read_text()
    assert not [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme]


@pages
def test_every_path_exists(page: Path) -> None:
    paths = re.findall(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*)", page.read_text())
    assert not [path for path in paths if not (ROOT / path.rstrip(".")).exists()]
    scripts = [span for span in spans(page) if re.fullmatch(r"\w+\.py", span)]
    assert not [name for name in scripts if not modules(name.removesuffix(".py"))]


@pages
def test_every_module_class_and_attribute_exists(page: Path) -> None:
    names = [span.partition("(")[0] for span in spans(page)]
    dotted = [name for name in names if re.fullmatch(r"[A-Za-z]\w*(\.\w+)+", name)]
    assert not [name for name in dotted if not FILE_NAME.fullmatch(name) and not resolves(name)]


@pages
def test_every_name_in_snake_case_occurs_in_the_code(page: Path) -> None:
    names = [span for span in spans(page) if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)]
    code = "\n".join(text for path, text in sources().items() if ROOT / "tests" not in path.parents)
    assert not [n for n in names if not re.search(rf"\b{n}\b", code) and not modules(n)]


@pages
def test_every_command_and_its_options_exist(page: Path) -> None:
    for line in commands(page):
        arguments, known = usage(line)
        options = re.findall(r"(?<![\w-])--[a-z-]+", arguments)
        assert not [o for o in options if not re.search(rf"{o}\b(?!-)", known)], line


@pytest.mark.parametrize("page", [*PAGES, ROOT / "Makefile"], ids=lambda page: page.name)
def test_every_benchmark_is_started_as_it_says_itself(page: Path) -> None:
    invocations = re.findall(BENCHMARK, page.read_text())
    assert not [each for each in invocations if each not in benchmark(each)]


@pages
def test_every_address_is_served(page: Path) -> None:
    matches = [re.fullmatch(r"(?:[A-Z]+ )?(/(?:[\w-]+/)*)", span) for span in spans(page)]
    assert not [match[1] for match in matches if match and not is_served(match[1])]


@pages
def test_every_setting_is_read(page: Path) -> None:
    names = {span for span in spans(page) if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", span)}
    assert not names - declared() - {f"{name}_FILE" for name in declared()} - OF_OTHERS


def test_the_table_of_settings_is_made_from_the_code() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert list_settings.markdown() in page, "Run python docs/settings_table.py."


def test_no_setting_is_read_without_being_declared() -> None:
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z0-9_]+)\"", "\n".join(own_code())))
    assert read <= declared() | OF_OTHERS


def test_the_table_of_recipes_has_the_presets() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| (`[^|]+`) \|$", text, re.MULTILINE)
    documented = {recipe: re.findall(r"`([^`]+)`", presets) for recipe, presets in rows}
    assert documented == {recipe: list(presets) for recipe, presets in PRESETS.items()}


def test_the_figures_of_attacks_are_those_that_were_measured() -> None:
    rows = re.findall(ATTACK, ANNOTATING.read_text(), re.MULTILINE)
    assert len(rows) >= 10
    for attack, result, script, anchor in rows:
        measured = section(ROOT / "docs" / "benchmarks.md", anchor)
        assert script in measured, attack
        assert not figures(result) - figures(measured), attack


@pytest.mark.parametrize(
    "phrase",
    [
        f"within {pace.SHORTEST // timedelta(milliseconds=1)} ms",
        f"*Undo* for {challenges.UNDO_SECONDS} seconds",
        f"{MAX_UNDOS} times at most",
        f"more than {AT_ONCE:,} answers",
        f"{checks.REVEALED_SHARE * 100:.0f} % of all questions",
        f"Beyond {skip_debts.FREE} more skips than answers",
        f"good for {challenges.AHEAD_TIME // timedelta(hours=1)} hours",
        f"{visitors.COOKIE_SECONDS // DAY} days in the browser",
        f"{limits.KNOWN_SECONDS // DAY} days where it signed in",
    ],
)
def test_what_an_owner_is_told_of_annotating_is_so(phrase: str) -> None:
    assert phrase in " ".join(ANNOTATING.read_text().split())


def test_the_captchas_page_has_all_clients_and_the_keys_for_tests() -> None:
    text = CAPTCHA.read_text()
    assert not [client.package for client in CLIENTS if client.package not in text]
    rows = [" | ".join(keys) for keys in verifying.TEST_KEYS.items()]
    assert not [row for row in rows if f"| {row} |" not in text]


@pytest.mark.parametrize(
    "phrase",
    [
        f"good for {tokens.RESPONSE_SECONDS} seconds",
        f"The score is {verifying.PASSED_SCORE} for all who passed",
        f"{verifying.UNASKED_SCORE} where the site lets everybody pass",
    ],
)
def test_what_an_owner_is_told_of_the_captcha_is_so(phrase: str) -> None:
    assert phrase in " ".join(CAPTCHA.read_text().split())


# What a page quotes


def spans(page: Path) -> set[str]:
    """Return what stands in backticks, on one line each."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)}


def commands(page: Path) -> Iterator[str]:
    """Yield the lines of code blocks and what stands in backticks, without comments."""
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    for line in ["\n".join(blocks), *indented]:
        yield from (part.partition(" #")[0] for part in line.splitlines())
    yield from spans(page)


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link's file exists, and a heading for its anchor."""
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not anchor or anchor in anchors(file))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def section(page: Path, anchor: str) -> str:
    """Return what stands under the heading of an anchor."""
    parts = re.split(r"^#+ ", page.read_text(), flags=re.MULTILINE)
    return next(part for part in parts if anchor_of(part.partition("\n")[0]) == anchor)


def figures(text: str) -> set[float]:
    """Return the numbers in a text, with their signs."""
    numbers = re.findall(r"[+-]?(?:\d[\d,]*)?\.?\d+", text.replace("−", "-"))
    return {float(number.replace(",", "")) for number in numbers}


# What the code has


def usage(line: str) -> tuple[str, str]:
    """Return the arguments of the command of ours in a line, and its help; empty without one."""
    if match := re.search(r"(?:manage\.py|\btessera) (\w+)", line) or re.match(r"(\w+) .*--", line):
        name, app = match[1], get_commands().get(match[1])
        assert app or "manage.py" not in line, f"There is no command {name}."
        if app:
            parser = load_command_class(str(app), name).create_parser("manage.py", name)
            return line[match.start() :], parser.format_help()
    if match := re.search(r"-m labeling\.aggregation", line):
        return line[match.end() :], aggregation().format_help()
    if match := re.search(r"-m training ([\w-]+)", line):
        return line[match.end() :], printed_help(training(), match[1])
    if match := re.search(BENCHMARK, line):
        return line[match.end() :], benchmark(match[0])
    return "", ""


def benchmark(invocation: str) -> str:
    """Return the source of a benchmark; of a package, that of what is run."""
    path = ROOT / invocation.removeprefix("-m ").removesuffix(".py").replace(".", "/")
    return (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def printed_help(parser: ArgumentParser, subcommand: str) -> str:
    """Return what a subcommand prints when asked for help."""
    with contextlib.redirect_stdout(io.StringIO()) as output, pytest.raises(SystemExit) as end:
        parser.parse_args([subcommand, "--help"])
    assert end.value.code == 0, f"There is no {subcommand}."
    return output.getvalue()


def declared() -> set[str]:
    """Return the names of all settings."""
    return {variable.name for variable in environment.variables()}


def own_code() -> Iterator[str]:
    """Yield the text of each module that is no test."""
    yield from (text for path, text in sources().items() if ROOT / "tests" not in path.parents)


@cache
def sources() -> dict[Path, str]:
    """Return the text of each module of ours."""
    paths = [path for name in (*APPS, "tests") for path in (ROOT / name).rglob("*.py")]
    return {path: path.read_text() for path in (*paths, ROOT / "manage.py")}


def modules(name: str) -> list[Path]:
    """Return the modules and packages of that name, wherever they lie."""
    packages = {path.parent for path in sources() if path.parent.name == name}
    return [*(path for path in sources() if path.stem == name), *packages]


def classes(name: str) -> list[ast.ClassDef]:
    """Return the classes of that name."""
    texts = [text for text in sources().values() if re.search(rf"^class {name}\b", text, re.M)]
    return [node for text in texts for node in ast.parse(text).body if is_named(node, name)]


def resolves(name: str) -> bool:
    """Whether a dotted name leads to something of ours, or does not begin with anything of ours."""
    first, *rest = name.split(".")
    owners = [ROOT / first] if first in APPS else [*modules(first), *classes(first)]
    return not owners or any(has(owner, rest) for owner in owners)


def is_served(address: str) -> bool:
    """Whether the site has a page or an endpoint at an address."""
    with contextlib.suppress(Resolver404):
        return bool(resolve(address))
    return False


def has(owner: Path | ast.AST, names: list[str]) -> bool:
    """Whether a package, module or class has an attribute, which has the next one, and so on."""
    if not names:
        return True
    first, *rest = names
    if isinstance(owner, Path) and owner.is_dir():
        for inner in (owner / first, owner / f"{first}.py"):
            if inner.exists():
                return has(inner, rest)
        owner = owner / "__init__.py"
        if not owner.exists():  # a folder of tests
            return False
    tree = ast.parse(owner.read_text()) if isinstance(owner, Path) else owner
    body = getattr(tree, "body", [])
    defined = [node for node in body if is_named(node, first)]
    return any(has(node, rest) for node in defined or imported(body, first))


def imported(body: list[ast.stmt], name: str) -> list[ast.AST]:
    """Return the class, or else the statement, that imports bring in under a name."""
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    bringing = [node for node in imports if name in {alias.name for alias in node.names}]
    return [*(classes(name) or bringing)] if bringing else []


def is_named(node: ast.AST, name: str) -> bool:
    """Whether a statement defines a name."""
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return node.name == name
        case ast.AnnAssign(target=ast.Name(id=target)):
            return target == name
        case ast.Assign(targets=targets):
            return name in {target.id for target in targets if isinstance(target, ast.Name)}
    return False
