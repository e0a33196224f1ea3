"""The metadata is here since the setuptools of ROS Humble cannot read it from pyproject.toml."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "edge_pilot"
SHARE = f"share/{PACKAGE}"
FOLDERS = ("launch", "config", "models", "bench")

RUNTIME = [
    "numpy>=1.21.5",
    "opencv-python-headless>=4.5",
    "PyYAML>=5.4",
    "onnxruntime>=1.16",
    "rosbags>=0.11",
    "lz4>=4.0",
    'backports.zstd; python_version < "3.14"',
    "tqdm>=4.60",
]
TEST = ["pytest>=8", "pytest-timeout>=2.2", "hypothesis>=6.100"]
EXTRAS = {
    # The wheels of one third-party maintainer, for x86_64; a vehicle takes ROS 2 from apt.
    "ros": [
        "ros-jazzy-rclpy==7.1.6",
        "ros-jazzy-rmw-fastrtps-cpp==8.4.3",
        "ros-jazzy-common-interfaces==5.3.6",
    ],
    "sim": ["panda3d==1.10.16", "commonroad-vehicle-models==3.0.2", "matplotlib>=3.7", "av>=12"],
    "train": ["torch==2.13.0", "onnx>=1.16", "safetensors>=0.4"],
    "carla": ["carla==0.9.16"],
    "gpu": ["tensorrt>=10.3", "cuda-python>=12.4"],
    "cloud": [],
    "test": TEST,  # colcon runs pytest where an extra of this name asks for it
    "dev": [
        *TEST,
        "import-linter>=2.1",
        "mcap-ros2-support>=0.5",
        "mypy>=1.13",
        "onnx>=1.16",
        "ruff>=0.9",
        "setuptools>=70.1",
        "types-PyYAML",
        "types-tqdm",
    ],
}

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Drives a car from its camera, and learns from what the car met on the road.",
    author="edge_pilot maintainers",
    maintainer="edge_pilot maintainers",
    maintainer_email="edge-pilot@example.com",
    license="Apache-2.0",
    python_requires=">=3.10",
    package_dir={"": "src"},
    packages=find_packages("src"),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        *((f"{SHARE}/{name}", sorted(glob(f"{name}/*.*"))) for name in FOLDERS),
        (f"lib/{PACKAGE}", sorted(glob("scripts/nodes/*"))),
    ],
    install_requires=RUNTIME,
    extras_require=EXTRAS,
    entry_points={"console_scripts": [f"{PACKAGE} = {PACKAGE}.cli:main"]},
    zip_safe=False,
)
