# SPDX-License-Identifier: BSD-2-Clause
"""followed.py: a process with a page amid its objects that nobody ever fills: whoever reads it waits."""

import ctypes
import fcntl
import gc
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
SYS_userfaultfd = 323
UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00
MADV_DONTNEED = 4
PAGE = 4096

# Not of the kind that the collector visits: the process itself must not touch them again.
gc.disable()
objects = [bytes(400) for _ in range(100000)]


def arm():
    fd = libc.syscall(SYS_userfaultfd, os.O_CLOEXEC)
    if fd < 0:
        return os.strerror(ctypes.get_errno())
    os.set_inheritable(fd, False)
    first = id(objects[len(objects) // 2]) // PAGE * PAGE
    fcntl.ioctl(fd, UFFDIO_API, struct.pack("<QQQ", 0xAA, 0, 0))
    fcntl.ioctl(fd, UFFDIO_REGISTER, struct.pack("<QQQQ", first, 16 * PAGE, 1, 0))
    if libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(16 * PAGE), MADV_DONTNEED):
        return os.strerror(ctypes.get_errno())
    return "armed"


print("ready", arm(), flush=True)
sys.stdin.readline()
os._exit(0)
