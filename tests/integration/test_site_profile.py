"""What a site says counts, and is checked before anything is done."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.images import make_ext, plant

from .machine import tool
from .playbooks import contextualize

BATCH = {"scheduler": "htcondor", "head": "h.example.org", "domain": "example.org", "vocs": [{"name": "STAR"}]}
ALPINE = {"/etc/os-release": "ID=alpine\n", "/sbin/apk": "", "/etc/apk/world": ""}


def site(**variables: object) -> dict[str, object]:
    return variables


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (site(voc_name="STAR", site_batch={**BATCH, "secrets": "/none"}), "nothing in /none/voc-star.token to join"),
        (site(voc_name="MOON", site_batch={**BATCH, "secrets": "/none"}), "no VOC MOON in site_batch.vocs"),
        (site(voc_name="STAR", voc_pool={"collector": "c d"}), "voc_pool: collector"),
        (site(site_scratch={"path": "scratch"}), "site_scratch: path must be an absolute path"),
        (site(site_filesystems=[{"source": "s", "path": "/x", "type": "cvmfs"}]), "cvmfs"),
    ],
    ids=["token", "voc", "pool", "scratch", "filesystem"],
)
@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check"])
def test_a_wrong_profile_is_refused_first(
    variables: dict[str, object], sentence: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    play = contextualize(tmp_path / "build", tmp_path / "absent.img", *arguments, **variables)
    assert play.status != 0
    assert sentence in play.output
    assert "there is no such file" not in play.output
    assert not (tmp_path / "build").exists()


def test_a_site_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    """Else an image would be fitted to no site at all, if its own host is in another inventory."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"images": {"hosts": {"starworker": {}}}}))
    play = contextualize(tmp_path / "build", "absent.img", "-i", "inventories/quickstrat", "-i", str(hosts))
    assert play.status != 0
    assert "quickstrat" in play.output
    assert "PLAY" not in play.output


def test_the_builder_is_the_inventorys(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.json"
    groups = {
        "images": {"hosts": {"starworker": {"image_builder": "build1"}}},
        "builders": {
            "hosts": {"build1": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
        },
    }
    hosts.write_text(json.dumps(groups))
    play = contextualize(
        tmp_path / "build", tmp_path / "absent.img", "-i", "inventories/quickstart", "-i", str(hosts), "--check"
    )
    assert "fatal: [starworker -> build1]: FAILED!" in play.output
    assert "there is no such file" in play.output


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_packages_are_those_of_the_guests_family_however_it_is_packed(form: str, tmp_path: Path) -> None:
    plain, image = make_ext(tmp_path / "plain", plant(tmp_path / "tree", ALPINE)), tmp_path / "image"
    tool("qemu-img", "convert", "-f", "raw", "-O", form, plain, image)
    lustre = {"source": "mgs@tcp:/scratch", "path": "/lustre", "type": "lustre"}
    play = contextualize(tmp_path / "build", image, site_filesystems=[lustre])
    assert "lustre: no package is known that brings it to a guest with apk" in play.output
    assert not list((tmp_path / "build").rglob("*.*"))
