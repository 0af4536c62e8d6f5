from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import command_line
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

ROOT = "UUID=0f2c4a6e-0000-4000-8000-000000000001"
FILES: dict[str, bytes | str | tuple[str, str] | None] = {
    "/boot/grub/grub.cfg": "menuentry 'a' {\n  linux /boot/vmlinuz-6.1 root=/dev/vda1 ro\n  initrd /boot/i\n}\n",
    "/boot/grub2/grub.cfg": "\tlinuxefi /vmlinuz-6.1 root=/dev/vda1\n\tlinux16 /vmlinuz-5 net.ifnames=1\n",
    "/boot/grub/menu.lst": "title a\n kernel /boot/xen.gz\n kernel /boot/vmlinuz-2.6 ro\n",
    "/boot/extlinux.conf": "LABEL a\n  LINUX vmlinuz-lts\n  APPEND root=/dev/vda1 initrd=initramfs-lts quiet\n",
    "/boot/loader/entries/a.conf": "title a\noptions $kernelopts\nlinux /vmlinuz\n",
    "/etc/kernel/cmdline": "root=/dev/loop0p2 ro\n",
    "/etc/default/grub": 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="rhgb"\n',
    "/etc/update-extlinux.conf": 'default_kernel_opts="quiet"\nmodules=ext4\nroot=/dev/vda1\n',
}


def test_options_go_wherever_a_kernel_gets_its_own() -> None:
    guest = MemoryTree(FILES)
    plan = Plan(guest)
    command_line.add(plan, ["net.ifnames=0", "quiet"])
    plan.apply()
    assert "linux /boot/vmlinuz-6.1 root=/dev/vda1 ro net.ifnames=0 quiet\n" in guest.text("/boot/grub/grub.cfg")
    assert guest.text("/boot/grub2/grub.cfg") == (
        "\tlinuxefi /vmlinuz-6.1 root=/dev/vda1 net.ifnames=0 quiet\n\tlinux16 /vmlinuz-5 net.ifnames=1 quiet\n"
    )
    assert guest.text("/boot/grub/menu.lst").endswith(
        " kernel /boot/xen.gz\n kernel /boot/vmlinuz-2.6 ro net.ifnames=0 quiet\n"
    )
    assert "initrd=initramfs-lts quiet net.ifnames=0\n" in guest.text("/boot/extlinux.conf")
    assert "\noptions $kernelopts net.ifnames=0 quiet\n" in guest.text("/boot/loader/entries/a.conf")
    assert guest.text("/etc/kernel/cmdline") == "root=/dev/loop0p2 ro net.ifnames=0 quiet\n"
    assert guest.text("/etc/default/grub").endswith(
        'LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="rhgb net.ifnames=0 quiet"\n'
    )
    assert guest.text("/etc/update-extlinux.conf").startswith('default_kernel_opts="quiet net.ifnames=0"\n')
    again = Plan(guest)
    command_line.add(again, ["net.ifnames=0", "quiet"])
    assert again.summary() == []


def test_what_the_guests_tools_will_write_says_what_starts_it_here() -> None:
    guest = MemoryTree(FILES)
    plan = Plan(guest)
    command_line.settle(plan, ROOT, ["console=tty0", "console=ttyS0"])
    plan.apply()
    line = f"root={ROOT} ro console=tty0 console=ttyS0"
    assert guest.text("/boot/loader/entries/a.conf") == f"title a\noptions {line}\nlinux /vmlinuz\n"
    assert guest.text("/etc/kernel/cmdline") == f"{line}\n"
    assert f"  APPEND {line} initrd=initramfs-lts\n" in guest.text("/boot/extlinux.conf")
    assert guest.text("/etc/default/grub") == (
        'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="console=tty0 console=ttyS0"\n'
    )
    assert guest.text("/etc/update-extlinux.conf") == (
        f'default_kernel_opts="console=tty0 console=ttyS0"\nmodules=ext4\nroot={ROOT}\n'
    )
    again = Plan(guest)
    command_line.settle(again, ROOT, ["console=tty0", "console=ttyS0"])
    assert again.summary() == []


def test_a_guest_without_such_files_gets_none() -> None:
    plan = Plan(MemoryTree({"/etc/fstab": ""}))
    command_line.add(plan, ["quiet"])
    command_line.settle(plan, ROOT, ["quiet"])
    assert plan.changes() == []


def sourced(text: str, variable: str) -> str:
    """Return what a file of the guest gives a variable, by a real shell."""
    script = f'. /dev/stdin; printf %s "${variable}"'
    done = subprocess.run(["sh", "-eu", "-c", script], input=text.encode(), capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ('x="y z"', "'x=y z'"),
        ('dyndbg="file a.c +p; module b +p"', "'dyndbg=file a.c +p; module b +p'"),
        ("x=$(reboot)", "'x=$(reboot)'"),
        ("x=`reboot`", "'x=`reboot`'"),
        ("memmap=4G$12G", "'memmap=4G$12G'"),
        ("a=1;reboot", "'a=1;reboot'"),
        ("b={x", "'b={x'"),
        ("ip=10.0.0.1::10.0.0.2:255.0.0.0:h:eth0:off", "ip=10.0.0.1::10.0.0.2:255.0.0.0:h:eth0:off"),
    ],
)
def test_an_option_comes_whole_through_a_shell_and_grubs_script(option: str, word: str) -> None:
    guest = MemoryTree(FILES)
    plan = Plan(guest)
    command_line.settle(plan, ROOT, ["quiet", option])
    plan.apply()
    assert sourced(guest.text("/etc/default/grub"), "GRUB_CMDLINE_LINUX") == f"quiet {word}"
    assert sourced(guest.text("/etc/update-extlinux.conf"), "default_kernel_opts") == f"quiet {option}"
    assert guest.text("/etc/kernel/cmdline") == f"root={ROOT} ro quiet {option}\n"
    again = Plan(guest)
    command_line.settle(again, ROOT, ["quiet", option])
    assert again.summary() == []


@pytest.mark.parametrize("option", ["x='", "x=a\\x41", 'x="y', "x\ny", "x\ty"])
def test_what_grub_would_hand_on_as_something_else_is_refused(option: str) -> None:
    with pytest.raises(InputError, match=r"^kernel_options: GRUB cannot hand .* on to a kernel"):
        command_line.settle(Plan(MemoryTree(FILES)), ROOT, [option])


@pytest.mark.parametrize(
    ("before", "added"),
    [
        (r'"dyndbg=\"file x +p\" quiet"', r'"dyndbg=\"file x +p\" quiet net.ifnames=0"'),
        ("'dyndbg=\"file x +p\"'", "'dyndbg=\"file x +p\" net.ifnames=0'"),
        ("'quiet' # as it was", "'quiet net.ifnames=0' # as it was"),
        ("quiet", '"quiet net.ifnames=0"'),
        ("", '"net.ifnames=0"'),
        ('"a \\\n b"', '"a \\\n b net.ifnames=0"'),
        ('"$OTHER a"', '"$OTHER a net.ifnames=0"'),
        # What is no single word of the shell is nothing to guess at.
        ('"a" b', '"a" b'),
        ('"a', '"a'),
        ("a\\ b", "a\\ b"),
    ],
)
def test_a_value_of_the_shell_is_changed_as_a_whole(before: str, added: str) -> None:
    text = f"A=1\nGRUB_CMDLINE_LINUX={before}\nB=2\n"
    guest = MemoryTree({"/etc/default/grub": text})
    plan = Plan(guest)
    command_line.add(plan, ["net.ifnames=0"])
    plan.apply()
    assert guest.text("/etc/default/grub") == f"A=1\nGRUB_CMDLINE_LINUX={added}\nB=2\n"
    plan = Plan(guest)
    command_line.settle(plan, ROOT, ["quiet", "console=tty0"])
    plan.apply()
    if before != added:
        assert sourced(guest.text("/etc/default/grub"), "A $GRUB_CMDLINE_LINUX $B") == "1 quiet console=tty0 2"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\"\\"), min_size=1), max_size=3
    )
)
def test_any_option_comes_through_a_shell(options: list[str]) -> None:
    guest = MemoryTree(FILES)
    plan = Plan(guest)
    command_line.settle(plan, ROOT, options)
    plan.apply()
    assert sourced(guest.text("/etc/default/grub"), "GRUB_CMDLINE_LINUX") == command_line.for_grub(options)


@given(st.text(), st.sampled_from(sorted(FILES)))
def test_any_text_takes_options_once(text: str, path: str) -> None:
    guest = MemoryTree({**FILES, path: text})
    for _time in range(2):
        plan = Plan(guest)
        command_line.add(plan, ["net.ifnames=0"])
        plan.apply()
    again = Plan(guest)
    command_line.add(again, ["net.ifnames=0"])
    assert again.summary() == []
