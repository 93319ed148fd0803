"""A site on an engine that answers as told, where `docker` is a program that remembers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stack import envfile
from tests.unit.support import engine
from tests.unit.support.servers import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.support.engine import Engine
    from tests.unit.support.programs import Programs

OLD = "shop:20260101T000000Z-000000000000"

# What Compose makes of a file it may tell itself: that needs no engine.
# `up` makes an image the live one, `create --scale` a container beside it; `build` says what it was given;
# what runs beside the site tells `facts`, or those of its volume, and the probe of a container tells `probe`.
# A container does not run as often as `never-runs-SERVICE` has lines; that of a trial then stays.
DOCKER = """
case " $* " in
*" migrate:status ") cat '{here}/listed' ;;
*" node_modules/.bin/payload migrate ")
  cat '{here}/migrate-says'; [ ! -e '{here}/migrated' ] || cp '{here}/migrated' '{here}/facts' ;;
" compose run "*)
  if grep -qs '' '{here}/never-runs-'"$7"; then
    sed -i 1d '{here}/never-runs-'"$7"
    [ "$7" != trial ] || touch '{here}/trial'
    cat '{here}/complaint' >&2; exit 1
  fi
  case "$7:$#" in
  filler:*) echo '{{"ready": true}}'; while IFS= read -r line; do
      printf '%s\\n' "$line" >>'{here}/filled'; [ "$line" != '{{"end": true}}' ] || break
    done; cat '{here}/facts' ;;
  reader:12) cat "{here}/facts-$DB_VOLUME" 2>/dev/null || cat '{here}/facts' ;;
  reader:*) [ "${{12}}" != put-back ] || {{ cat '{here}/keep'; exit; }}
    head -n 1 '{here}/snapshot'; read -r _; tail -n +2 '{here}/snapshot' ;;
  migrator:12) cat '{here}/written' ;;
  migrator:*) cat '{here}/create-says'; [ "${{15}}" = --skip-empty ] || cp '{here}/forced' '{here}/written' ;;
  trial:*) cat '{here}/trial-breaks' >&2 2>/dev/null && exit 125; touch '{here}/trial' ;;
  esac ;;
" exec "*) cat '{here}/probe' || exit 1 ;;
*" --format json "*) PATH="${{PATH#*:}}" exec docker "$@" ;;
*" version "*) echo "$PLUGIN_SAYS" ;;
*" build "*) env >'{here}/build'; cat '{here}/build-breaks' 2>/dev/null && exit 17 ;;
*" create "*" --scale "*) cat '{here}/create-breaks' >&2 2>/dev/null && exit 1
  printf %s "$APP_IMAGE" >'{here}/beside' ;;
*" create "*) echo "$DB_VOLUME $MEDIA_VOLUME" >'{here}/mounts' ;;
*" up "*) touch '{here}/volumes'; rm -f '{here}/mounts'
  printf %s "$APP_IMAGE" >'{here}/live'; [ ! -e '{here}/up-breaks' ] || exit 1 ;;
*" down "*) rm -f '{here}/live' ;;
esac
"""


FACTS = (
    '{"facts": {"user_version": 0, "migrations": ["20260101_000000"], "foreign_key_violations": {}, '
    '"rows": {"payload_migrations": 1, "posts": 3}}}\n'
)
NEVER_RAN = (
    "Error response from daemon: failed to create task for container: failed to create shim task: "
    "OCI runtime create failed: runc create failed: read init-p: connection reset by peer: unknown"
)
ANSWERS = '{"first": 0.4, "answers": [200]}\n'
TRIAL = "trial0ff27c883dfb"
NEW = "new0ff27c883dfb"
MADE_OF = "com.docker.compose.config-hash"


@dataclass
class World:
    """A site on an engine.

    ``bad`` are images that do not become healthy, ``users`` is what Payload tells; a site that is ``unwell``
    runs all the same.
    """

    root: Path
    docker: Engine
    programs: Programs
    bad: list[str] = field(default_factory=list)
    all_new_ones_are_bad: bool = False
    unwell: bool = False
    users: bool = True

    @property
    def here(self) -> Path:
        return self.programs.directory

    @property
    def live(self) -> str | None:
        """The image that `docker compose up` started last."""
        file = self.here / "live"
        return file.read_text() if file.exists() else None

    @property
    def dotenv(self) -> dict[str, str]:
        return envfile.read(self.root / ".env")

    def is_bad(self, image: str | None) -> bool:
        return image is None or image in self.bad or (self.all_new_ones_are_bad and image != OLD)

    def container(self, directory: str | None = None) -> dict[str, Any]:
        bad = self.is_bad(self.live)
        labels = {
            "com.docker.compose.project.working_dir": directory or str(self.root),
            MADE_OF: str(self.live),
        }
        state: dict[str, Any] = {"Status": "exited", "Running": False, "ExitCode": 3} if bad else {}
        return engine.container(image=self.live, labels=labels, mounts=self.mounts, **state)

    @property
    def mounts(self) -> list[str]:
        """The volumes of the application: those of `docker compose create`, else those of `.env`."""
        file = self.here / "mounts"
        if file.exists():
            return file.read_text().split()
        names = {"DB_VOLUME": "shop_payload-db", "MEDIA_VOLUME": "shop_media-uploads"}
        return [self.dotenv.get(key, default) for key, default in names.items()]

    def has_snapshot(self, files: Mapping[str, bytes], *, journal_mode: str = "wal", **told: Any) -> None:
        """Let a backup get these files, the database first; ``told`` changes what is told of them."""
        sizes = {"database": 4096, "media": 0, "journal_mode": journal_mode}
        facts = {
            **json.loads(FACTS)["facts"],
            "journal_mode": journal_mode,
            "sha256": told.pop("sha256", hashlib.sha256(next(iter(files.values()))).hexdigest()),
        }
        end = {"missing": [], "deleted": [], "lost": [], "skipped": [], **told}
        heads = [{"name": name, "size": len(content)} for name, content in files.items()]
        parts = [_line(head) + content for head, content in zip(heads, files.values(), strict=True)]
        stream = _line({"sizes": sizes}), _line({"facts": facts}), *parts, _line({"end": end})
        (self.here / "snapshot").write_bytes(b"".join(stream))

    def never_runs(self, service: str, *, times: int = 1) -> None:
        """Let the engine fail to start the next containers of a service."""
        (self.here / f"never-runs-{service}").write_text("\n" * times)
        (self.here / "complaint").write_text(f"{NEVER_RAN}\nError: failed to start containers: 349eed97\n")

    def containers(self) -> list[dict[str, Any]]:
        """Return what `docker ps --all` lists."""
        new = [self.new()] if (self.here / "beside").exists() else []
        app = [self.container()] if self.live else []
        trial = [self.trial()] if (self.here / "trial").exists() else []
        return [engine.listed(attrs) for attrs in [*new, *app, *trial]]

    def new(self) -> dict[str, Any]:
        """Return what stands beside the application: made, and never started."""
        image = (self.here / "beside").read_text()
        labels = {"com.docker.compose.project.working_dir": str(self.root), MADE_OF: image}
        state: dict[str, Any] = {"Status": "created", "Running": False}
        return engine.container(image=image, labels=labels, **state) | {"Id": NEW}

    def new_goes(self) -> Reply:
        (self.here / "beside").unlink()
        return Reply(204)

    def trial(self) -> dict[str, Any]:
        labels = {"com.docker.compose.oneoff": "True"}
        return engine.container("trial", labels=labels)

    def trial_goes(self) -> Reply:
        (self.here / "trial").unlink()
        return Reply(204)

    def gate(self, request: Request) -> Reply:
        if request.path == "/api/users/init":
            return Reply(200, json.dumps({"initialized": self.users}))
        return Reply(503 if self.unwell or self.is_bad(self.live) else 200, json.dumps({"release": "r"}))

    def ran(self) -> list[str]:
        """Return what Compose was asked to do."""
        calls = [call for call in self.programs.calls("docker") if call[0] not in ("exec", "wait")]
        words = [[word for word in call if not word.startswith("-")] for call in calls]
        verbs = [call[2 if call[1] == "plain" else 1] for call in words]
        return [
            verb for verb in verbs if verb not in ("config", "exec", "version")
        ]  # they only look, or touch the gate

    def has_deployed(self, image: str) -> None:
        """Set the world as a deploy of ``image`` would leave it."""
        (self.here / "live").write_text(image)
        envfile.write(self.root / ".env", {"COMPOSE_PROJECT_NAME": "shop", "APP_IMAGE": image})
        self.docker.has_image(image, labels={"inputs": "of the old one"})


def _line(told: object) -> bytes:
    return f"{json.dumps(told)}\n".encode()
