"""A training that was interrupted goes on where its last epoch ended, as if it had not been.

All is in one safetensors file: weights, the optimiser's memory, and the states of both random
generators; numbers are JSON in its metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from edge_pilot import files

State = dict[str, Tensor]


@dataclass
class Progress:
    """What a training has come to; it changes as the training goes on."""

    epoch: int = 0  # done
    loss: float = float("nan")  # of the last epoch
    best: float = float("inf")  # judgement, lower is better
    best_epoch: int = 0


class Checkpoint:
    """The file of one training; `name` says which, so that another does not go on with it."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self._name = path, name

    def save(
        self,
        progress: Progress,
        states: dict[str, State],
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        generator: torch.Generator,
    ) -> None:
        """Write all that is needed to go on; `states` are weights by what they are.

        Raises:
            OSError: it cannot be written.
        """
        memory = optimiser.state_dict()
        tensors = {f"{what}/{name}": t for what, s in states.items() for name, t in s.items()}
        for index, values in memory["state"].items():
            tensors |= {f"memory/{index}/{name}": value for name, value in values.items()}
        tensors["random/order"] = generator.get_state()
        tensors["random/global"] = torch.get_rng_state()
        numbers = {
            "progress": progress.__dict__,
            "groups": memory["param_groups"],
            "schedule": {k: v for k, v in schedule.state_dict().items() if _is_plain(v)},
        }
        metadata = {"name": self._name, "numbers": json.dumps(numbers)}
        whole = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        files.replace(self.path, save(whole, metadata))

    def load(
        self,
        states: dict[str, State],
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        generator: torch.Generator,
    ) -> Progress | None:
        """Restore all in place; None where there is no checkpoint of this training."""
        found = self._read()
        if found is None:
            return None
        tensors, numbers = found
        for what, state in states.items():
            for name, value in state.items():
                value.copy_(tensors[f"{what}/{name}"])
        memory: dict[int, State] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "memory":
                index, _, field = rest.partition("/")
                memory.setdefault(int(index), {})[field] = value
        optimiser.load_state_dict({"state": memory, "param_groups": numbers["groups"]})
        schedule.load_state_dict(numbers["schedule"])
        generator.set_state(tensors["random/order"])
        torch.set_rng_state(tensors["random/global"])
        return Progress(**numbers["progress"])

    def _read(self) -> tuple[State, dict[str, Any]] | None:
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("name") != self._name:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads(metadata["numbers"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def remove(self) -> None:
        """Forget it: the training is over."""
        self.path.unlink(missing_ok=True)


def copied(model: nn.Module) -> State:
    """Give a copy of the weights."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _is_plain(value: object) -> bool:
    return isinstance(value, (int, float, bool, str, list))
