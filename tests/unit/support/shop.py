"""A site that serves, and operations on it that end in every way."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack import journal, operation, settings
from stack.errors import Failure
from tests.unit.support.servers import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from stack.operation import Operation
    from stack.settings import Settings
    from tests.unit.support.world import World

SECRET = "0123456789abcdef0123456789abcdef"
IN_USE = Reply(409, '{"message": "volume is in use"}')


@dataclass
class Shop:
    """A site that serves, and an operation on it."""

    world: World
    client: DockerClient

    @property
    def site(self) -> Settings:
        return settings.load(self.world.root)

    @property
    def history(self) -> dict[str, object]:
        return journal.history(self.site)[-1]

    def has_scratch(self, removal: Reply) -> None:
        """Let there be a volume, and this the answer to its removal."""
        scratch = "/volumes/shop_scratch"
        self.world.docker.answers |= {
            f"GET {scratch}": {"Name": "shop_scratch"},
            f"DELETE {scratch}": removal,
        }

    @contextmanager
    def operating(self, *, serving: bool | None = None) -> Iterator[Operation]:
        with operation.begun(self.client, self.site, "restore") as restoring:
            if serving is not None:
                restoring.touching(serving=serving)
            yield restoring

    def ending(
        self, trouble: BaseException, *, serving: bool | None = None, files: tuple[Path, ...] = ()
    ) -> BaseException:
        """Return how an operation ends that meets trouble, before or after it has touched the site.

        It has made the volume `shop_scratch`, and `files`.
        """

        def meets_trouble() -> None:
            with self.operating(serving=serving) as restoring:
                restoring.making(volumes=("shop_scratch",), files=files)
                for file in files:
                    file.touch()
                raise trouble

        with pytest.raises((Failure, KeyboardInterrupt)) as ended:
            meets_trouble()
        return ended.value

    def failing(self, trouble: BaseException, *, serving: bool | None = None) -> Failure:
        failure = self.ending(trouble, serving=serving)
        assert isinstance(failure, Failure)
        return failure
