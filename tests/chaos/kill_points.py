"""`python -m tests.chaos.kill_points [POINT…]`: kill the process at every kill point, on each kind of database."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import sys
from collections.abc import Sequence

from gevent.pool import Pool

from tests.chaos.killed import Scene, play
from tests.harness import databases
from tests.harness.report import Report, heading

#: Each kill point at least once. Some are reached often: the number is the time at which the process is killed.
SCENES = (
    Scene(point="migrated", at_restart=True),
    Scene(point="adopted", at_restart=True),
    Scene(point="before_commit:3"),
    Scene(point="before_commit:8"),
    Scene(point="before_commit:14"),
    Scene(point="after_commit:3"),
    Scene(point="after_commit:8"),
    Scene(point="after_commit:14"),
    Scene(point="registered"),
    Scene(point="registered:3"),
    Scene(point="before_answer:2"),
    Scene(point="channel_made"),
    Scene(point="socket_opened"),
    Scene(point="before_subscribing"),
    Scene(point="subscribed"),
    Scene(point="covered"),
    Scene(point="heard:2"),
    Scene(point="before_storing"),
    Scene(point="stored"),
    Scene(point="before_claim"),
    Scene(point="claimed"),
    Scene(point="claimed:2"),
    Scene(point="before_post"),
    Scene(point="posted"),
    Scene(point="posted:3"),
    Scene(point="posted", history="apply_then_reset"),
    Scene(point="looked_up", history="apply_then_reset"),
    Scene(point="before_marking"),
    Scene(point="marked:2"),
    Scene(point="asked"),
    Scene(point="asked:5", deaf=True),
    Scene(point="closed"),
    Scene(point="closed:3", deaf=True),
    Scene(point="before_unsubscribing"),
    Scene(point="unsubscribed"),
    Scene(point="looked_last"),
    Scene(point="successor_ready", notice=True),
    Scene(point="moved", notice=True),
    Scene(point="draining", terminate=True),
    Scene(point="drained", terminate=True),
)


def main() -> int:
    """Return 0 if every record arrived once in each scene, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill_points", description=__doc__)
    parser.add_argument("point", nargs="*", help="kill points or their beginnings; without any: all of them")
    parser.add_argument("--database", choices=databases.KINDS, action="append", help="only this kind")
    parser.add_argument("--at-once", type=int, default=2, help="scenes played at a time")
    options = parser.parse_args()
    kinds = options.database or databases.KINDS
    if "postgresql" in kinds and not databases.reachable():
        parser.error("no PostgreSQL at 127.0.0.1:5432 with a database named test; --database sqlite does without")
    scenes = [scene for scene in SCENES if not options.point or scene.point.startswith(tuple(options.point))]
    heading(f"Killed at {len(scenes)} places, on {' and '.join(kinds)}")
    held = play_all(scenes, kinds, options.at_once)
    sys.stdout.write(f"{held.count(True)} of {len(held)} held\n")
    return 0 if held and all(held) else 1


def play_all(scenes: Sequence[Scene], kinds: Sequence[str], at_once: int) -> list[bool]:
    """Play each scene on each kind of database; returns whether each held."""
    plays = [(scene, kind) for scene in scenes for kind in kinds]
    return list(Pool(at_once).imap(lambda one: play(one[0], one[1], Report(f"kill-{one[1]}")), plays))


if __name__ == "__main__":
    sys.exit(main())
