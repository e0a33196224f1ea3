"""Small logs of other kinds, made on the spot, also dirty ones."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 64, 48
START_MS = 1_652_239_266_525


def jpeg(shift: int, width: int = WIDTH) -> bytes:
    """Give a textured picture that has moved to the right."""
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, 1024), np.uint8), (0, 0), 2.0)
    view = np.roll(wide, shift, axis=1)[:, 300 : 300 + width]
    return cv2.imencode(".jpg", cv2.cvtColor(view, cv2.COLOR_GRAY2BGR))[1].tobytes()


def angles(count: int) -> list[float]:
    """Give a steering that swings, positive right as Donkeycar has it."""
    return [round(0.6 * float(np.sin(i / 9.0)), 3) for i in range(count)]


def shifts(count: int) -> list[int]:
    """Give where the picture is: to the left turns the scene to the right."""
    return np.cumsum([round(-8 * angle) for angle in angles(count)]).tolist()


def tub(folder: Path, count: int = 200, sign: float = 1.0) -> Path:
    """Write a Donkeycar tub."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for i, (angle, shift) in enumerate(zip(angles(count), shifts(count), strict=True)):
        (folder / "images" / f"{i}.jpg").write_bytes(jpeg(shift))
        lines.append(json.dumps({
            "_index": i, "_timestamp_ms": START_MS + 50 * i, "cam/image_array": f"{i}.jpg",
            "user/angle": sign * angle, "user/throttle": 0.4,
        }))  # fmt: skip
    (folder / "catalog_0.catalog").write_text("\n".join(lines) + "\n")
    manifest = {"paths": ["catalog_0.catalog"], "deleted_indexes": []}
    (folder / "manifest.json").write_text("[]\n[]\n{}\n{}\n" + json.dumps(manifest) + "\n")
    return folder


def dirty_tub(folder: Path, count: int = 40) -> Path:
    """Write a tub whose recorder lost its power: one fault of each kind."""
    tub(folder, count)
    catalog = folder / "catalog_0.catalog"
    lines = catalog.read_text().splitlines()
    lines[3] = lines[3][:40]
    lines[5] = "[1, 2]"
    lines[7] = lines[7].replace('"user/angle"', '"angle"')
    catalog.write_text("\n".join(lines) + "\n" + "\0" * 64)
    (folder / "images" / "10.jpg").write_bytes(b"")
    (folder / "images" / "12.jpg").write_bytes(jpeg(0)[:-20])
    (folder / "images" / "14.jpg").unlink()
    manifest = {"paths": ["catalog_0.catalog", "catalog_1.catalog"], "deleted_indexes": [20, 21]}
    (folder / "manifest.json").write_text("[]\n" + json.dumps(manifest))
    return folder


def udacity(folder: Path, count: int = 30) -> Path:
    """Write a log of Udacity's simulator, with Windows' paths and blanks after commas."""
    (folder / "IMG").mkdir(parents=True)
    lines = []
    for i, (angle, shift) in enumerate(zip(angles(count), shifts(count), strict=True)):
        stamp = f"2020_05_09_22_16_{i // 10:02d}_{100 * (i % 10):03d}"
        names = [rf"C:\Users\me\IMG\{side}_{stamp}.jpg" for side in ("center", "left", "right")]
        (folder / "IMG" / f"center_{stamp}.jpg").write_bytes(jpeg(shift))
        lines.append(", ".join([*names, f"{angle}", "0.5", "0", "22.369"]))
    lines.insert(4, "no, row")
    (folder / "driving_log.csv").write_text("\n".join(lines) + "\n")
    return folder


def kitti(folder: Path, count: int = 10) -> Path:
    """Write a drive of KITTI's raw data."""
    for name in ("oxts", "image_02"):
        (folder / name / "data").mkdir(parents=True)
        stamps = [f"2011-09-26 13:02:{25 + i // 10}.{(i % 10)}00000000" for i in range(count)]
        (folder / name / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    for i in range(count):
        row = [49.0, 8.4, 112.0, 0, 0, 0, 0, 0, 10.0, 0, 0, *[0.0] * 3, 0.1, 0.2, 9.8, *[0.0] * 3,
               0.01, 0.02, 0.3, 0, 0, 4, 10, 4, 4, 0]  # fmt: skip
        (folder / "oxts" / "data" / f"{i:010d}.txt").write_text(" ".join(map(str, row)))
        (folder / "image_02" / "data" / f"{i:010d}.png").write_bytes(
            cv2.imencode(".png", np.full((8, 8, 3), i, np.uint8))[1].tobytes()
        )
    return folder


def carla(path: Path, count: int = 5) -> Path:
    """Write a recording of CARLA's recorder with a hero who drives along y at 10 m/s."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value)) + value.encode()

    def packet(kind: int, content: bytes) -> bytes:
        return struct.pack("<BI", kind, len(content)) + content

    out = struct.pack("<H", 1) + text("CARLA_RECORDER") + struct.pack("<q", 0) + text("Town01")
    birth = struct.pack("<IB6fI", 7, 1, *[0.0] * 6, 1) + text("vehicle.tesla.model3")
    birth += struct.pack("<H", 1) + b"\0" + text("role_name") + text("hero")
    out += packet(2, struct.pack("<H", 1) + birth)
    for i in range(count):
        out += packet(0, struct.pack("<Qdd", i, 0.05, 0.05 * i + 1.0))
        rows = [(6, 5.0), (7, 50.0 * i)]
        places = b"".join(struct.pack("<I6f", a, 0, y, 0, 0, 0, 0) for a, y in rows)
        out += packet(6, struct.pack("<H", 2) + places)
        out += packet(8, struct.pack("<H", 1) + struct.pack("<IfffBi", 7, 0.1, 0.5, 0.0, 0, 1))
    path.write_bytes(out)
    return path
