from __future__ import annotations

import os

from ansible_collections.voc.cluster.plugins.module_utils._seccomp import write_filter

INSTRUCTION = 8  # bytes, of struct sock_filter (linux/filter.h)


def test_the_filter_is_a_program_of_the_kernels() -> None:
    descriptor = os.memfd_create("filter")
    try:
        write_filter(descriptor)
        written = os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)
    assert written % INSTRUCTION == 0
    assert 50 < written // INSTRUCTION <= 4096  # BPF_MAXINSNS
