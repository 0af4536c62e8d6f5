"""Files of the collection that say the same thing twice say the same thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


def _load(path: Path):
    return yaml.safe_load(path.read_text()) if path.exists() else None


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_those_it_documents(role: str) -> None:
    options = _load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {})
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    defaults = _load(ROOT / "roles" / role / "defaults" / "main.yml") or {}
    for name, value in defaults.items():
        assert documented.get(name, "undocumented") == value, name


def test_every_documented_default_of_the_site_is_set() -> None:
    options = _load(ROOT / "roles/site/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    shared = ("site_", "image_")
    documented = {name for name, option in options.items() if "default" in option and name.startswith(shared)}
    assert documented == set(_load(ROOT / "roles/site/defaults/main.yml"))


def test_every_module_that_works_on_an_image_is_in_the_action_group() -> None:
    on_images = [name for name in MODULES if name.startswith("image_")]
    assert _load(ROOT / "meta" / "runtime.yml")["action_groups"]["image"] == on_images


@pytest.mark.parametrize("module", MODULES)
def test_a_module_names_itself_and_documents_its_result(module: str) -> None:
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    assert f"\nmodule: {module}\n" in text
    assert all(f'{part} = r"""' in text for part in ("DOCUMENTATION", "EXAMPLES", "RETURN"))


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("roles/*/tasks/*.yml")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_no_task_shows_a_key_that_it_makes(path: Path) -> None:
    for task in _load(path) or []:
        if "ansible.builtin.password" in str(task):
            assert task.get("no_log") is True, task["name"]
