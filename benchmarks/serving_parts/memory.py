"""Part (c): 1,000 adapters on disk, 64 slots in memory, against the base alone."""

from pathlib import Path

from .asking import open_generator
from .deltas import name_of
from .findings import Finding
from .making import Made, Scheme
from .merged_models import merged_models
from .pool import write_pool
from .servers import Memory, folder_mb, merged_command, serve_command, started
from .throughput import empty_memory
from .workloads import Workload

ON_DISK_MB, IN_MEMORY_MB = 700, 60


def measure(
    made: Made, *, scheme: Scheme, adapters: int, slots: int, threads: int, scratch: Path
) -> tuple[str, list[Finding]]:
    """Markdown of both, and the findings."""
    set_folder = made.set(scheme, adapters)
    base_mb, set_mb = folder_mb(set_folder / "base"), folder_mb(set_folder)
    workload = Workload("uniform", (4, 48), adapters)
    many = write_pool(scratch / "many.jsonl", workload.requests(made.words(), count=4 * slots))
    one = write_pool(scratch / "one.jsonl", Workload("uniform", (4, 48), 1).requests(made.words(), count=4 * slots))
    with_set, used = memory_of_set(set_folder, many, slots=slots, threads=threads, calls=4 * slots)
    base = memory_of_base(merged_models(made, scheme, 1), one, threads=threads, calls=4 * slots)
    empty = empty_memory(merged_models(made, scheme, 1), threads=threads)
    lines = [
        "| | MB |", "|---|---|",
        f"| the base on disk | {base_mb:.1f} |",
        f"| the set on disk, {adapters} adapters | {set_mb:.1f} |",
        f"| an adapter on disk | {(set_mb - base_mb) / adapters:.3f} |",
        f"| server, {used} of {slots} slots used: RSS, PSS | {with_set.rss_mb:.1f}, {with_set.pss_mb:.1f} |",
        f"| the same server with the base alone: RSS, PSS | {base.rss_mb:.1f}, {base.pss_mb:.1f} |",
        f"| the same server without a model: RSS, PSS | {empty.rss_mb:.1f}, {empty.pss_mb:.1f} |",
    ]  # fmt: skip
    more_on_disk, more = set_mb - base_mb, with_set.rss_mb - base.rss_mb
    return "\n".join(lines), [
        Finding(
            f"{adapters} adapters on disk ({scheme})", f"base + {more_on_disk:.0f} MB", f"≤ base + {ON_DISK_MB} MB",
            more_on_disk <= ON_DISK_MB,
        ),
        Finding(
            f"{slots} slots in memory ({scheme}), RSS", f"base + {more:.1f} MB", f"≤ base + {IN_MEMORY_MB} MB",
            more <= IN_MEMORY_MB,
        ),
    ]  # fmt: skip


def memory_of_set(
    set_folder: Path, pool: Path, *, slots: int, threads: int, calls: int
) -> tuple[Memory, int]:  # fmt: skip
    """Once more adapters have answered than there are slots; and how many of these are used."""
    command = serve_command(set_folder, threads=threads, slots=slots)
    with started("the set", command, threads=threads) as server, open_generator() as generator:
        generator.one_by_one(server, pool, calls=calls, first=0)
        return server.memory(), server.metric("compress_slots_used")


def memory_of_base(folder: Path, pool: Path, *, threads: int, calls: int) -> Memory:
    """One plain session behind the same server, after the same number of calls."""
    command = merged_command(folder, [name_of(0)], threads=threads)
    with started("the base", command, threads=threads) as server, open_generator() as generator:
        generator.one_by_one(server, pool, calls=calls, first=0)
        return server.memory()
