"""What a reader left out, and why: nothing is passed over without a count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Skips:
    """Counts by reason."""

    damaged: Counter[str] = field(default_factory=Counter)  # what should have been there
    unused: Counter[str] = field(default_factory=Counter)  # what nobody asked for, or is assumed

    def lines(self) -> list[str]:
        """Say each in a line, damage first, most first."""
        return [
            f"{count} x {reason}"
            for counter in (self.damaged, self.unused)
            for reason, count in counter.most_common()
        ]
