"""`viipe status`: how the running host is, in words or as JSON."""

import argparse
import json
from typing import Any

from config import host as host_file
from daemon import neighbour_report
from daemon.control import ask
from daemon.owner import act_as_owner
from daemon.pages_probe import look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `--json`."""
    parser.add_argument("--json", action="store_true", help="all of it, for a machine")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when everything works, 1 when something is faulty or no daemon runs."""
    config = host_file.load(arguments.config)
    state_dir = config.host.state_dir
    act_as_owner(state_dir)
    told = ask(state_dir, "status")
    told["pages"] = [{"name": each.name, "found": each.found, "fault": bool(each.mend)} for each in look(config)]
    print(json.dumps(told) if arguments.json else "\n".join(_lines(told)))
    return 1 if _is_faulty(told) else 0


def _is_faulty(told: dict[str, Any]) -> bool:
    faults = [told["config_fault"], told["journal"]["fault"], told["journal"]["waiting_in_memory"]]
    faults += [reader["state"] != "reading" for reader in told["readers"]]
    return any([*faults, *(output["fault"] for output in told["outputs"])])


def _lines(told: dict[str, Any]) -> list[str]:
    cards, journal = told["cards"], told["journal"]
    lines = [f"{told['host']}: running for {told['uptime_s']} s (process {told['pid']})"]
    for reader in told["readers"]:
        tap = "no tap yet" if reader["last_tap_s_ago"] is None else f"last tap {reader['last_tap_s_ago']} s ago"
        why = f": {reader['why']}" if reader["why"] else ""
        proof = f"last success {reader['last_success_s_ago']} s ago"
        lines.append(
            f"reader {reader['name']} ({reader['kind']}, {reader['service']}): {reader['state']}{why}; {proof}, {tap}"
        )
        if reader["lamps_fault"]:
            lines.append(f"lamps of {reader['name']}: {reader['lamps_fault']}")
    lines += [f"output {each['name']}: {each['fault'] or 'in order'}" for each in told["outputs"]]
    lines.append(
        f"cards: {cards['cards']}, version {cards['version']}, of {cards['imported_at']}"
        if cards
        else "cards: none; feed them with `viipe cards import`"
    )
    lines.append(_rules_line(told["rules"]))
    if told["link"]:
        lines.append(_link_line(told["link"]))
        if told["link"]["desk_fault"]:
            lines.append(f"desk: {told['link']['desk_fault']}: set desk = true in its [[reader]] of the host's file")
    if told["neighbours"] is not None:
        lines += neighbour_report.lines(told["neighbours"])
    if told["people"]:
        lines.append(_people_line(told["people"]))
    lines += [f"{each['name']}: {each['found']}" for each in told["pages"]]
    lines.append(f"journal: epoch {journal['epoch']}, {journal['seq']} events; {journal['fault'] or 'in order'}")
    if journal["waiting_in_memory"] or journal["lost"]:
        lines.append(f"journal: {journal['waiting_in_memory']} events wait in memory, {journal['lost']} were lost")
    lines.append(f"clock: {told['clock']['time']}, {told['clock']['trust']}")
    if told["config_fault"]:
        lines.append(f"settings: {told['config_fault']}")
    return lines


def _rules_line(rules: dict[str, Any]) -> str:
    return (
        "rules: of the host's own file"
        if rules["version"] is None
        else f"rules: the registry's, version {rules['version']}"
    )


def _people_line(people: dict[str, Any]) -> str:
    fault = f"; {people['fault']}" if people["fault"] else ""
    age = "never asked" if people["age_s"] is None else f"asked {people['age_s']} s ago"
    held = f"{people['persons']} persons, {people['photos']} photos, version {people['version']}"
    return f"names ({people['shows']}): {held}, {age}{fault}"


def _link_line(link: dict[str, Any]) -> str:
    fault = f"; {link['fault']}" if link["fault"] else ""
    age = "never heard" if link["data_age_s"] is None else f"last heard {link['data_age_s']} s ago"
    return f"registry: {age}; {link['backlog']} events not uploaded{fault}"
