#!/usr/bin/env python3
"""The board in a browser, on a real daemon: what it shows in which order, that it is live, what people do with it."""
import signal

from stage import TOKEN, Stage, fill, free_port, run

NAMES = ".row .ticket a"


def open_tickets(site):
    """Two breached, two at risk, two on track, one that is closed for the day, and one that is paused."""
    for name, plan, age, more in (
            ("late-silver", "silver", "3 hours", {"org": "Acme GmbH", "assignee": "ann"}),
            ("late-gold", "gold", "90 minutes", {"org": "Blue Harbour"}),
            ("soon", "silver", "50 minutes", {"org": "Acme Ltd", "team": "databases"}),
            ("sooner", "silver", "55 minutes", {"org": "Kestrel", "severity": "critical"}),
            ("calm", "silver", "5 minutes", {"org": "Kestrel"}),
            ("shut", "shut", "0 s", {})):
        site.ticket(name, plan, age, **more)
    paused = site.ticket("paused", "gold", "30 minutes", status="pending", org="Blue Harbour")
    site.bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) VALUES ({paused}, 'agent')")
    site.clocks("t.external_id = 'paused' AND c.metric = 'first_response' AND c.state = 'met'")
    site.clocks("t.external_id = 'shut'")


def wait_rows(page, names):
    page.wait(f"JSON.stringify([...document.querySelectorAll({NAMES!r})].map((e) => e.textContent)) === "
              f"JSON.stringify({names})".replace("'", '"'))


def row(name, part):
    """A script: the text of a part of the first row of that ticket."""
    return (f"[...document.querySelectorAll('.row')].find((e) => e.querySelector('a').textContent === {name!r})"
            f"?.querySelector({part!r}).textContent")


def test_order(bench, site):
    """Breached, at risk, on track, paused; in each the higher rank first, then the earlier deadline."""
    page = site.page(zone="Europe/Berlin")
    wait_rows(page, ["late-gold", "late-silver", "sooner", "soon", "late-gold", "calm", "shut", "paused"])
    bench.equal(page.texts(".row .word"), ["Breached"] * 2 + ["At risk"] * 2 + ["On track"] * 3 + ["Paused"], "states")
    bench.equal(page.texts(".tile .count"), ["2", "2", "3", "1"], "how many of what")
    bench.check(page.run("document.title").startswith("2 breached"), "the tab says so, too", page.run("document.title"))
    first = page.texts(".row:first-child [role=cell]")
    bench.check("overdue" in first[1] and first[1].startswith(("29:", "30:")), "how long it is overdue", first)
    bench.check(all(word in " ".join(first) for word in ("First response", "Blue Harbour", "gold", "high", "rank 10",
                                                         "nobody", "% of 1h", "was due", "Los Angeles")),
                "ticket, customer, plan, severity, rank, assignee, budget, deadline and zone", first)
    bench.check(page.run(row("soon", ".budget")).startswith("83% of 1h"), "83% of the budget is used",
                page.run(row("soon", ".budget")))
    clip = page.run("""[...document.querySelectorAll(".row.at_risk .used")].map((e) => e.style.clipPath)[1]""")
    bench.check(clip.startswith("inset(0px 16."), "and its bar is that long", clip)
    bench.check("closed until" in page.run(row("shut", ".when")), "closed for the day", page.run(row("shut", ".when")))
    bench.equal(page.run(row("paused", ".digits")), "30h", "what is left once it is resumed")
    digits = page.run(row("sooner", ".digits"))
    page.wait(f"{row('sooner', '.digits')} !== {digits!r}")
    bench.check(page.run(row("sooner", ".digits")) < digits, "the countdown runs")
    return page


def test_live(bench, site, page):
    """A ticket comes, is at risk, breaches and is answered while somebody looks."""
    page.run("window.kept = true")
    ticket = site.ticket("brief", "brief", org="Øresund")
    page.wait(f"{row('brief', '.word')} === 'On track' || {row('brief', '.word')} === 'At risk'")
    page.wait(f"{row('brief', '.word')} === 'At risk'")
    page.wait(f"{row('brief', '.word')} === 'Breached'")
    page.wait(f"document.querySelectorAll({NAMES!r})[2].textContent === 'brief'")
    page.wait("document.getElementById('announcer').textContent.includes('brief')")
    bench.equal(page.texts(".tile .count")[0], "3", "a breach moves its row up and is counted")
    bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) VALUES ({ticket}, 'agent')")
    page.wait(f"{row('brief', '.word')} === undefined")
    bench.check(page.run("window.kept === true"), "all of that without loading the page again")


def test_filters(bench, site):
    page = site.page("/?org=acme*")
    wait_rows(page, ["late-silver", "soon"])
    bench.equal(page.run("document.querySelector('#f-org').value"), "acme*", "a filter of the address")
    page.click("#tile-at_risk")
    wait_rows(page, ["soon"])
    bench.equal(page.run("location.search"), "?org=acme*&state=at_risk", "a tile changes the address")
    page.open(site.origin + page.run("location.pathname + location.search"))
    wait_rows(page, ["soon"])
    bench.equal(page.run("document.querySelector('#tile-at_risk').getAttribute('aria-pressed')"), "true",
                "the same after loading it again")
    page.click("#clear")
    page.wait(f"document.querySelectorAll({NAMES!r}).length === 8")
    page.click("summary")
    fill(page, "#f-plan", "go?d")
    wait_rows(page, ["late-gold", "late-gold", "paused"])
    bench.equal(page.run("location.search"), "?plan=go%3Fd", "what is typed is in the address")
    fill(page, "#f-plan", "nothing")
    page.wait("document.querySelector('#empty-words').textContent === 'No open clock fits these filters.'")
    site.ticket("other", "brief")
    site.clocks("t.external_id = 'other' AND c.state = 'breached'")
    bench.equal(page.texts(".tile .count"), ["0"] * 4, "news that the filters do not let through")
    bench.db.run("UPDATE sla.ticket SET status = 'solved' WHERE external_id = 'other'")


def test_acknowledge(bench, site):
    page = site.page("/?org=acme*")
    wait_rows(page, ["late-silver", "soon"])
    page.click(".row:first-child .actions button:first-child")
    page.wait("document.querySelector('dialog[open]')")
    fill(page, "#field-by", "Ann Archer")
    fill(page, "#field-token", "wrong")
    page.click("dialog .primary")
    page.wait("document.querySelector('dialog .error').textContent.includes('not allowed')")
    bench.check(page.problems and all("401" in text for text in page.problems), "a wrong token is refused",
                page.problems)
    page.problems.clear()
    fill(page, "#field-token", TOKEN)
    page.click("dialog .primary")
    page.wait("!document.querySelector('dialog')")
    page.wait(f"{row('late-silver', '.ack')}.includes('acknowledged')")
    bench.equal(bench.db.value("SELECT by FROM sla.event e JOIN sla.ticket t ON t.id = e.ticket_id WHERE "
                               "external_id = 'late-silver' AND kind = 'ack'"), "Ann Archer", "acknowledged by whom")
    page.click(".row:nth-child(2) .actions button:first-child")
    page.wait("document.querySelector('dialog[open]')")
    bench.equal(page.run("[document.querySelector('#field-by').value, !document.querySelector('#field-token')]"),
                ["Ann Archer", True], "the name and the token are remembered")
    page.run("document.querySelector('#field-for').value = '2h'")
    page.click("dialog .primary")
    page.wait(f"{row('soon', '.ack')}.includes('until')")
    bench.equal(page.run("localStorage.getItem('slated.token')"), None, "the token only for this session")
    return page


def test_silence(bench, site, page):
    page.click(".row:first-child .actions button:last-child")
    page.wait("document.querySelector('dialog[open]')")
    bench.equal(page.run("document.querySelector('dialog [name=\"match.org\"]').value"), "Acme GmbH", "its customer")
    fill(page, '[name="match.org"]', "Acme*")
    fill(page, '[name="match.plan"]', "")
    fill(page, "[name=reason]", "Migration")
    page.click("dialog .primary")
    page.wait("document.querySelector('#silences').innerText.includes('org=Acme*')")
    bench.equal(bench.db.rows("SELECT match, reason, by FROM sla.silence"),
                [{"match": {"org": "Acme*"}, "reason": "Migration", "by": "Ann Archer"}], "silenced, and by whom")
    page.click("#silences button")
    page.wait("document.querySelector('dialog[open]')")
    page.click("dialog .primary")
    page.wait("document.querySelector('#silences').hidden")
    bench.check(bench.db.value("SELECT ended_at IS NOT NULL FROM sla.silence"), "and ended")


def focused(page):
    return page.run("(({textContent, name}) => textContent.trim() || name)(document.activeElement)")


def test_keyboard(bench, site):
    page = site.page()
    page.wait(f"document.querySelectorAll({NAMES!r}).length === 8")
    page.press("Tab")
    bench.equal(focused(page), "To the clocks", "the first stop goes past the head")
    page.press("Enter")
    bench.equal(page.run("document.activeElement.id"), "main", "and there it is")
    page.press("/")
    bench.equal(focused(page), "org", "/ goes to the filters")
    page.run("document.querySelector('.row a').focus()")
    for key, name in (("ArrowDown", "late-silver"), ("ArrowDown", "sooner"), ("ArrowUp", "late-silver"),
                      ("End", "paused"), ("Home", "late-gold")):
        page.press(key)
        bench.equal(focused(page), name, f"{key} among the rows")
    page.press("Tab")
    bench.equal(focused(page), "Ack", "Tab goes to what can be done")
    page.press("Enter")
    page.wait("document.querySelector('dialog[open]')")
    bench.equal(focused(page), "by", "a dialog has the focus")
    page.press("Escape")
    page.wait("!document.querySelector('dialog')")
    bench.equal(focused(page), "Ack", "Escape gives it back")
    # The row under the focus moves down; the focus stays with it.
    page.run("document.querySelector('.row:nth-child(2) a').focus()")
    held = focused(page)
    moving = site.ticket("first", "gold", "10 hours")
    page.wait(f"document.querySelector({NAMES!r}).textContent === 'first'")
    bench.equal(focused(page), held, "the focus goes where its row goes")
    bench.db.run(f"UPDATE sla.ticket SET status = 'closed' WHERE id = {moving}")


def is_absence(problem):
    """What a browser says of a daemon that is not there, or has not loaded yet."""
    return "ERR_" in problem or "status of 503" in problem


def test_lost(bench, site):
    """The daemon goes away and comes back: the page says so, and catches up by itself."""
    page = site.page()
    page.wait("document.body.dataset.connection === 'live'")
    bench.stopped(site.daemon)
    page.wait("document.body.dataset.connection === 'lost'")
    bench.check("Offline" in page.run("document.body.innerText") and
                page.run("document.querySelector('#notice').innerText.includes('What you see is of')"),
                "a lost connection is shown, and of when what one sees is")
    bench.check(page.run(f"document.querySelectorAll({NAMES!r}).length === 8"), "and the clocks stay")
    site.ticket("meanwhile", "silver", "4 hours")
    site.daemon = bench.daemon(site.config)
    page.wait("document.body.dataset.connection === 'live' && document.querySelector('#notice').hidden")
    page.wait(f"{row('meanwhile', '.word')} === 'Breached'")
    bench.check(all(is_absence(text) for text in page.problems), "nothing else went wrong", page.problems)
    bench.db.run("UPDATE sla.ticket SET status = 'closed' WHERE external_id = 'meanwhile'")
    site.close(page)
    # What other pages lost meanwhile is not theirs.
    for other in site.pages:
        other.problems[:] = [text for text in other.problems if not is_absence(text)]


def test_standby(bench, site):
    """A daemon that stands by shows the same, read anew now and then, and has no stream."""
    port = free_port()
    config = bench.write_config(site.text.replace(f":{site.port}", f":{port}"), "second.conf", "second")
    first = bench.daemons[-1]
    bench.hang(first)
    daemon = bench.daemon(config, loaded=False)
    daemon.log.wait("^listening ")
    page = site.browser.page()
    page.open(f"http://127.0.0.1:{port}/")
    page.wait("document.body.dataset.connection === 'polling'")
    page.wait(f"document.querySelectorAll({NAMES!r}).length === 8")
    bench.check("stands by" in page.run("document.querySelector('#notice').innerText"), "a standby says so")
    page.close()
    bench.stopped(daemon, "SIGTERM to the standby")
    first.signal(signal.SIGCONT)


def test_elsewhere(bench, site):
    """Who is not on this host, or is led here by a foreign name, needs the token to see anything."""
    page = site.browser.page()
    page.open(f"http://board.example:{site.port}/")
    page.wait("document.querySelector('dialog[open] [name=token]')")
    bench.equal(page.texts(".row"), [], "nothing is shown without the token")
    fill(page, "#field-token", TOKEN)
    page.run("document.querySelector('#field-remember').click()")
    page.click("dialog .primary")
    page.wait("document.body.dataset.connection === 'live'")
    page.wait(f"document.querySelectorAll({NAMES!r}).length === 8")
    bench.equal(page.run("localStorage.getItem('slated.token')"), TOKEN, "with it everything, and it is remembered")
    page.click(".row a")
    page.wait("document.querySelector('article')")
    bench.check(True, "on the other pages, too")


def test(bench):
    site = Stage(bench, ["--host-resolver-rules=MAP board.example 127.0.0.1"])
    first = site.page()
    first.wait("document.querySelector('#empty-words').textContent === 'No open clocks: all is calm.'")
    open_tickets(site)
    page = test_order(bench, site)
    test_live(bench, site, page)
    test_filters(bench, site)
    page = test_acknowledge(bench, site)
    test_silence(bench, site, page)
    test_keyboard(bench, site)
    test_elsewhere(bench, site)
    test_standby(bench, site)
    streams = [url for url in first.requests if url.endswith("/stream")]
    bench.equal(len(streams), 1, "the first page has followed one stream all the time")
    test_lost(bench, site)
    site.check_pages()
    bench.stopped(site.daemon)


if __name__ == "__main__":
    run(test)
