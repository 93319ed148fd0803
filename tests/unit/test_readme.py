"""The README's commands: which of them a story follows."""

from __future__ import annotations

import re

from tests.support import readme
from tests.support.site import CHECKOUT

TEXT = """
<!-- runnable: vps -->
```sh
one
two
```

```sh
not marked
```

<!-- runnable: laptop -->
```sh
elsewhere
```

<!-- runnable: vps -->
```sh
three
```
"""


def test_only_marked_blocks_come_in_their_order_and_as_they_stand() -> None:
    assert readme.runnable("vps", TEXT) == ["one\ntwo\n", "three\n"]


def test_every_mark_in_the_readme_stands_directly_above_a_shell_block() -> None:
    assert len(readme.runnable("vps")) == (CHECKOUT / "README.md").read_text().count(readme.MARK) > 0


def test_every_shell_block_that_is_typed_on_a_server_is_marked() -> None:
    text = (CHECKOUT / "README.md").read_text()
    server = text[: text.index("## What happens")]
    assert len(readme.runnable("vps", server)) == len(re.findall(r"^```sh$", server, re.MULTILINE))
