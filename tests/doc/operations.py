#!/usr/bin/env python3
"""doc/operations.md tells of each alert of the rules, and each rule names its section; the dashboard is a legal one and
asks for nothing that the daemon's table of metrics does not have."""
import json
import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ.get("srcdir", pathlib.Path(__file__).resolve().parents[2]))
MIXIN = SOURCE / "doc" / "mixin"
# What Grafana knows, of what stands in this dashboard.
PANELS = {"row", "stat", "timeseries", "state-timeline", "table"}
passed = failed = 0


def check(ok, what, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED - {what}: {detail}")


def known_metrics():
    """The names of the daemon's table as a scrape has them."""
    table = (SOURCE / "include" / "slated" / "metrics.h").read_text()
    names = set()
    for kind, name in re.findall(r'X\(\w+, (\w+), "(\w+)"', table):
        names |= {"COUNTER": {f"{name}_total"}, "INFO": {f"{name}_info"},
                  "HISTOGRAM": {f"{name}_{part}" for part in ("bucket", "count", "sum")}}.get(kind, {name})
    return names


def families(names):
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def named_metrics(expression):
    return set(re.findall(r"\b(?:slated|process)_\w+", expression))


def check_rules(metrics):
    text = (MIXIN / "slated.rules.yml").read_text()
    guide = (SOURCE / "doc" / "operations.md").read_text()
    sections = re.findall(r"^### (Slated\w+)\n([^#]+)", guide.partition("\n## Alerts\n")[2], re.M)
    alerts = re.findall(r"^      - alert: (\w+)\n(.*?)(?=^      - alert|\Z)", text, re.M | re.S)
    check(len(alerts) >= 10, "there are rules", len(alerts))
    check([name for name, _ in sections] == [name for name, _ in alerts],
          "doc/operations.md has a section for each alert, in order", set(dict(sections)) ^ set(dict(alerts)))
    for name, body in sections:
        check(len(body.split()) >= 25, f"{name}: its section says something", body)
    for name, rule in alerts:
        check(f'runbook: "doc/operations.md#{name.lower()}"\n' in rule, f"{name} names its section")
        asked = named_metrics(rule.partition("annotations:")[0])
        check(asked and asked <= metrics, f"{name}: its metrics are the daemon's", asked - metrics)


def overlap(one, other):
    return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"] and
            one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])


def check_panel(panel, metrics):
    what = f"panel {panel.get('title')!r}"
    check(panel["type"] in PANELS, f"{what}: its type", panel["type"])
    check(panel["title"] and isinstance(panel["id"], int), f"{what}: a title and a number", panel["id"])
    place = panel["gridPos"]
    check(0 <= place["x"] and place["x"] + place["w"] <= 24 and place["h"] > 0, f"{what}: within the grid", place)
    if panel["type"] == "row":
        return
    source = {"type": "prometheus", "uid": "${datasource}"}
    check(panel["description"].endswith("."), f"{what}: a description")
    check(panel["datasource"] == source and all(target["datasource"] == source for target in panel["targets"]),
          f"{what}: the data source is the variable's")
    references = [target["refId"] for target in panel["targets"]]
    check(references and len(set(references)) == len(references), f"{what}: its queries' names", references)
    for target in panel["targets"]:
        asked = named_metrics(target["expr"])
        check(asked and asked <= metrics, f"{what}: its metrics are the daemon's", asked - metrics)
        selectors = re.findall(r"slated_\w+|process_\w+", target["expr"])
        heeded = target["expr"].count('{job=~"$job", instance=~"$instance"')
        check(heeded == len(selectors), f"{what}: it heeds the variables", target["expr"])


def check_dashboard(metrics):
    dashboard = json.loads((MIXIN / "slated.dashboard.json").read_text())
    check(30 <= dashboard["schemaVersion"] <= 41, "schemaVersion", dashboard["schemaVersion"])
    check(dashboard["uid"] and dashboard["title"] and "id" not in dashboard, "it has a name, and no server's number")
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    source = variables["datasource"]
    check(source["type"] == "datasource" and source["query"] == "prometheus", "the data source's variable", source)
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard)))
    check(used == set(variables), "each variable is used, and there", used ^ set(variables))
    panels = dashboard["panels"]
    numbers = [panel["id"] for panel in panels]
    check(len(set(numbers)) == len(numbers), "panels have numbers of their own", numbers)
    for panel in panels:
        check_panel(panel, metrics)
    pairs = [(one["title"], other["title"]) for i, one in enumerate(panels) for other in panels[:i]
             if overlap(one["gridPos"], other["gridPos"])]
    check(not pairs, "no panel lies on another", pairs)
    shown = named_metrics(json.dumps([target["expr"] for panel in panels for target in panel.get("targets", [])]))
    # slated_start_time_seconds says as much as the process' own.
    missing = families(metrics) - families(shown) - {"process_start_time_seconds"}
    check(not missing, "each metric of the daemon's is on the dashboard", missing)


def main():
    metrics = known_metrics()
    check(len(metrics) >= 30, "the table of metrics was read", metrics)
    check_rules(metrics)
    check_dashboard(metrics)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
