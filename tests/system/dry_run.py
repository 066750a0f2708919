#!/usr/bin/env python3
"""slatectl reload --dry-run says just what the daemon then does, told by slatectl reload."""
import json
import subprocess

import harness

CONFIG = """
instance = { reload = "%MODE"; };
severities = ( { name = "high"; }, { name = "low"; } );
calendars = { office = { timezone = "Europe/Berlin"; hours = { daily = "00:00-24:00"; }; }; };
policies = (
    { name = "gold"; match = { plan = "gold"; }; targets = (
        { metric = "first_response"; severity = "high"; within = "2h"; at_risk = [ "75%" ]; },
        { metric = "first_response"; within = "8h"; calendar = "office"; },
        { metric = "resolution"; within = "20h"; pause_on = [ "pending" ]; } ); },
    { name = "rest"; targets = ( { metric = "first_response"; within = "6h"; at_risk = [ "75%" ]; } ); }
);
"""


def reload(bench, *arguments):
    done = subprocess.run([harness.BUILD / "slatectl", "reload", *arguments], capture_output=True, text=True, check=False,
                          env=bench.server.environment | {"LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


def dry_run(bench, *arguments):
    return reload(bench, "--dry-run", *arguments)


def clocks(bench):
    return {(row["external_id"], row["metric"]): (row["state"], row["due"] and harness.microseconds(row["due"])) for row in bench.db.rows(
        "SELECT t.external_id, c.metric, c.state, c.due_at AS due FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id")}


def test(bench):
    text = CONFIG.replace('instance = { reload = "%MODE"; };\n', "")

    def write(name, text, mode="keep"):
        path = bench.write_config(text, name)
        path.write_text(path.read_text().replace('name = "first"; };', f'name = "first"; reload = "{mode}"; }};'))
        return path

    config = write("slated.conf", text)
    daemon = bench.daemon(config)
    hour = "now() - interval '1 hour'"
    for name, values in (("earlier", "'gold', 'high'"), ("breaks", "'gold', 'low'"), ("stays", "'gold', 'low'"), ("levels", "'free', 'low'"),
                         ("gone", "'gold', 'high'")):
        bench.db.run(f"INSERT INTO sla.ticket (external_id, plan, severity, opened_at) VALUES ('{name}', {values}, {hour})")
    bench.db.run("INSERT INTO sla.ticket (external_id, plan, severity) VALUES ('later', 'gold', 'high')")
    bench.db.run("UPDATE sla.ticket SET status = 'pending' WHERE external_id = 'breaks'")
    bench.db.wait("(SELECT count(*) FROM sla.clock) = 11 AND (SELECT count(*) FROM sla.clock WHERE state = 'paused') = 1")
    before = clocks(bench)
    # Low ones of gold are late already; resolutions no longer pause; those of the rest only get other levels.
    draft_text = text.replace('within = "2h"', 'within = "90m"').replace('within = "8h"; calendar = "office"', 'within = "45m"') \
        .replace('pause_on = [ "pending" ]; ', "").replace('"6h"; at_risk = [ "75%" ]', '"6h"; at_risk = [ "50%" ]')
    gone = draft_text.replace("calendars = {", "calendars = { other = { hours = { daily = \"00:00-24:00\"; }; timezone = \"UTC\"; }; };\n#")
    status, out, err = dry_run(bench, "--config", write("gone.conf", gone))
    bench.check((status, err) == (1, "") and 'calendar "office" is gone, but 2 open clocks run on it, such as ticket' in out,
                "refused: a calendar that open clocks need", out + err)
    draft_text = draft_text.replace('within = "45m"', 'within = "45m"; calendar = "office"')
    keep, migrate = write("keep.conf", draft_text), write("migrate.conf", draft_text, "migrate")
    status, out, _ = dry_run(bench, "--config", write("lost.conf", draft_text.replace('{ name = "low"; }', '{ name = "calm"; }')))
    bench.check(status == 1 and 'severity "low" is gone, but 3 open tickets have it' in out, "refused: a severity that open tickets have", out)

    status, out, err = dry_run(bench, "--config", keep)
    bench.check((status, err) == (0, "") and out.startswith("11 open clocks would keep their targets\nwith --migrate"), "keep", out + err)
    bench.equal(dry_run(bench, "--config", keep, "--migrate")[1], dry_run(bench, "--config", migrate)[1], "--migrate is as if it were set")
    status, out, err = dry_run(bench, "--config", migrate, "--json")
    told = json.loads(out)
    bench.equal((status, told["open"], told["accepted"], told["migrates"]), (0, 11, True, True), "json")
    moves = {(m["ticket"], m["metric"]): m for m in told["moves"]}
    bench.equal({key: move["move"] for key, move in moves.items()},
                {("earlier", "first_response"): "earlier", ("later", "first_response"): "earlier", ("gone", "first_response"): "earlier",
                 ("breaks", "first_response"): "breached", ("breaks", "resolution"): "resumed", ("stays", "first_response"): "breached",
                 ("levels", "first_response"): "levels"}, "what would move")
    bench.equal(clocks(bench), before, "and nothing has moved")

    config.write_text(keep.read_text() + "whatever = 1;\n")
    status, _, err = reload(bench, "--config", config)
    bench.check(status == 1 and "whatever" in err, "a broken one is not even told of", err)
    config.write_text(keep.read_text())
    bench.equal(reload(bench, "--config", config), (0, "reloaded; open clocks keep their targets\n", ""), "the daemon takes it")
    bench.equal(clocks(bench), before, "and no clock has moved")
    bench.equal(reload(bench, "--config", config, "--migrate"), (0, "reloaded; open clocks move to the new targets\n", ""), "--migrate")
    bench.db.wait("(SELECT count(*) FROM sla.clock WHERE state = 'breached') = 2 AND NOT EXISTS (SELECT FROM sla.clock WHERE state = 'paused')")
    after = clocks(bench)
    for key, move in moves.items():
        state, due = after[key]
        wanted = harness.microseconds(move["would_be_due_at"])
        # What resumes counts from the moment of the reload on.
        fits = abs(due - wanted) < 60_000_000 if move["move"] == "resumed" else due == wanted
        bench.check(fits and (state == "breached") == (move["move"] == "breached"), f"{key[0]}, {key[1]}: as was said", (state, due, wanted))
    bench.equal({key for key in after if after[key] != before[key]} | {("levels", "first_response")}, moves.keys(), "the others have not moved")
    status, out, _ = dry_run(bench, "--config", config, "--migrate")
    bench.equal((status, out), (0, "would move 0 of 11 open clocks\n"), "the same configuration once more moves nothing")
    bench.equal(dry_run(bench, "--config", bench.folder / "nowhere.conf")[0], 1, "no such file")
    # What the daemon alone sees: a file of its own that is broken.
    other = write("other.conf", draft_text.replace("6h", "7h"))
    config.write_text("policies = (\n")
    status, _, err = reload(bench, "--config", other)
    bench.check(status == 1 and "reload refused, the former configuration stays in force" in err, "what the daemon refuses is told", err)
    bench.stopped(daemon)
    status, _, err = reload(bench, "--config", other)
    bench.check(status == 1 and 'no daemon "first" is alive' in err, "no daemon", err)


harness.run(test)
