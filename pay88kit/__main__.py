"""``python -m pay88kit`` is ``pay88``."""

from pay88kit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
