"""`.env.production`: made with secrets of its own, checked and changed without showing one."""

from __future__ import annotations

import base64
import stat
from typing import TYPE_CHECKING

import pytest

from stack import envfile, environment
from stack.errors import Invalid, Refused

if TYPE_CHECKING:
    from stack.settings import Settings

GOOD = """\
# secrets
PAYLOAD_SECRET=0123456789abcdef0123456789abcdef
DATABASE_URI=file:/data/payload.db
DATABASE_URL=file:/data/payload.db

# the address
NEXT_PUBLIC_SERVER_URL=https://shop.example.com
"""


# --- create ------------------------------------------------------------------------------------


def test_a_new_file_passes_its_own_check(site: Settings) -> None:
    environment.create(site, server_url="https://shop.example.com")
    values = environment.checked(site, warn=pytest.fail)
    assert values["NEXT_PUBLIC_SERVER_URL"] == "https://shop.example.com"
    assert values["DATABASE_URI"] == values["DATABASE_URL"] == "file:/data/payload.db"


def test_only_its_owner_may_read_a_new_file(site: Settings) -> None:
    environment.create(site)
    assert stat.S_IMODE(site.env_production.stat().st_mode) == 0o600


def test_a_new_file_has_strong_secrets_that_no_other_has(site: Settings) -> None:
    made = []
    for _ in range(2):
        environment.create(site)
        made.append(envfile.read(site.env_production))
        site.env_production.unlink()
    for key in ("PAYLOAD_SECRET", "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"):
        assert made[0][key] != made[1][key]
    assert len(bytes.fromhex(made[0]["PAYLOAD_SECRET"])) == 32
    assert len(base64.b64decode(made[0]["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"], validate=True)) == 32


def test_nothing_in_a_new_file_is_left_to_change_and_every_comment_is_kept(site: Settings) -> None:
    environment.create(site)
    text, template = site.env_production.read_text(), (site.root / environment.TEMPLATE).read_text()
    assert "CHANGE_ME" not in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in template.splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://shop.example.com/", "https://shop.example.com"),
        ("https://shop.example.com", "https://shop.example.com"),
        ("https://shop.example.com/?$x=y&z", "https://shop.example.com/?$x=y&z"),
        ("", "http://localhost:3000"),
    ],
)
def test_the_address_is_written_without_a_slash_at_its_end(given: str, written: str, site: Settings) -> None:
    environment.create(site, server_url=given)
    assert envfile.read(site.env_production)["NEXT_PUBLIC_SERVER_URL"] == written


def test_an_existing_file_is_never_replaced(site: Settings) -> None:
    site.env_production.write_text("PAYLOAD_SECRET=precious\n")
    with pytest.raises(Refused, match="exists") as refusal:
        environment.create(site)
    assert refusal.value.code == 11
    assert site.env_production.read_text() == "PAYLOAD_SECRET=precious\n"


# --- checked -----------------------------------------------------------------------------------


def write(site: Settings, content: str | bytes, mode: int = 0o600) -> None:
    site.env_production.write_bytes(content.encode() if isinstance(content, str) else content)
    site.env_production.chmod(mode)


def told(site: Settings) -> list[str]:
    return [f"{problem.level}: {problem}" for problem in environment.inspected(site).problems]


def errors(site: Settings) -> list[str]:
    return [
        f"{problem.line} {problem.key} {problem.message}" for problem in environment.inspected(site).errors
    ]


def test_the_example_as_it_is_shipped_is_refused(site: Settings) -> None:
    write(site, (site.root / environment.TEMPLATE).read_text())
    assert {line.partition(" ")[2] for line in errors(site)} == {
        "PAYLOAD_SECRET is still the placeholder",
        "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY is still the placeholder",
    }


def test_a_missing_file_is_invalid_and_no_new_secrets_are_made(site: Settings) -> None:
    with pytest.raises(Invalid, match="is missing") as refusal:
        environment.checked(site, warn=pytest.fail)
    assert refusal.value.code == 10
    assert "PAYLOAD_SECRET" in refusal.value.why
    assert not site.env_production.exists()


def test_all_problems_are_named_at_once_with_their_lines(site: Settings) -> None:
    write(site, f"{GOOD}\nA B=1\nPORT=8080\nSMTP=ab$cd\nC='it''s'\n".replace("https", "ftp"), mode=0o644)
    assert errors(site) == [
        "None  the file can be read by others on this machine",
        "7 NEXT_PUBLIC_SERVER_URL is not http:// or https://, a host and nothing else",
        "9  is not KEY=value",
        "10 PORT is not 3000",
        "11 SMTP would not arrive as written",
        "12  is not KEY=value",
    ]
    with pytest.raises(Invalid, match=r"6 problem\(s\)") as refusal:
        environment.checked(site, warn=pytest.fail)
    assert len(refusal.value.why.splitlines()) == 7


def test_a_file_that_was_written_elsewhere_is_taken(site: Settings) -> None:
    write(site, "\ufeff" + GOOD.replace("\n", "\r\n"))
    assert told(site) == []
    assert environment.inspected(site).values["NEXT_PUBLIC_SERVER_URL"] == "https://shop.example.com"


def test_what_is_only_doubtful_is_a_warning_and_the_values_are_given(site: Settings) -> None:
    write(site, f"{GOOD}\nPAYLOAD_SECERT=x\nPAYLOAD_SECERT=y\n")
    warnings: list[str] = []
    assert environment.checked(site, warn=warnings.append)["PAYLOAD_SECERT"] == "y"
    told = "PAYLOAD_SECERT: stands on line 9 already: the last one counts (remove the others)"
    assert warnings == [f".env.production: line 10: {told}"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"A=\xe9\n", b"A=a\0b\n", b""], ids=["UTF-16", "latin", "NUL", "empty"]
)
def test_what_is_not_text_is_one_problem_and_an_empty_file_four(content: bytes, site: Settings) -> None:
    write(site, content)
    assert errors(site) == ["None  the file is not text"] if content else len(errors(site)) == 4


def test_a_file_that_is_not_opened_is_still_a_problem(site: Settings) -> None:
    site.env_production.mkdir()
    assert errors(site) == ["None  the file is not an ordinary file"]


# --- change ------------------------------------------------------------------------------------


def test_a_changed_value_leaves_all_else_as_it_is_and_closes_the_file(site: Settings) -> None:
    write(site, GOOD, mode=0o644)
    environment.change(site, "PAYLOAD_SECRET", "f" * 32)
    environment.change(site, "SMTP_PASSWORD", "it's mine")
    environment.change(site, "SMTP_USER", "a$b\\c d")
    secret = GOOD.replace("0123456789abcdef" * 2, "f" * 32)
    expected = f"{secret}SMTP_PASSWORD=\"it's mine\"\nSMTP_USER='a$b\\c d'\n"
    assert site.env_production.read_text() == expected
    assert stat.S_IMODE(site.env_production.stat().st_mode) == 0o600
    assert {file.name for file in site.root.glob(".*env*")} == {".env.production", environment.TEMPLATE}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PAYLOAD_SECRET", "hunter2"),
        ("PAYLOAD_SECRET", "CHANGE_ME"),
        ("PAYLOAD_DROP_DATABASE", "true"),
        ("DATABASE_URL", "file:/data/hunter2.db"),
        ("SMTP_PASSWORD", "hunter2'\"$"),
        ("SMTP_PASSWORD", "hunter2\0"),
        ("NODE_ENV", "development"),
    ],
)
def test_a_value_that_would_not_do_changes_nothing_and_is_not_shown(
    key: str, value: str, site: Settings
) -> None:
    write(site, GOOD)
    with pytest.raises(Invalid) as refusal:
        environment.change(site, key, value)
    assert refusal.value.code == 10
    assert "hunter2" not in str(refusal.value)
    assert site.env_production.read_text() == GOOD


def test_what_was_wrong_before_does_not_keep_a_value_from_being_set(site: Settings) -> None:
    write(site, GOOD + "PORT=8080\n")
    environment.change(site, "SMTP_HOST", "mail.example.com")
    environment.change(site, "PORT", "3000")
    assert site.env_production.read_text() == f"{GOOD}PORT=3000\nSMTP_HOST=mail.example.com\n"


@pytest.mark.parametrize("content", [b"A=\xff\n", b"A=a\0b\n"])
def test_a_file_that_cannot_be_read_is_not_written_over(content: bytes, site: Settings) -> None:
    write(site, content)
    with pytest.raises(Invalid, match="the file is not text"):
        environment.change(site, "A", "1")
    assert site.env_production.read_bytes() == content


def test_a_link_within_the_project_stays_one(site: Settings) -> None:
    write(site, GOOD)
    target = site.env_production.rename(site.root / "secrets")
    site.env_production.symlink_to("secrets")
    environment.change(site, "A", "1")
    assert site.env_production.is_symlink()
    assert target.read_text() == f"{GOOD}A=1\n"


def test_nothing_is_set_in_a_file_that_does_not_exist(site: Settings) -> None:
    with pytest.raises(Invalid, match="is missing"):
        environment.change(site, "A", "1")
    assert not site.env_production.exists()
