from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import fstab
from ansible_collections.voc.cluster.plugins.module_utils._guest.fstab import FstabEntry

TEXT = """\
# a comment\x0cwith a form feed
UUID=1  /       ext4  rw,noatime  0 1
/dev/sdb1 /data ext4
proc\t/proc\tproc defaults 0 0
/dev/sda2 none swap sw 0 0
"""
ROOT = FstabEntry("UUID=9", "/", "ext4", ("errors=remount-ro",), check=1)
NFS = FstabEntry("nfs1:/grid/app", "/grid/app", "nfs", ("ro", "_netdev"))


def test_entries_are_read_with_their_defaults() -> None:
    entries = {entry.path: entry for entry in fstab.parse(TEXT)}
    assert entries["/"] == FstabEntry("UUID=1", "/", "ext4", ("rw", "noatime"), 0, 1)
    assert entries["/data"] == FstabEntry("/dev/sdb1", "/data", "ext4")
    assert sorted(entries) == ["/", "/data", "/proc", "none"]


def test_a_new_entry_comes_last_and_all_else_stays() -> None:
    changed = fstab.with_entry(TEXT, NFS)
    assert changed == f"{TEXT}nfs1:/grid/app /grid/app nfs ro,_netdev 0 0\n"
    assert fstab.with_entry(changed, NFS) == changed
    assert fstab.without_entry(changed, "/grid/app") == TEXT


def test_an_entry_replaces_the_one_for_its_path() -> None:
    changed = fstab.with_entry(TEXT, FstabEntry("LABEL=data", "/data", "xfs"))
    assert changed == TEXT.replace("/dev/sdb1 /data ext4", "LABEL=data /data xfs defaults 0 0")


def test_several_entries_for_one_path_become_one() -> None:
    text = "a /x ext4\nb /x/ ext4\n"
    assert fstab.with_entry(text, FstabEntry("c", "/x", "ext4")) == "c /x ext4 defaults 0 0\n"


def test_swap_areas_are_told_apart_by_their_source() -> None:
    other = FstabEntry("/dev/sdc1", "none", "swap", ("sw",))
    assert [entry.source for entry in fstab.parse(fstab.with_entry(TEXT, other)) if entry.path == "none"] == [
        "/dev/sda2",
        "/dev/sdc1",
    ]


def test_a_last_line_without_an_end_is_kept_apart() -> None:
    assert fstab.with_entry("proc /proc proc", NFS).splitlines()[0] == "proc /proc proc"


def test_entries_for_absent_devices_become_comments_and_the_root_keeps_its_options() -> None:
    text, switched_off = fstab.adapt(TEXT, ROOT)
    assert switched_off == ["/data", "/dev/sda2"]
    assert [entry.path for entry in fstab.parse(text)] == ["/", "/proc"]
    assert fstab.parse(text)[0] == FstabEntry("UUID=9", "/", "ext4", ("rw", "noatime"), 0, 1)
    assert "no such device in this image: /dev/sdb1 /data ext4\n" in text
    assert fstab.adapt(text, ROOT) == (text, [])


@pytest.mark.parametrize("options", ["noauto", "nofail", "ro,nofail,noatime"])
def test_entries_that_may_be_absent_stay(options: str) -> None:
    text = f"LABEL=x /x ext4 {options} 0 2\n"
    assert fstab.adapt(text, ROOT)[0].startswith(text)


def test_entries_for_what_is_on_the_disk_stay() -> None:
    text = 'UUID="5-6" /boot/efi vfat\nUUID=7 none swap\nPARTUUID=AB-01 /data ext4\nLABEL=gone /gone ext4\n'
    there = {"UUID=5-6", "UUID=7", "PARTUUID=ab-01"}
    adapted, switched_off = fstab.adapt(text, ROOT, there)
    assert switched_off == ["/gone"]
    assert adapted.startswith(text.rpartition("LABEL=gone")[0])


def test_an_empty_fstab_gets_the_root() -> None:
    assert fstab.adapt("", ROOT) == ("UUID=9 / ext4 errors=remount-ro 0 1\n", [])


@pytest.mark.parametrize("word", ["", "a\nb", "a\0b"])
def test_a_word_that_no_line_can_hold_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="cannot be written to fstab"):
        str(FstabEntry(word, "/x", "ext4").line)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1, max_size=20)
OPTIONS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n,"), min_size=1), min_size=1, max_size=3
)


@given(WORDS, WORDS, WORDS, OPTIONS, st.integers(0, 9), st.integers(0, 9))
def test_any_entry_comes_back_as_it_was_written(
    source: str, path: str, kind: str, options: list[str], dump: int, check: int
) -> None:
    entry = FstabEntry(source, f"/{path}".rstrip("/") or "/", kind, tuple(options), dump, check)
    assert fstab.parse(f"{entry.line}\n") == [entry]


LINES = st.text(st.sampled_from("a/#\\04\t \x0b\x0c\r\x1c\x85\u2028\xa0²٣,=") | st.characters(codec="utf-8"))


@given(st.lists(LINES.filter(lambda line: "\n" not in line), max_size=5))
def test_any_text_keeps_its_other_lines(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    kept = fstab.with_entry(text, NFS)
    assert fstab.without_entry(kept, NFS.path) == fstab.without_entry(text, NFS.path)
    adapted, _switched_off = fstab.adapt(text, ROOT)
    assert [entry.path for entry in fstab.parse(adapted)].count("/") == 1
    assert fstab.adapt(adapted, ROOT) == (adapted, [])
