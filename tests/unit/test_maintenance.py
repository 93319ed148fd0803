"""What a page under maintenance says, who comes through, and for how long an update has it shown."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import budget, envfile, gate, maintenance
from stack.errors import Broken, Refused, Undone, Usage
from stack.operations.maintenance import off, on
from stack.rehearsal import Rehearsal
from stack.trial import Trial
from stack.volumes import Facts
from tests.unit.support.world import OLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.settings import Settings
    from tests.unit.support.shop import Shop

ROOT = Path(maintenance.__file__).resolve().parents[1]
SLOW = Rehearsal(Trial(300.0, (), Facts(0, (), {}, {})), 0.0, (), migrated=False)


@pytest.fixture(autouse=True)
def template(checkout: Path) -> None:
    (checkout / "gate").mkdir()
    shutil.copy(ROOT / "gate" / "maintenance.html", checkout / "gate")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def files(site: Settings) -> dict[str, int]:
    place = site.root / "gate" / "maintenance"
    return {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()}


def page(site: Settings) -> str:
    return (site.root / "gate" / "maintenance" / "page.html").read_text()


def token(site: Settings) -> str:
    return (cookie(site) or "").removeprefix("gate-pass=")


def cookie(site: Settings) -> str | None:
    told: str | None = maintenance.past(site, "/").get_header("Cookie")
    return told


# --- the page and the pass ---------------------------------------------------------------------


def test_the_gate_finds_the_files_whatever_the_umask_and_nobody_else_lists_them(
    site: Settings, umask: None
) -> None:
    maintenance.begin(site)
    assert files(site) == {".html": 0o644, ".pass": 0o644}
    assert stat.S_IMODE((site.root / "gate" / "maintenance").stat().st_mode) == 0o711


def test_a_message_is_text_on_the_page_and_nothing_else(site: Settings) -> None:
    maintenance.begin(site, '<script>"&</script>')
    assert "<p>&lt;script&gt;&quot;&amp;&lt;/script&gt;</p>" in page(site)


def test_a_second_time_the_message_is_another_and_the_pass_the_same(site: Settings) -> None:
    maintenance.begin(site, "one")
    before = token(site)
    maintenance.begin(site, "two")
    assert token(site) == before
    assert "<p>two</p>" in page(site)


def test_a_request_past_the_page_asks_the_gate_with_the_pass(site: Settings) -> None:
    maintenance.begin(site)
    request = maintenance.past(site, "/api/health")
    assert request.full_url == "http://127.0.0.1:3000/api/health"
    assert request.get_header("Cookie") == maintenance.link(site).partition("?")[2]


def test_off_the_pass_means_nothing_and_the_next_one_is_another(site: Settings) -> None:
    maintenance.begin(site)
    before = token(site)
    maintenance.end(site)
    assert (maintenance.is_on(site), cookie(site), files(site)) == (False, None, {})
    maintenance.end(site)
    maintenance.begin(site)
    assert token(site) != before


def test_a_pass_that_a_crash_has_left_is_not_used_again(site: Settings) -> None:
    maintenance.begin(site)
    before = token(site)
    (site.root / "gate" / "maintenance" / "page.html").unlink()
    assert cookie(site) is None
    maintenance.begin(site)
    assert token(site) != before
    assert len(list((site.root / "gate" / "maintenance").glob("*.pass"))) == 1


@pytest.mark.parametrize(
    ("server_url", "address"),
    [("https://shop.example.com/", "https://shop.example.com"), ("", "http://127.0.0.1:3000")],
)
def test_the_link_leads_to_the_address_that_visitors_type(
    server_url: str, address: str, site: Settings
) -> None:
    if server_url:
        envfile.write(site.env_production, {"NEXT_PUBLIC_SERVER_URL": server_url})
    maintenance.begin(site)
    assert maintenance.link(site) == f"{address}/?gate-pass={token(site)}"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("", maintenance.MESSAGE),
        (" \n\t", maintenance.MESSAGE),
        ("New\r\nshop,\x1b[31m\t from  8", "New shop, [31m from 8"),
        ("half a \ud83d", "half a"),
        ("Bis gleich \N{HOT BEVERAGE}", "Bis gleich \N{HOT BEVERAGE}"),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_message_is_one_line(message: str, text: str) -> None:
    assert maintenance.text_of(message) == text


@given(st.text(st.characters(), max_size=500))
def test_whatever_is_typed_can_be_written(message: str) -> None:
    text = maintenance.text_of(message)
    assert text.encode().decode().split() == text.split(" ")


def test_a_message_that_no_page_holds_is_a_usage_error() -> None:
    with pytest.raises(Usage, match="too long"):
        maintenance.text_of("x" * 501)


# --- an update ---------------------------------------------------------------------------------


def test_an_update_over_the_budget_is_refused_before_any_visitor_sees_a_page(shop: Shop) -> None:
    with (
        shop.operating() as updating,
        pytest.raises(Refused, match="wait too long") as refusal,
        maintenance.during(updating, SLOW, wanted=False),
    ):
        pytest.fail("it was let through")
    assert refusal.value.fix.endswith("or `--maintenance`: they see a page meanwhile")
    assert not maintenance.is_on(shop.site)


def test_under_maintenance_it_has_the_time_of_a_first_start_and_the_page_goes_with_its_proof(
    shop: Shop,
) -> None:
    with shop.operating() as updating:
        with maintenance.during(updating, SLOW, wanted=True) as given:
            assert given.begun(lambda: 10.0)() == shop.site.start_limit
            assert given.drain == budget.PATIENCE
            assert maintenance.is_on(shop.site)
        assert not maintenance.is_on(shop.site)
    assert files(shop.site) == {}


@pytest.mark.parametrize("wanted", [True, False])
def test_what_the_operator_began_goes_on_after_an_update(wanted: bool, shop: Shop) -> None:
    maintenance.begin(shop.site, "ours")
    before = token(shop.site)
    with shop.operating() as updating, maintenance.during(updating, SLOW, wanted=wanted):
        pass
    assert "<p>ours</p>" in page(shop.site)
    assert token(shop.site) == before


@pytest.mark.parametrize("kind", [Refused, Broken, Undone])
def test_the_page_of_an_update_that_failed_goes_when_all_is_made_good(
    kind: type[Refused | Broken | Undone], shop: Shop
) -> None:
    with pytest.raises(kind), shop.operating() as updating, maintenance.during(updating, SLOW, wanted=True):
        raise kind("it failed", why="of this", fix="that")
    assert files(shop.site) == {}


# --- the commands ------------------------------------------------------------------------------


def test_a_site_that_does_not_run_is_under_maintenance_from_its_next_start_on(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    on(shop.world.root, "later")
    out, err = capsys.readouterr()
    assert out == f"{maintenance.link(shop.site)}\n"
    assert "from its next start on" in err
    assert token(shop.site) not in err
    off(shop.world.root)
    off(shop.world.root)
    assert "maintenance is off already" in capsys.readouterr().err
    assert not maintenance.is_on(shop.site)


def test_a_gate_that_shows_no_page_is_refused_and_nothing_is_left(shop: Shop, running_gate: None) -> None:
    shop.world.has_deployed(OLD)
    with pytest.raises(Refused, match="does not show the page"):
        on(shop.world.root)
    assert files(shop.site) == {}


def test_a_gate_that_shows_the_page_is_believed(
    shop: Shop, running_gate: None, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.world.has_deployed(OLD)
    shop.world.unwell = True  # 503, as the page
    on(shop.world.root)
    on(shop.world.root, "again")
    told = capsys.readouterr().err
    assert "visitors see the page now" in told
    assert "the link is the same" in told
    off(shop.world.root)
    assert "visitors come in again" in capsys.readouterr().err


@pytest.fixture
def running_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.engine.containers.running", lambda *_: True)
    monkeypatch.setattr(gate, "reload", lambda _: None)


def test_a_message_that_is_too_long_is_refused_before_anything_is_done(shop: Shop) -> None:
    with pytest.raises(Usage):
        on(shop.world.root, "x" * 501)
    assert not maintenance.is_on(shop.site)
