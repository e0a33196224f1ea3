"""The exceptions of edge_pilot.

    EdgePilotError
    └── InputError         what the user gave is bad; the command line exits with status 2
        ├── ConfigError    a configuration file, parameter or argument
        ├── ModelError     a model or its card
        ├── EngineError    an inference engine that is not there, or computes something else
        ├── BagError       a recording
        ├── ImageError     an image message that does not hold what its header says
        └── CloudError     a point cloud that does not

Each message says what was expected and what was got, in one line.
"""


class EdgePilotError(Exception):
    """Root of all errors that this package raises on purpose."""


class InputError(EdgePilotError):
    """What the user gave cannot be used."""


class ConfigError(InputError):
    """A configuration value, key or file is not what it should be."""


class ModelError(InputError):
    """A model or its card is missing, unreadable or of another shape."""


class EngineError(InputError):
    """An inference engine is missing, damaged, or does not compute what its model says."""


class BagError(InputError):
    """A recording is missing, unreadable or lacks a topic that is needed."""


class ImageError(InputError):
    """An image message contradicts its own header or has an unknown encoding."""


class CloudError(InputError):
    """A point cloud message contradicts itself or lacks a coordinate."""
