#!/usr/bin/env python3
"""Checks what Prometheus and Grafana get, with promtool where it can.

    check.py metrics | rules | dashboard SOURCE_DIR METRICS_SAMPLE

Prints each problem; exit status 1 if there is one.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PART, ROOT, SAMPLE = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
FOLDER = ROOT / "docs/prometheus"
RULES = FOLDER / "outrider.rules.yml"
RULES_TEST = FOLDER / "outrider.rules.test.yml"
DASHBOARD = FOLDER / "outrider.dashboard.json"
RUNBOOK = ROOT / "docs/runbook.md"
GOLDEN = ROOT / "tests/golden/metrics.txt"

problems = []


def promtool(*arguments, text=None):
    """Anything that it does not like, and anything that it has to remark, is a problem."""
    run = subprocess.run(["promtool", *map(str, arguments)], input=text, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        problems.append(f"promtool {' '.join(map(str, arguments))}:\n{run.stdout}")
    return run.stdout


def known_names():
    names = set()
    for line in GOLDEN.read_text().splitlines():
        name, kind = line.split()[:2]
        names |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def check_names(where, text):
    used = set(re.findall(r"\b(?:outrider|process)_\w+", text))
    for name in sorted(used - known_names()):
        problems.append(f"{where}: there is no metric {name}")


def check_metrics():
    sample = subprocess.run([SAMPLE], check=True, text=True, stdout=subprocess.PIPE).stdout
    remarks = promtool("check", "metrics", text=sample)
    if remarks.strip():
        problems.append(f"promtool check metrics remarks:\n{remarks}")


def anchors():
    """As GitHub makes them of headings."""
    heads = re.findall(r"^#+ (.*)$", RUNBOOK.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def alerts():
    """Text by name: from its line "- alert: NAME" to the next one."""
    parts = re.split(r"^ *- alert: (\w+)$", RULES.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def check_rules():
    promtool("check", "rules", RULES)
    promtool("test", "rules", RULES_TEST)
    tests = RULES_TEST.read_text()
    check_names(RULES, re.sub(r"^ *#.*$", "", RULES.read_text(), flags=re.M))
    check_names(RULES_TEST, tests)
    sections = anchors()
    for name, text in alerts().items():
        for part in ("expr:", "severity:", "summary:", "description:", "runbook_url:"):
            if part not in text:
                problems.append(f"{name}: has no {part}")
        link = re.search(r"runbook_url: .*runbook\.md#(\S+?)\"?$", text, re.M)
        if not link or link[1] != name.lower() or link[1] not in sections:
            problems.append(f"{name}: its runbook_url is not its section of docs/runbook.md")
        cases = re.findall(rf"alertname: {name}\n *exp_alerts:(.*)", tests)
        if not any("[]" in case for case in cases):
            problems.append(f"{name}: no test shows it silent")
        if all("[]" in case for case in cases):
            problems.append(f"{name}: no test shows it firing")
    if not alerts():
        problems.append(f"{RULES}: no alerts")


def expressions(panels):
    for panel in panels:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
        yield from expressions(panel.get("panels", []))


def check_dashboard():
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        problems.append(f"{DASHBOARD}: two panels have one id")
    found = list(expressions(dashboard["panels"]))
    queries = [variable["query"] for variable in dashboard["templating"]["list"]
               if variable["type"] == "query"]
    for query in queries:
        check_names(DASHBOARD, query["query"])
    if len(found) < 20:
        problems.append(f"{DASHBOARD}: only {len(found)} expressions were found")
    rules = ["groups:", "- name: dashboard", "  rules:"]
    for title, expression in found:
        check_names(f"panel {title}", expression)
        plain = expression.replace("$__rate_interval", "5m")
        rules += ["  - record: panel", f"    expr: {json.dumps(plain)}",
                  "    labels:", f"      panel: {json.dumps(title + str(len(rules)))}"]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write("\n".join(rules) + "\n")
        file.flush()
        promtool("check", "rules", file.name)


{"metrics": check_metrics, "rules": check_rules, "dashboard": check_dashboard}[PART]()
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
