"""What a slot's process asks of Python and of the C library, since its turns are all alike."""

import ctypes
import gc

import pyarrow as pa

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 512 * 1024 * 1024


def spare_the_collector() -> None:
    """Keep what is imported out of garbage collection, and collect once for many messages.

    A turn makes thousands of short-lived objects in no cycle; by default each 700 of them start a
    collection, which took a tenth of a slot's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


def keep_freed_memory() -> None:
    """Use the memory of one turn's columns again for the next turn's.

    By default each large array is mapped anew, and the kernel clears its pages: a fifteenth of a
    slot's time. Where the C library is not glibc nothing changes.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        pa.set_memory_pool(pa.system_memory_pool())
