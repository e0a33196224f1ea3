"""How unlike a picture is to those that the network knows.

The network's embedding is compared with the statistics in its card by the distance of Mahalanobis
(1936). The embedding's components are the principal ones of a calibration and the length of the
rest (`learning.embedding`), which are uncorrelated there, so that standard deviations are all that
is left of the covariance.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.card import Novelty
from edge_pilot.types import Tensor


def novelty(embedding: Tensor, usual: Novelty) -> float:
    """Give the distance of an embedding (E,), where 1 is what the card calls far."""
    away = (np.asarray(embedding, np.float64) - usual.mean) / usual.std
    return math.sqrt(float(np.mean(away * away))) / usual.far
