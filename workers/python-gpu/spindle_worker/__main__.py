"""`python -m spindle_worker supervise | child | manifest [--static]`."""

from __future__ import annotations

import argparse
import json
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="spindle_worker", description="Spindle's Python plane")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("supervise", help="take tasks and run them")
    child = commands.add_parser("child", help="one device slot's process; started by the supervisor")
    child.add_argument("--socket", type=int, required=True)
    child.add_argument("--hold", type=int, action="append", default=[], help="a descriptor that every process on the device keeps open")
    listing = commands.add_parser("manifest", help="print what this plane offers")
    listing.add_argument("--static", action="store_true", help="without asking this machine anything")
    engine = commands.add_parser("engine", help="install, check and remove the engines that run in an environment of their own")
    engine.add_argument("action", choices=["list", "install", "check", "remove", "report"])
    engine.add_argument("name", nargs="?")
    options = parser.parse_args()
    if options.command == "supervise":
        from .supervise.supervisor import supervise

        return supervise()
    if options.command == "child":
        from .child.process import serve

        return serve(options.socket, options.hold)
    if options.command == "engine":
        from .engine.install import engine_command

        return engine_command(options.action, options.name)
    from .manifest import manifest
    from .nodes import capabilities

    json.dump(manifest(capabilities().values(), static=options.static), sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
