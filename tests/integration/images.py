"""Plays that run inside images, on builders that are reached in different ways."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import playbooks
from .playbooks import Play

ROLES = Path(__file__).with_name("roles")

_OPEN = """
- hosts: images
  gather_facts: false
  tasks:
    - voc.cluster.image_session:
        image: "{{ image_work }}"
      delegate_to: "{{ image_builder }}"
      register: opened
    - debug:
        msg: "the Python of the {{ opened.python }}"
"""
_CLOSE = """
- hosts: images
  gather_facts: false
  tasks:
    - voc.cluster.image_session:
        image: "{{ image_work }}"
        state: absent
      delegate_to: "{{ image_builder }}"
"""


@dataclass(frozen=True)
class Site:
    """An inventory with one image, called star, and its builder.

    Attributes:
        folder: for all that plays need.
        builder: the variables of the builder.
    """

    folder: Path
    image: Path
    builder: Mapping[str, object]

    @property
    def remote(self) -> Path:
        """Where modules lie while they run."""
        return self.folder / "remote"

    @property
    def inventory(self) -> Path:
        """Write the inventory and return it."""
        path = self.folder / "hosts.json"
        image = {"image_work": str(self.image), "image_builder": "build", "ansible_connection": "voc.cluster.image"}
        builder = {"ansible_python_interpreter": sys.executable, **self.builder}
        children = {"images": {"hosts": {"star": image}}, "builders": {"hosts": {"build": builder}}}
        path.write_text(json.dumps({"all": {"children": children}}))
        return path

    def arguments(self, play: str, **variables: object) -> list[str | Path]:
        """Return what ansible-playbook is given to run a play."""
        path = self.folder / "play.yml"
        path.write_text(play)
        return [path, "-i", self.inventory, "--extra-vars", json.dumps(variables)]

    @property
    def environment(self) -> dict[str, str]:
        """What Ansible is started with."""
        return {
            **playbooks.environment(),
            "ANSIBLE_ROLES_PATH": str(ROLES),
            "ANSIBLE_REMOTE_TMP": str(self.remote),
        }

    def run(self, play: str, *, session: bool = True, **variables: object) -> Play:
        """Run a play, with a session of the image around it."""
        whole = f"{_OPEN}{play}{_CLOSE}" if session else play
        return playbooks.run(*self.arguments(whole, **variables), env=self.environment)
