"""What the system leaves, read from folders that look like /proc and /sys."""

from __future__ import annotations

from pathlib import Path

from sage_select.io.guards.memory import Limit, limits

MIB = 1 << 20


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def proc(root: Path, groups: str, addresses: str = "unlimited") -> None:
    put(root, "proc/meminfo", "MemTotal: 9999999 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n")
    put(root, "proc/self/status", "VmPeak: 99 kB\nVmRSS:\t 1024 kB\n")
    put(
        root,
        "proc/self/limits",
        f"Limit  Soft Limit  Hard Limit\nMax address space   {addresses}   unlimited   bytes\n",
    )
    put(root, "proc/self/cgroup", groups)


def test_nothing_can_be_read(tmp_path: Path) -> None:
    assert limits(tmp_path) == []


def test_memory_of_this_process_will_be_free(tmp_path: Path) -> None:
    proc(tmp_path, "0::/\n")
    assert limits(tmp_path) == [Limit("MemAvailable", 3 * MIB)]


def test_control_groups_of_version_2(tmp_path: Path) -> None:
    proc(tmp_path, "0::/slice/job\n")
    job, parent = "sys/fs/cgroup/slice/job", "sys/fs/cgroup/slice"
    put(tmp_path, f"{job}/memory.max", f"{50 * MIB}\n")
    put(tmp_path, f"{job}/memory.current", f"{20 * MIB}\n")
    put(tmp_path, f"{job}/memory.stat", f"anon 5\ninactive_file {8 * MIB}\n")
    put(tmp_path, f"{parent}/memory.max", "max\n")
    assert limits(tmp_path)[1:] == [Limit("the limit of control group /slice/job", 39 * MIB)]
    put(tmp_path, f"{parent}/memory.max", f"{30 * MIB}\n")
    put(tmp_path, f"{parent}/memory.current", f"{40 * MIB}\n")
    assert limits(tmp_path)[2:] == [Limit("the limit of control group /slice", 1 * MIB)]


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    proc(tmp_path, "5:cpu,memory:/outside/of/container\n4:cpu:/x\n0::/\n")
    top = "sys/fs/cgroup/memory"
    put(tmp_path, f"{top}/memory.limit_in_bytes", f"{64 * MIB}\n")
    put(tmp_path, f"{top}/memory.usage_in_bytes", f"{10 * MIB}\n")
    assert limits(tmp_path)[1:] == [Limit("the limit of control group /", 55 * MIB)]
    put(tmp_path, f"{top}/memory.limit_in_bytes", "9223372036854771712\n")
    assert limits(tmp_path)[1:] == []


def test_address_space(tmp_path: Path) -> None:
    proc(tmp_path, "", addresses=str(77 * MIB))
    assert limits(tmp_path)[1] == Limit("RLIMIT_AS", 77 * MIB, of_addresses=True)
