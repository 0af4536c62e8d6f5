"""Runs roles on small images without a running system, as a play of a site's own would."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.voc.cluster.tests.unit.families import Family
from ansible_collections.voc.cluster.tests.unit.images import make_ext, tool

from . import playbooks

# A service of a guest in which there is no program of its.
UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"

_ROOT_OWNER = ("-E", "root_owner=0:0")


@dataclass(frozen=True)
class Fitted:
    """Images that roles were run on, by the names of their hosts: once all, and then those again that should work.

    Attributes:
        before: what each was before.
        first: what Ansible said.
        second: what it said of those that were fitted again.
    """

    images: Mapping[str, Path]
    before: Mapping[str, bytes]
    first: str
    second: str

    def refusal(self, host: str) -> str:
        """Return what a host's play ended with."""
        said = " ".join(re.findall(rf"^fatal: \[{host}[] ].*$", self.first, re.MULTILINE))
        return said.replace("\\n", " ") or self.first

    def is_untouched(self, host: str) -> bool:
        """Say whether nothing in an image was changed."""
        return self.images[host].read_bytes() == self.before[host]

    def is_stable(self, host: str) -> bool:
        """Say whether the second run changed nothing."""
        recap = self.second.partition("PLAY RECAP")[2]
        return re.search(rf"^{host} .* changed=0 .* failed=0 ", recap, re.MULTILINE) is not None


def fit(
    folder: Path,
    roles: Sequence[str],
    guests: Mapping[str, Path],
    variables: Mapping[str, Mapping[str, object]],
    again: Collection[str],
) -> Fitted:
    """Run roles on copies of guests.

    Args:
        guests: the image that each host's is a copy of.
        variables: those of each host.
        again: the hosts on which the roles are run a second time.
    """
    images = {name: shutil.copy(guest, folder / f"{name}.img") for name, guest in guests.items()}
    hosts = {
        name: {"image_source": str(image), "image_work": str(image), **variables[name]}
        for name, image in images.items()
    }
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"images": {"hosts": hosts}}))
    play = write_play(folder, roles)
    before = {name: image.read_bytes() for name, image in images.items()}
    first = playbooks.run("-i", inventory, play).output
    second = playbooks.run("-i", inventory, f"--limit={','.join(again)}", play).output if again else ""
    return Fitted(images, before, first, second)


def write_play(folder: Path, roles: Sequence[str]) -> Path:
    """Write a play of roles that work on images."""
    play = folder / "play.yml"
    tasks = [{"ansible.builtin.import_role": {"name": f"voc.cluster.{role}"}} for role in roles]
    block = {"delegate_to": "localhost", "block": tasks}
    play.write_text(json.dumps([{"hosts": "images", "gather_facts": False, "tasks": [block]}]))
    return play


def make_guest(path: Path, family: Family) -> Path:
    """Make an image of a family's files."""
    root = path.with_suffix(".tree")
    for name, content in family.files.items():
        place = root / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir(exist_ok=True)
        elif isinstance(content, tuple):
            place.symlink_to(content[1])
        else:
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return make_ext(path, root, options=_ROOT_OWNER)


def read(image: Path, path: str) -> str:
    """Return a file's content."""
    return tool("debugfs", "-R", f'cat "{path}"', image)


def names(image: Path, path: str) -> set[str]:
    """Return the words of a listing."""
    return set(tool("debugfs", "-R", f'ls -l "{path}"', image).split())


def permissions(image: Path, path: str) -> tuple[str, int, int]:
    """Return a file's mode in octal, and its owner and group."""
    seen = tool("debugfs", "-R", f'stat "{path}"', image)
    mode, user, group = (re.findall(rf"{word}:\s+(\d+)", seen)[0] for word in ("Mode", "User", "Group"))
    return mode, int(user), int(group)
