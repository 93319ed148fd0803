"""Logs without the secrets of an environment file."""

from __future__ import annotations

from stack import envfile

SECRETS = {
    "PAYLOAD_SECRET": "0123456789abcdef0123456789abcdef",
    "SMTP_PASSWORD": "correct horse",
    "DATABASE_URI": "file:/data/payload.db",
    "NEXT_PUBLIC_SERVER_URL": "https://shop.example.com",
    "PORT": "3000",
}


def test_secrets_are_taken_out_of_a_log_by_name() -> None:
    log = "secret 0123456789abcdef0123456789abcdef!\nlogin with correct horse, twice: correct horse\n"
    assert envfile.redacted(log, SECRETS) == (
        "secret [PAYLOAD_SECRET]!\nlogin with [SMTP_PASSWORD], twice: [SMTP_PASSWORD]\n"
    )


def test_what_helps_to_understand_a_log_stays_in_it() -> None:
    log = "cannot open file:/data/payload.db, listening on 3000 for https://shop.example.com"
    assert envfile.redacted(log, SECRETS) == log


def test_a_secret_that_begins_like_another_is_taken_out_whole() -> None:
    both = {"SHORT": "hunter2hunter2", "LONG": "hunter2hunter2-and-more"}
    assert envfile.redacted("hunter2hunter2-and-more", both) == "[LONG]"


def test_a_secret_of_several_lines_is_taken_out_of_each_of_them() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----"
    assert "MIIEvQ" not in envfile.redacted("cannot parse MIIEvQIBADANBgkqhkiG9w0BAQEF", {"KEY": key})


def test_a_path_stays_in_a_log() -> None:
    log = "no such directory: /app/public/media"
    assert envfile.redacted(log, {"MEDIA_DIR": "/app/public/media"}) == log


def test_a_secret_that_looks_like_a_path_is_taken_out_all_the_same() -> None:
    key = "/9j4AAQSkZJRgABAQAAAQABAAD2wBDAA8="  # one base64 key in 64 begins so
    assert key not in envfile.redacted(f"bad key {key}", {"NEXT_SERVER_ACTIONS_ENCRYPTION_KEY": key})
