"""The course's own settings of the Jupyter server, read besides the learner's: `course.py lab` names this folder.

Nothing here is needed for a lesson to work.  If another server version lacks something named here, only the
speed-up or the silence is lost.
"""

import logging
import os
from pathlib import Path


def quick_websocket() -> None:
    """Have the kernel's answers sent at once: without this each click waits some 36 ms.

    The server leaves Nagle's algorithm on for the kernel websocket; it then waits for the browser's delayed
    acknowledgement before it sends a second small message.
    """
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

    plain_open = KernelWebsocketHandler.open

    async def open_without_delay(self, kernel_id):
        try:
            self.set_nodelay(True)
        except Exception:  # an odd transport: slower, not broken
            logging.getLogger(__name__).debug("no TCP_NODELAY on the kernel websocket", exc_info=True)
        await plain_open(self, kernel_id)

    KernelWebsocketHandler.open = open_without_delay


def words_kept_whole() -> dict:
    """Have JupyterLab load custom/custom.css: it breaks long lines of output between words, not inside them."""
    return {"static_custom_path": [str(Path(__file__).parent / "custom")]}


def sockets_in_files() -> bool:
    """Say whether kernels can be reached by ipc sockets: not on Windows, nor where their paths get too long."""
    from jupyter_core.paths import jupyter_runtime_dir

    return os.name == "posix" and len(jupyter_runtime_dir()) <= 55  # of 107; the kernel's name takes 50


try:
    quick_websocket()
    if sockets_in_files():
        c.KernelManager.transport = "ipc"  # no other user can connect, and no warning about TCP is printed
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        c.ServerApp.allow_root = True  # usual in a container; the server listens to this machine alone
    c.ServerApp.tornado_settings.update(words_kept_whole())
    c.LabApp.custom_css = True
except Exception as error:
    logging.getLogger(__name__).warning("the course's own Jupyter settings were left out: %s", error)
