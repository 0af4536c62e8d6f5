from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import users
from ansible_collections.voc.cluster.plugins.module_utils._guest.groups import ensure_group, remove_group
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.plugins.module_utils._guest.users import User
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

TODAY = 20_000
HASH = "$6$salt$hash"
FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/nonexistent:/sbin/nologin\n+::::::\n",
    "/etc/shadow": "root:$6$r$oot:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
    "/etc/group": "root:x:0:\ndaemon:x:1:\nadm:x:4:\nusers:x:100:\n+:::\n",
    "/etc/gshadow": "root:*::\nadm:*::\nusers:*::\n",
    "/etc/subuid": "old:100000:65536\n",
    "/etc/login.defs": "UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\nHOME_MODE 0750\nPASS_MAX_DAYS 365\n",
    "/etc/default/useradd": "SHELL=/bin/bash\n",
    "/etc/skel/.profile": "umask 022\n",
    "/etc/skel/.config/app": "x",
    "/etc/skel/link": ("->", ".profile"),
}


@pytest.fixture
def guest() -> MemoryTree:
    guest = MemoryTree(dict(FILES))
    for path in ("/etc/shadow", "/etc/gshadow"):
        guest.add(path, FILES[path], Attributes(0o640, 0, 42))
    return guest


def _do(guest: MemoryTree, *wanted: User) -> int:
    plan = Plan(guest)
    for user in wanted:
        users.ensure_user(plan, user, today=TODAY)
    count = len(plan.changes())
    plan.apply()
    return count


def _line(guest: MemoryTree, path: str, name: str) -> str | None:
    return next((line for line in guest.text(path).split("\n") if line.startswith(f"{name}:")), None)


def test_a_new_user_has_all_that_useradd_gives(guest: MemoryTree) -> None:
    user = User("grid", comment="Grid jobs", groups=("adm", "users"), password=HASH)
    assert _do(guest, user)
    assert _line(guest, "/etc/passwd", "grid") == "grid:x:1000:1000:Grid jobs:/home/grid:/bin/bash"
    assert guest.text("/etc/passwd").endswith("\n+::::::\n")
    assert _line(guest, "/etc/shadow", "grid") == f"grid:{HASH}:{TODAY}:0:365:7:::"
    assert _line(guest, "/etc/group", "grid") == "grid:x:1000:"
    assert _line(guest, "/etc/group", "adm") == "adm:x:4:grid"
    assert _line(guest, "/etc/gshadow", "grid") == "grid:!::"
    assert _line(guest, "/etc/gshadow", "users") == "users:*::grid"
    assert _line(guest, "/etc/subuid", "grid") == "grid:165536:65536"
    home, profile = guest.lstat("/home/grid"), guest.lstat("/home/grid/.profile")
    assert home
    assert profile
    assert home.attributes == Attributes(0o750, 1000, 1000)
    assert profile.attributes == Attributes(0o644, 1000, 1000)
    assert guest.text("/home/grid/.config/app") == "x"
    assert guest.readlink("/home/grid/link") == ".profile"
    shadow = guest.lstat("/etc/shadow")
    assert shadow
    assert shadow.attributes == Attributes(0o640, 0, 42)
    assert _do(guest, user) == 0


def test_what_is_not_named_is_kept(guest: MemoryTree) -> None:
    _do(guest, User("grid", password=HASH, shell="/bin/sh", home="/srv/grid"))
    _do(guest, User("grid", comment="new"))
    assert _line(guest, "/etc/passwd", "grid") == "grid:x:1000:1000:new:/srv/grid:/bin/sh"
    assert _line(guest, "/etc/shadow", "grid") == f"grid:{HASH}:{TODAY}:0:365:7:::"
    assert _do(guest, User("daemon", comment="d")) == 1
    assert guest.lstat("/nonexistent") is None


def test_a_password_is_locked_and_unlocked(guest: MemoryTree) -> None:
    lock = User("root", locked=True)
    assert _do(guest, lock) == 1
    assert _line(guest, "/etc/shadow", "root") == f"root:!$6$r$oot:{TODAY}:0:99999:7:::"
    assert _do(guest, lock) == 0
    assert _do(guest, User("root", password="$6$r$oot")) == 0, "the same password stays locked"
    assert _do(guest, User("root", locked=False)) == 1
    assert _line(guest, "/etc/shadow", "root") == f"root:$6$r$oot:{TODAY}:0:99999:7:::"
    _do(guest, User("root", password="!"))
    with pytest.raises(GuestError, match="no password that could be unlocked"):
        _do(guest, User("root", locked=False))


def test_a_password_in_passwd_is_locked_in_shadow(guest: MemoryTree) -> None:
    """It would count, whatever shadow says."""
    guest.add("/etc/passwd", FILES["/etc/passwd"] + f"old:{HASH}:1500:100::/:/bin/sh\nopen::1501:100::/:/bin/sh\n")
    for name, locked in (("old", f"!{HASH}"), ("open", "!")):
        assert _do(guest, User(name, locked=True))
        assert (_line(guest, "/etc/passwd", name) or "").startswith(f"{name}:x:150")
        assert _line(guest, "/etc/shadow", name) == f"{name}:{locked}:{TODAY}:0:365:7:::"
        assert _do(guest, User(name, locked=True)) == 0


def test_groups_replace_others_or_add_to_them(guest: MemoryTree) -> None:
    _do(guest, User("grid", groups=["adm"]))
    _do(guest, User("grid", groups=["users"], append=True))
    assert (_line(guest, "/etc/group", "adm"), _line(guest, "/etc/group", "users")) == (
        "adm:x:4:grid",
        "users:x:100:grid",
    )
    _do(guest, User("grid", groups=["users"]))
    assert (_line(guest, "/etc/group", "adm"), _line(guest, "/etc/gshadow", "adm")) == ("adm:x:4:", "adm:*::")
    _do(guest, User("grid", groups=[]))
    assert _line(guest, "/etc/group", "users") == "users:x:100:"


def test_users_of_the_system_count_down_and_have_no_subordinate_numbers(guest: MemoryTree) -> None:
    _do(guest, User("condor", system=True, home="/var/lib/condor", shell="/sbin/nologin"))
    assert _line(guest, "/etc/passwd", "condor") == "condor:x:999:999::/var/lib/condor:/sbin/nologin"
    assert _line(guest, "/etc/shadow", "condor") == f"condor:!:{TODAY}::::::"
    assert _line(guest, "/etc/subuid", "condor") is None


def test_numbers_that_are_given_are_used(guest: MemoryTree) -> None:
    _do(guest, User("grid", uid=5000, group="users", create_home=False))
    assert _line(guest, "/etc/passwd", "grid") == "grid:x:5000:100::/home/grid:/bin/bash"
    assert _line(guest, "/etc/group", "grid") is None
    assert guest.lstat("/home/grid") is None


def test_a_user_with_another_number_keeps_its_files(guest: MemoryTree) -> None:
    _do(guest, User("grid"))
    guest.add("/home/grid/roots", "x")
    _do(guest, User("grid", uid=2000))
    homes = {path: node for path, node in guest.nodes.items() if path.startswith("/home/grid")}
    owners = {path: entry.attributes.uid for path, (entry, *_rest) in homes.items()}
    assert owners.pop("/home/grid/roots") == 0
    assert owners.pop("/home/grid/link") == 0
    assert set(owners.values()) == {2000}


def test_a_user_goes_with_all_that_is_theirs(guest: MemoryTree) -> None:
    before = {path: guest.text(path) for path in FILES if path.startswith("/etc/") and "skel" not in path}
    _do(guest, User("grid", groups=["adm"]))
    guest.add("/var/mail/grid", "mail")
    plan = Plan(guest)
    users.remove_user(plan, "grid", with_files=True)
    users.remove_user(plan, "none", with_files=True)
    plan.apply()
    assert {path: guest.text(path) for path in before} == before
    assert guest.lstat("/home/grid") is None
    assert guest.lstat("/var/mail/grid") is None


def test_a_home_that_is_somebody_elses_stays(guest: MemoryTree) -> None:
    guest.add("/etc/passwd", FILES["/etc/passwd"] + "evil:x:1001:100::/etc:/bin/sh\nroot2:x:0:0::/root:/bin/sh\n")
    plan = Plan(guest)
    users.remove_user(plan, "evil", with_files=True)
    plan.apply()
    assert guest.lstat("/etc/passwd")
    with pytest.raises(GuestError, match="is root"):
        users.remove_user(plan, "root2", with_files=False)


def test_guests_without_shadow_or_login_defs_have_users_too() -> None:
    guest = MemoryTree({"/etc/passwd": "root::0:0::/root:/bin/sh", "/etc/group": "root:x:0:"})
    user = User("grid", password=HASH, groups=["root"])
    _do(guest, user)
    assert guest.text("/etc/passwd") == f"root::0:0::/root:/bin/sh\ngrid:{HASH}:1000:1000::/home/grid:/bin/sh\n"
    assert guest.text("/etc/group") == "root:x:0:grid\ngrid:x:1000:\n"
    assert _do(guest, user) == 0
    plan = Plan(guest)
    users.ensure_user(plan, User("grid", password="$6$other$hash"), today=TODAY)
    assert HASH not in str(plan.diff())
    assert "other" not in str(plan.diff())


def test_where_login_defs_says_so_there_is_one_group_for_all(guest: MemoryTree) -> None:
    guest.add("/etc/login.defs", "USERGROUPS_ENAB no\n")
    _do(guest, User("grid"))
    assert _line(guest, "/etc/passwd", "grid") == "grid:x:1000:100::/home/grid:/bin/bash"


def test_a_group_is_made_renumbered_and_removed(guest: MemoryTree) -> None:
    plan = Plan(guest)
    assert ensure_group(plan, "grid") == 1000
    users.ensure_user(plan, User("job", group="grid"), today=TODAY)
    assert ensure_group(plan, "grid", 3000) == 3000
    assert ensure_group(plan, "grid") == 3000
    plan.apply()
    assert _line(guest, "/etc/group", "grid") == "grid:x:3000:"
    assert _line(guest, "/etc/passwd", "job") == "job:x:1000:3000::/home/job:/bin/bash"
    with pytest.raises(GuestError, match="primary group of the user job"):
        remove_group(plan, "grid")
    with pytest.raises(InputError, match="the number 4 is that of the group adm"):
        ensure_group(plan, "grid", 4)
    remove_group(plan, "adm")
    remove_group(plan, "none")
    plan.apply()
    assert _line(guest, "/etc/group", "adm") is None
    assert _line(guest, "/etc/gshadow", "adm") is None


@pytest.mark.parametrize(
    ("user", "message"),
    [
        (User("a b"), "cannot be the name"),
        (User("grid", uid=0), "the number 0 is that of the user root"),
        (User("grid", uid=-1), "not the number of a user"),
        (User("grid", uid=0xFFFFFFFF), "not the number of a user"),
        (User("grid", group="none"), "the guest has no group none"),
        (User("grid", groups=["none"]), "the guest has no group none"),
        (User("grid", comment="a:b"), "cannot be written"),
        (User("grid", shell="/bin/sh\nroot2::0:0::/:/bin/sh"), "cannot be written"),
        (User("grid", password="secret word"), "the password is not a hash"),
        (User("grid", password=""), "an empty password"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_no_password_told(guest: MemoryTree, user: User, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        _do(guest, user)
    assert "secret" not in str(caught.value)


@given(st.dictionaries(st.sampled_from(sorted(FILES)[:6]), st.text(st.sampled_from("a:x+-#09,\n\udc80"), max_size=60)))
def test_hostile_databases_give_a_user_or_one_sentence(files: dict[str, str]) -> None:
    guest = MemoryTree({**FILES, **files})
    try:
        _do(guest, User("grid", groups=["adm"], append=True))
    except ImageError:
        return
    assert _line(guest, "/etc/passwd", "grid")
    assert _do(guest, User("grid", groups=["adm"], append=True)) == 0
