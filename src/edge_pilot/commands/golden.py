"""`edge_pilot golden`: the pictures on which every engine has to give the CPU's answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from edge_pilot import files
from edge_pilot.config import CameraConfig
from edge_pilot.errors import ConfigError
from edge_pilot.inference import golden
from edge_pilot.sim import pictures

EXAMPLES = ("edge_pilot golden --out models/golden.jpg",)
SEEDS = (900, 901, 902)  # of roads, each in another light
PLACES_M = (60.0, 180.0)
JPEG_QUALITY = 92


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="a .jpg file")


def run(args: argparse.Namespace) -> int:
    """Write the pictures, one below the other."""
    if args.out.suffix != ".jpg":
        raise ConfigError(f"expected --out to name a .jpg file, got {args.out}")
    height, width = golden.SHAPE[:2]
    camera = CameraConfig(width_px=width, height_px=height)
    taken = list(pictures.take(camera, SEEDS, PLACES_M))
    bgr = np.concatenate(taken)[..., ::-1]
    file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    try:
        files.replace(args.out, file.tobytes())
    except OSError as error:
        raise ConfigError(f"expected to write {args.out}, got: {error.strerror}") from None
    sys.stdout.write(f"{args.out}: {len(taken)} pictures\n")
    return 0
