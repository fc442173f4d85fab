"""The local 88Pay: in process, from a thread, or as ``pay88 sandbox``."""

from pay88kit.sandbox.local import Sandbox, shared

__all__ = ["Sandbox", "shared"]
