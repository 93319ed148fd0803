"""A visitor who writes without a pause, whatever happens to the site, and notes what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.visitor import Editor

PAUSE = 0.1  # seconds
PATIENCE = 130  # seconds for an answer: longer than the gate holds


@dataclass
class Scribe:
    """What became of the posts: titles that were ``acknowledged``, answers to those that ``failed``."""

    editor: Editor
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    acknowledged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        for number in itertools.count():
            self._publish(f"{self.name} {number}")
            if self._over.wait(PAUSE):
                return

    def _publish(self, title: str) -> None:
        headers = {**self.editor.headers, "Connection": "close"}
        began = time.monotonic()
        try:
            answer = self.editor.site.post(
                "/api/posts", json={"title": title}, headers=headers, timeout=PATIENCE
            )
        except requests.RequestException as trouble:
            self.failed.append(f"{title}, after {time.monotonic() - began:.1f} s: {trouble}")
            return
        if answer.status_code == 201:
            self.acknowledged.append(title)
        else:
            self.failed.append(f"{title}, after {time.monotonic() - began:.1f} s: {answer.status_code}")

    def end(self) -> None:
        self._over.set()


@contextmanager
def writing(editor: Editor) -> Iterator[Scribe]:
    """Let somebody write until the end of the block, and wait for the last answer."""
    scribe = Scribe(editor)
    thread = threading.Thread(target=scribe.write)
    thread.start()
    try:
        yield scribe
    finally:
        scribe.end()
        thread.join()
