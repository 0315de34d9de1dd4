"""What the figures were taken on and with."""

import os
import platform
import re
import subprocess


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _first_line(*argv):
    try:
        out = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return out.splitlines()[0] if out else ""


def file_system_of(directory):
    """Type of the file system that a directory lies on, from the longest mount point that fits."""
    directory = os.path.realpath(directory)
    best, kind = "", "unknown"
    for line in _read("/proc/mounts").splitlines():
        fields = line.split()
        if (
            len(fields) > 2
            and len(fields[1]) >= len(best)
            and (directory + "/").startswith(fields[1].rstrip("/") + "/")
        ):
            best, kind = fields[1], fields[2]
    return kind


def flags_of(programs):
    """What a build in CMake's directory above `programs` was compiled with."""
    cache = _read(os.path.join(programs, "../CMakeCache.txt"))
    flags = re.search(r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$", cache, re.MULTILINE)
    whole = re.search(r"^CMAKE_INTERPROCEDURAL_OPTIMIZATION:\w+=ON$", cache, re.MULTILINE)
    if not flags:
        return ""
    return flags.group(1) + (", link-time optimization" if whole else ", no link-time optimization")


def is_busy(load):
    """Whether other work takes so much of the machine that figures would be of that, too."""
    return load > 0.5


def described(scratch, root, programs):
    model = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    name = re.search(r'PRETTY_NAME="(.*)"', _read("/etc/os-release"))
    return {
        "processors": f"{os.cpu_count()}, {model.group(1) if model else platform.machine()}",
        "memory": f"{int(memory.group(1)) / 1048576:.0f} GiB" if memory else "unknown",
        "system": f"{name.group(1) if name else platform.system()}, Linux {platform.release()}",
        "file system": file_system_of(scratch),
        "compiler": ", ".join(filter(None, (_first_line("g++", "--version"), flags_of(programs)))),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
        "commit": _first_line("git", "-C", root, "describe", "--always", "--dirty"),
    }
