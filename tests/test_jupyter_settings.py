"""The course's own Jupyter settings: they do what they promise, and a server that differs only loses the speed-up."""

import asyncio
import json
import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("jupyter_server", reason="JupyterLab is not installed here")


@pytest.fixture
def websocket(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Jupyter's module of the kernel websocket, with a handler that only counts; as it was afterwards."""
    from jupyter_server.services.kernels import websocket

    class Handler:
        calls: list[str] = []  # noqa: RUF012

        def set_nodelay(self, value: bool) -> None:
            self.calls.append(f"nodelay {value}")

        async def open(self, kernel_id: str) -> None:
            self.calls.append(f"open {kernel_id}")

    monkeypatch.setattr(websocket, "KernelWebsocketHandler", Handler)
    return websocket


def load(root: Path) -> SimpleNamespace:
    """Run the settings file as Jupyter does, and return the configuration it made."""
    path = root / "jupyter" / "jupyter_server_config.py"
    server = SimpleNamespace(tornado_settings={})
    c = SimpleNamespace(KernelManager=SimpleNamespace(), ServerApp=server, LabApp=SimpleNamespace())
    names = {"c": c, "__name__": "settings", "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return c


def test_lines_of_output_break_between_words(root: Path) -> None:
    """JupyterLab is told to load a style sheet, and it lies where it is told to look."""
    c = load(root)
    assert c.LabApp.custom_css is True
    (folder,) = c.ServerApp.tornado_settings["static_custom_path"]
    assert "word-break: normal" in (Path(folder) / "custom.css").read_text("utf-8")


def test_answers_are_sent_at_once(root: Path, websocket: Any) -> None:
    """Opening a kernel's websocket turns TCP_NODELAY on, then opens it as before."""
    load(root)
    handler = websocket.KernelWebsocketHandler()
    asyncio.run(handler.open("k1"))
    assert handler.calls == ["nodelay True", "open k1"]


def test_a_transport_without_nodelay_still_opens(
    root: Path, websocket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the option cannot be set, the websocket opens all the same."""

    def refuse(self: object, value: bool) -> None:
        raise OSError("not a TCP socket")

    load(root)
    monkeypatch.setattr(websocket.KernelWebsocketHandler, "set_nodelay", refuse)
    handler = websocket.KernelWebsocketHandler()
    asyncio.run(handler.open("k2"))
    assert handler.calls[-1] == "open k2"


def test_another_server_loses_only_the_speed(
    root: Path, websocket: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server without that class starts with a warning."""
    monkeypatch.delattr(websocket, "KernelWebsocketHandler")
    with caplog.at_level(logging.WARNING):
        load(root)
    assert "left out" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="ipc sockets are files of POSIX systems")
def test_kernels_use_ipc_where_the_path_is_short_enough(
    root: Path, websocket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has 107 bytes at most: in a deep home folder the settings stay with TCP."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/run/user/1000/jupyter")
    assert load(root).KernelManager.transport == "ipc"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/home/" + "x" * 60)
    assert not hasattr(load(root).KernelManager, "transport")


def test_no_news_from_outside(root: Path) -> None:
    """JupyterLab neither asks to fetch news nor looks for updates: the course needs no network."""
    text = (root / "jupyter" / "labconfig" / "default_setting_overrides.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}
    }
