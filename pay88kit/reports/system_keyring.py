"""The operating system's keyring, asked without a dialogue that anybody has to answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pay88kit.config import Secret
from pay88kit.language import _

# Under this service name, and the variable's name as the user name, a value is stored.
SERVICE = "pay88kit"
# Seconds. One that is locked may wait for somebody to open it, where perhaps nobody is.
PATIENCE = 5.0


def ask(variables: Sequence[str]) -> tuple[dict[str, Secret], str]:
    """The values that are stored under these names, and why there is none if it cannot be read.

    Nothing is raised: without the package ``keyring``, without a keyring, or with one that is
    locked or does not answer within :data:`PATIENCE` seconds, there is just no value.
    """
    found: dict[str, Secret] = {}
    late = _(
        "The keyring did not answer within {seconds} seconds; if it is locked, unlock it.",
        seconds=f"{PATIENCE:g}",
    )
    fault = [late]

    def read() -> None:
        try:
            import keyring

            for variable in variables:
                value = keyring.get_password(SERVICE, variable) or ""
                if not isinstance(value, str):
                    raise TypeError
                if value.strip():
                    found[variable] = Secret(value.strip())
        # Each kind of keyring has errors of its own, whose words are not the kit's; and some end a
        # thread as if it were a program.
        except BaseException as error:
            kind = type(error).__name__
            fault[:] = [_("The keyring cannot be read here ({kind}).", kind=kind)]
        else:
            fault.clear()

    # A thread, because a keyring knows no time limit.
    reader = threading.Thread(target=read, name="pay88-keyring", daemon=True)
    reader.start()
    reader.join(PATIENCE)
    return dict(found), "".join(fault)
