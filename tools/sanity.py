"""Run `ansible-test sanity` on a copy of the tree, with the ansible-core beside this Python.

ansible-test accepts a collection only below ansible_collections/NAMESPACE/NAME, and hands
almost nothing of the environment to pip. So it gets a temporary copy of the files that git
would take, and a home of its own under build/, which keeps its environments between runs.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "build" / "sanity"

# ansible-test would download get-pip for its environments. The interpreter brings a pip, and
# that installs the packages asked for. A child process, since ensurepip changes pip's settings.
GET_PIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
options = [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *options]))
"""


def copy_tree(tree: Path) -> None:
    """Copy what git tracks or would track, symbolic links as they are."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, os.fsdecode(listing).split("\0")):
        source, target = ROOT / name, tree / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    # Outside git, ansible-test overlooks symbolic links to folders.
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=tree, check=True)


def write_pip_settings() -> None:
    """Pass the caller's pip settings on, whether from the environment or from a file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        key, value = line.split("=", 1)
        # The environment is listed first, and wins.
        settings.setdefault(key.rpartition(".")[2], ast.literal_eval(value))
    path = HOME / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    lines = (f"{key} = {' '.join(value.split())}\n" for key, value in settings.items())
    path.write_text("[global]\n" + "".join(lines))


def write_get_pip() -> None:
    """Lay the stand-in where this release of ansible-test looks for its download."""
    package = Path(sysconfig.get_path("purelib")) / "ansible_test" / "_internal"
    source = (package / "python_requirements.py").read_text()
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"\bpip='([\d.]+)'", source):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP)


def search_path() -> str:
    """This environment, then whatever other Pythons there are: the import tests use them all.

    pyenv's shims are no good for that: they fail for versions that are not selected.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [Path(sys.executable).parent, *sorted(pyenv.glob("versions/*/bin"))]
    folders += [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    return os.pathsep.join(str(folder) for folder in folders if folder.name != "shims")


def main() -> int:
    write_pip_settings()
    write_get_pip()
    command = ["ansible-test", "sanity", "--local", "--color", "no"]
    environment = os.environ | {"HOME": str(HOME), "PATH": search_path()}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "ansible_collections", "voc", "cluster")
        copy_tree(tree)
        done = subprocess.run([*command, *sys.argv[1:]], cwd=tree, env=environment, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
