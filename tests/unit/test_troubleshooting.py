"""What can be printed, and what `docs/troubleshooting.md` has to say about it."""

from __future__ import annotations

import re

from tests.unit.support.messages import ROOT, Message, all_messages

ENTRY = re.compile(r"\*\*(.+?)\*\*\s+\((\w+)", re.DOTALL)


def explained() -> set[Message]:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    return {Message(" ".join(what.split()), code) for what, code in ENTRY.findall(text)}


def printed() -> set[Message]:
    return {Message(" ".join(message.text.split()), message.code) for message in all_messages()}


def test_every_message_is_explained_with_its_exit_code() -> None:
    assert printed() - explained() == set()


def test_nothing_is_explained_that_is_never_printed() -> None:
    assert explained() - printed() == set()


def test_the_search_for_messages_finds_those_of_each_kind() -> None:
    found = {message.text for message in all_messages()}
    assert "the program `…` is not here" in found  # a text with a value in it
    assert "the containers could not be started" in found  # handed on by the caller
    assert "release … did not start; nothing is left running" in found  # put together
    assert "python3 cannot make a virtual environment" in found  # of the shell
    codes = {"2", "10", "11", "12", "20", "21", "22", "23", "warning"}
    assert {message.code for message in all_messages()} == codes
