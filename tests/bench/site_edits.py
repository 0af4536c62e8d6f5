"""What a site changes in an image, said to three tools: 25 edits."""

from __future__ import annotations

from dataclasses import dataclass

Words = dict[str, object]


@dataclass(frozen=True)
class Edit:
    """One edit, in three languages.

    Attributes:
        ours: as image_edit takes it.
        task: as a task of an ordinary play does it.
        options: as virt-customize takes it.
    """

    ours: Words
    task: Words
    options: tuple[str, ...]


def _file(path: str, content: str) -> Edit:
    return Edit(
        {"file": {"path": path, "content": content}},
        {"ansible.builtin.copy": {"dest": path, "content": content, "mode": "0644"}},
        ("--write", f"{path}:{content}"),
    )


def _directory(path: str) -> Edit:
    return Edit(
        {"directory": {"path": path, "mode": "0755"}},
        {"ansible.builtin.file": {"path": path, "state": "directory", "mode": "0755"}},
        ("--mkdir", path),
    )


def _symlink(path: str, target: str) -> Edit:
    return Edit(
        {"symlink": {"path": path, "target": target}},
        {"ansible.builtin.file": {"path": path, "state": "link", "src": target}},
        ("--link", f"{target}:{path}"),
    )


def _absent(path: str) -> Edit:
    return Edit(
        {"absent": {"path": path}},
        {"ansible.builtin.file": {"path": path, "state": "absent"}},
        ("--delete", path),
    )


def _line(path: str, line: str) -> Edit:
    return Edit(
        {"line": {"path": path, "line": line, "create": True}},
        {"ansible.builtin.lineinfile": {"path": path, "line": line, "create": True, "mode": "0644"}},
        ("--append-line", f"{path}:{line}"),
    )


def _fstab(source: str, path: str) -> Edit:
    options = ["ro", "_netdev", "nofail"]
    return Edit(
        {"fstab": {"source": source, "path": path, "type": "nfs", "options": options}},
        {
            "ansible.posix.mount": {
                "src": source,
                "path": path,
                "fstype": "nfs",
                "opts": ",".join(options),
                "state": "present",
            }
        },
        ("--append-line", f"/etc/fstab:{source} {path} nfs {','.join(options)} 0 0"),
    )


def _block(path: str, *lines: str, ours: Words) -> Edit:
    return Edit(
        ours,
        {"ansible.builtin.blockinfile": {"path": path, "block": "\n".join(lines), "create": True, "mode": "0644"}},
        tuple(word for line in lines for word in ("--append-line", f"{path}:{line}")),
    )


EDITS = (
    _fstab("nfs1:/grid/app", "/grid/app"),
    _fstab("nfs1:/grid/data", "/grid/data"),
    _block(
        "/etc/environment",
        "OSG_APP=/grid/app",
        "OSG_DATA=/grid/data",
        ours={"environment": {"OSG_APP": "/grid/app", "OSG_DATA": "/grid/data"}},
    ),
    Edit(
        {"hosts": {"address": "10.0.0.1", "names": ["head.example.org", "head"]}},
        {
            "ansible.builtin.lineinfile": {
                "path": "/etc/hosts",
                "regexp": r"^10\.0\.0\.1\s",
                "line": "10.0.0.1 head.example.org head",
                "create": True,
                "mode": "0644",
            }
        },
        ("--append-line", "/etc/hosts:10.0.0.1 head.example.org head"),
    ),
    *(_file(f"/etc/voc-{number}.conf", f"setting = {number}\n" * 20) for number in range(5)),
    *(_directory(path) for path in ("/scratch", "/grid", "/srv/voc")),
    _symlink("/etc/voc.conf", "voc-1.conf"),
    _symlink("/srv/grid", "/grid"),
    _absent("/etc/motd"),
    _absent("/var/cache/apt"),
    _line("/etc/bash.bashrc", "umask 022"),
    _line("/etc/security/limits.conf", "* hard core 0"),
    _block(
        "/etc/profile",
        "export VOC=1",
        "export SITE=here",
        ours={"block": {"path": "/etc/profile", "block": "export VOC=1\nexport SITE=here"}},
    ),
    Edit(
        {"replace": {"path": "/etc/login.defs", "regexp": "^UMASK.*$", "replace": "UMASK 077"}},
        {"ansible.builtin.replace": {"path": "/etc/login.defs", "regexp": "^UMASK.*$", "replace": "UMASK 077"}},
        ("--edit", "/etc/login.defs:s/^UMASK.*$/UMASK 077/"),
    ),
    Edit(
        {"ini": {"path": "/etc/voc.ini", "section": "site", "option": "name", "value": "here"}},
        {
            "community.general.ini_file": {
                "path": "/etc/voc.ini",
                "section": "site",
                "option": "name",
                "value": "here",
                "mode": "0644",
            }
        },
        ("--write", "/etc/voc.ini:[site]\nname = here\n"),
    ),
    Edit(
        {"sysctl": {"name": "vm.swappiness", "value": "10"}},
        {
            "ansible.posix.sysctl": {
                "name": "vm.swappiness",
                "value": "10",
                "sysctl_file": "/etc/sysctl.d/99-voc.conf",
                "reload": False,  # the kernel that runs is this machine's
            }
        },
        ("--write", "/etc/sysctl.d/99-voc.conf:vm.swappiness = 10\n"),
    ),
    Edit(
        {"kernel_module": {"name": "nfs", "load": True}},
        # community.general.modprobe would load it into this machine's kernel.
        {"ansible.builtin.copy": {"dest": "/etc/modules-load.d/nfs.conf", "content": "nfs\n", "mode": "0644"}},
        ("--write", "/etc/modules-load.d/nfs.conf:nfs\n"),
    ),
    Edit(
        {"group": {"name": "voc", "gid": 7000}},
        {"ansible.builtin.group": {"name": "voc", "gid": 7000}},
        ("--run-command", "groupadd -g 7000 voc"),
    ),
    Edit(
        {"user": {"name": "voc", "uid": 7000, "group": "voc"}},
        {"ansible.builtin.user": {"name": "voc", "uid": 7000, "group": "voc"}},
        ("--run-command", "useradd -m -u 7000 -g voc voc"),
    ),
)
