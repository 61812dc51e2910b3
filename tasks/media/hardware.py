"""What encodes on this machine besides its processor, found out at no cost."""

from __future__ import annotations

import platform
from pathlib import Path

PLACES = (
    ("/proc/driver/nvidia", "version"),
    ("/proc/driver/nvidia/gpus", "*/information"),
    ("/sys/class/drm", "renderD*/device/vendor"),
    ("/sys/class/drm", "renderD*/device/device"),
)
"""Files whose first line names a driver or a chip; below it stand serial numbers and addresses."""


def hardware() -> str:
    """Return system, drivers and chips in one line; what hardware encodes may depend on them."""
    facts = [f"{platform.system()} {platform.machine()}"]
    for place, pattern in PLACES:
        for path in sorted(Path(place).glob(pattern)):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            facts += [" ".join(line.split()) for line in text.splitlines()[:1]]
    if len(facts) == 1:
        # Nothing names a chip on macOS and under WSL: there the system's version stands for it.
        facts.append(platform.mac_ver()[0] or platform.release())
    return "; ".join(facts)


def limit_name(encoder: str) -> str:
    """Return the name of the limit that a family of encoders has on this machine."""
    family = encoder.rpartition("_")[2]
    node = "".join(sign if sign.isalnum() else "-" for sign in platform.node())
    return f"finecut-{family}-{node}"
