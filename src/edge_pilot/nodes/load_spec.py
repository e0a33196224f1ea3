"""What `nodes.load` is asked for and what it says, for who starts it. No ROS."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """What to publish, for whom, and until when."""

    pictures: str  # a .npy file of (N, H, W, 3), blue first as most drivers send them
    is_jpeg: bool
    rate_hz: float
    frames: int  # that count; 0: the first answer is all that matters
    pid: int  # of the process that answers
    warm_answers: int = 20  # before those ...
    patience_s: float = 10.0  # ... where they come within this
    rest_s: float = 0.0  # afterwards, with the IMU alone
    sample_every: int = 0  # frames between two looks at the memory; 0: one at the end


@dataclass
class Heard:
    """What was published, and what came back of it."""

    published: int = 0
    latencies_ms: list[float] = field(default_factory=list)  # of the answered frames
    superseded: int = 0  # as the pilot says; the others answer all that they get
    lost: int = 0  # by the publication's sequence numbers, likewise
    first_answer_ns: int = 0  # since the epoch, warm-up included
    cpu_ms: float = 0.0  # for each frame
    imu_cpu_ms: float = 0.0  # the part of it that the IMU alone costs
    memory_mb: list[float] = field(default_factory=list)
    stages_ms: dict[str, float] = field(default_factory=dict)  # medians, as the pilot says
