#!/usr/bin/env python3
"""A ticket's page and attainment in a browser, on a real daemon; all pages by axe-core, at several widths and in both
colours; and the headers that they come with."""
import http.client

from stage import TOKEN, Stage, fill, run

WIDTHS = ((390, 844), (1024, 768), (1920, 1080))


def open_tickets(site):
    """One with a long story, and some that have ended; answers the number of the first."""
    story = site.ticket("story", "gold", "26 hours", org="Acme GmbH", assignee="ann")
    site.clocks("t.external_id = 'story' AND c.metric = 'first_response' AND c.state = 'breached'")
    site.bench.db.run(f"INSERT INTO sla.reply (ticket_id, author) VALUES ({story}, 'agent')")
    for number in range(5):
        site.ticket(f"kept-{number}", "silver", "10 minutes")
    site.bench.db.run("INSERT INTO sla.reply (ticket_id, author) "
                      "SELECT id, 'agent' FROM sla.ticket WHERE plan = 'silver'")
    for name, age in (("late", "2 hours"), ("soon", "50 minutes"), ("calm", "1 minute")):
        site.ticket(name, "gold", age, org="Kestrel")
    site.clocks("t.external_id = 'calm'")
    return story


def test_ticket(bench, site, story):
    page = site.page(f"/ticket/{story}", zone="Europe/Berlin", height=1400)
    page.wait("document.querySelectorAll('article .timeline').length === 2")
    bench.equal(page.texts("h1"), ["Ticket story, Acme GmbH"], "the ticket")
    bench.equal(page.texts("article h3"), ["Resolution", "First response"], "its clocks, those that run first")
    bench.equal(page.texts("article .word"), ["On track", "Met late"], "and what became of them")
    bench.equal(page.run("""[...document.querySelectorAll("article")].map((e) => ["open", "ran", "now", "deadline"].map(
                (name) => e.querySelectorAll(".timeline ." + name).length > 0))"""),
                [[True, True, True, True], [True, True, False, True]], "open hours, when it ran, now, the deadline")
    numbers = page.texts(".milestone text")
    bench.equal(sorted(map(int, numbers)), list(range(1, len(page.texts("#milestones tbody tr")) + 1)),
                "each milestone is a mark, numbered as in the table")
    bench.check(bench.db.value("SELECT count(*) FROM sla.milestone WHERE ticket_id = " + str(story)) == len(numbers),
                "and all are there", numbers)
    where = page.run("""(() => {
        const line = document.querySelector("article:nth-child(2) .deadline line").getBBox().x;
        const mark = document.querySelector("article:nth-child(2) .milestone.breached rect").getBBox();
        return Math.abs(line - mark.x - mark.width / 2);
    })()""")
    bench.check(where < 1, "the breach lies on the deadline", where)
    axes = page.run("""[...new Set([...document.querySelectorAll("article:nth-child(2) .tick text")].map(
        (e) => e.getAttribute("y")))].length""")
    bench.equal(axes, 2, "the reader's time above, the calendar's below")
    bench.check("Los Angeles" in page.texts("article")[1], "with its zone")
    page.click("article summary")
    why = page.texts("article:first-child li")
    bench.check(len(why) > 1, "why it is due then", why)
    page.wait("document.querySelectorAll('article:first-child .stretches tbody tr').length > 0")
    rows = page.texts("article:first-child .stretches tbody tr")
    bench.check(rows[0].startswith("counted") and rows[-1].startswith("will count"), "every stretch of time", rows)
    bench.check(page.texts("article:first-child li")[-1].startswith("Counted by configuration "), "and by what it was counted")
    bench.check("timeline" in page.run("document.querySelector('.chart').getAttribute('aria-label')").lower(),
                "the drawing in words")
    bench.db.run(f"UPDATE sla.ticket SET status = 'pending' WHERE id = {story}")
    page.wait("document.querySelector('article .word').textContent === 'Paused'")
    bench.check(page.run("document.querySelector('article details').open"), "it follows; what was opened stays open")
    bench.db.run(f"UPDATE sla.ticket SET status = 'open' WHERE id = {story}")
    page.wait("document.querySelector('article .word').textContent !== 'Paused'")
    bench.equal(page.run("document.querySelectorAll('article:first-child .rest').length"), 1, "the pause is drawn")
    return page


def test_sight(bench, site, story):
    """A ticket that nobody looks at has no stream, and catches up when somebody does."""
    page = site.page(f"/ticket/{story}")
    page.wait("document.body.dataset.connection === 'live'")
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s});" \
           "document.dispatchEvent(new Event('visibilitychange'))"
    page.run(hide % "true")
    page.wait("document.body.dataset.connection === 'lost'")
    bench.db.run(f"UPDATE sla.ticket SET assignee = 'bo' WHERE id = {story}")
    page.run(hide % "false")
    page.wait("document.body.dataset.connection === 'live'")
    page.wait("document.querySelector('#facts').innerText.includes('bo')")
    bench.check(True, "a page out of sight rests, and catches up")


def test_assess(bench, page, story):
    page.click("#assess")
    page.wait("document.querySelector('dialog[open]')")
    for name, text in (("by", "Bo"), ("severity", "critical"), ("reason", "Production is down"), ("token", TOKEN)):
        fill(page, f"dialog [name={name}]", text)
    page.click("dialog .primary")
    page.wait("!document.querySelector('dialog') && document.querySelector('#facts').innerText.includes('critical')")
    bench.equal(bench.db.value(f"SELECT severity FROM sla.ticket WHERE id = {story}"), "critical", "assessed")


def test_unknown(bench, site):
    page = site.page("/ticket/999999")
    page.wait("document.querySelector('#loading').textContent === 'There is no such ticket.'")
    bench.check(all("404" in text for text in page.problems), "a ticket that there is not", page.problems)
    site.close(page)


def test_attainment(bench, site):
    page = site.page("/attainment?weeks=4", zone="Europe/Berlin")
    page.wait("document.querySelectorAll('.policy svg').length === 2")
    bench.equal(page.texts(".policy h2"), ["gold", "silver"], "each policy")
    bench.equal(page.texts(".policy .total"), ["0% of 2 in time, 2 missed", "100% of 5 in time, 0 missed"],
                "kept and missed")
    heights = page.run("""[...document.querySelectorAll(".policy")].map((e) =>
        [...e.querySelectorAll("rect.kept, rect.missed")].map((r) => [r.classList[0], r.height.baseVal.value]))""")
    tall = [{name for name, height in rects if height > 0} for rects in heights]
    bench.equal(tall, [{"missed"}, {"kept"}], "its bars")
    page.click("details summary")
    # The breaches are of an hour ago, which on a Monday's first hour is a week ago.
    missed = [row["missed"] for row in bench.db.rows(
        "SELECT count(m.at) AS missed FROM generate_series(3, 0, -1) AS ago LEFT JOIN sla.milestone m "
        "ON m.milestone = 'breached' AND date_trunc('week', m.at AT TIME ZONE 'Europe/Berlin') "
        "= date_trunc('week', now() AT TIME ZONE 'Europe/Berlin') - ago * interval '7 days' GROUP BY ago ORDER BY ago DESC")]
    bench.equal((sum(missed), page.texts(".policy:first-of-type tbody td")),
                (2, [text for n in missed for text in ("0%" if n else "–", "0", str(n))]), "the same as figures")
    page.run("document.querySelector('#f-metric').value = 'update'")
    page.run("document.querySelector('#f-metric').dispatchEvent(new Event('input', {bubbles: true}))")
    page.wait("!document.querySelector('#empty').hidden && location.search === '?weeks=4&metric=update'")
    bench.check(True, "a filter in the address, and nothing to be shown")
    page.open(site.origin + "/attainment")
    page.wait("document.querySelectorAll('.policy svg').length === 2")


WORDS = (
    # What is called, and what it says.
    ("format", "formatCountdown(59.2)", "01:00"), ("format", "formatCountdown(-59.2)", "01:00"),
    ("format", "formatCountdown(3599)", "59:59"), ("format", "formatCountdown(3600)", "1:00:00"),
    ("format", "formatCountdown(86399)", "23:59:59"), ("format", "formatCountdown(2 * 86400 + 3 * 3600)", "2d 03:00"),
    ("format", "formatCountdown(120 * 86400)", "120d"), ("format", "formatCountdown(0)", "00:00"),
    ("format", "formatLength(0)", "0s"), ("format", "formatLength(90)", "1m30s"), ("format", "formatLength(3600)", "1h"),
    ("format", "formatLength(40 * 3600 + 1800)", "40h30m"),
    ("format", "zoneName('America/Argentina/Buenos_Aires')", "Buenos Aires"),
    ("format", "zoneOffset(Date.UTC(2026, 6, 1), 'Europe/Berlin') / 3600000", 2),
    ("format", "zoneOffset(Date.UTC(2026, 0, 1), 'UTC-08:00') / 3600000", -8),
    ("format", "formatInstant(Date.UTC(2026, 0, 1, 12), Date.UTC(2026, 0, 1), 'UTC')", "12:00"),
    ("format", "formatInstant(Date.UTC(2026, 0, 3, 12), Date.UTC(2026, 0, 1), 'UTC')", "Sat 12:00"),
    ("format", "formatInstant(Date.UTC(2026, 1, 3, 12), Date.UTC(2026, 0, 1), 'UTC')", "3 Feb, 12:00"),
    ("clock", "budgetText({budget: 3600}, 3599)", "99% of 1h"),
    ("clock", "budgetText({budget: 3600, estimated: true}, 7200)", "about 200% of 1h"),
    # Used up at its rate, and known for as long as that holds.
    ("clock", "usedOf({used: 10, rate: 1, at: 1000, rateUntil: 5000}, 3000)", 12),
    ("clock", "usedOf({used: 10, rate: 1, at: 1000, rateUntil: 5000}, 9000)", 14),
    ("clock", "usedOf({used: 10, rate: 0, at: 1000}, 9000)", 10),
    ("clock", "urgencyOf({state: 'running', due: 10, at_risk: true}, 10)", 0),
    ("clock", "urgencyOf({state: 'running', due: 10, at_risk: true}, 9)", 1),
    # Round times of the zone's own, also across the night in which its clocks are set forward.
    ("timeline", "ticksOf(Date.UTC(2026, 2, 28, 20), Date.UTC(2026, 2, 29, 9), 'Europe/Berlin', 4).ticks"
     ".map((at) => new Date(at).toISOString().slice(8, 16)).join(' ')", "28T23:00 29T04:00"),
    ("timeline", "ticksOf(0, 3600000, 'Asia/Kolkata', 4).ticks.map((at) => at / 60000).join(' ')", "15 30 45 60"),
)


def test_words(bench, page):
    for module, call, wanted in WORDS:
        got = page.run(f"import('/web/{module}.js').then((module) => module.{call})")
        bench.equal(got, wanted, f"{module}: {call}")


# How far the words and lines of "now" and the deadline are apart, at the worst, for a clock of an hour: pixels.
FLAGS = """import('/web/timeline.js').then((timeline) => {
    const box = document.createElement("div");
    const boxOf = (name) => box.querySelector(name).getBoundingClientRect();
    const apart = (a, b) => Math.max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom);
    const start = Date.parse("2026-03-02T09:00:00Z");
    let least = 1000;
    document.body.append(box);
    for (const width of [280, 420, 860])
        for (const minute of [0, 1, 5, 30, 50, 55, 58, 59, 60, 61, 62, 65, 70, 90, 120, 600, 6000]) {
            const clock = {metric: "resolution", state: minute < 60 ? "running" : "breached", timezone: "UTC",
                started_at: "2026-03-02T09:00:00Z", due_at: "2026-03-02T10:00:00Z", spans: [["2026-03-02T09:00:00Z"]]};
            const chart = timeline.makeTimeline(clock, [], () => start + minute * 60000);
            box.style.width = width + "px";
            box.replaceChildren(chart.element);
            chart.draw();
            const svg = boxOf("svg");
            const inside = (word) => Math.min(word.left - svg.left, svg.right - word.right);
            least = Math.min(least, apart(boxOf(".now text"), boxOf(".deadline text")),
                apart(boxOf(".now text"), boxOf(".deadline line")), apart(boxOf(".now line"), boxOf(".deadline text")),
                inside(boxOf(".now text")), inside(boxOf(".deadline text")));
        }
    box.remove();
    return least;
})"""


def test_flags(bench, page):
    least = page.run(FLAGS)
    bench.check(least >= 0, "now and the deadline do not lie on each other and are whole", least)


def test_looks(bench, site, story):
    """Each page in both colours and at several widths."""
    for scheme, ground in (("light", "rgb(238, 241, 245)"), ("dark", "rgb(12, 17, 23)")):
        for path, ready in (("/", ".row .digits"), (f"/ticket/{story}", "article"), ("/attainment", ".policy svg")):
            page = site.page(path, scheme=scheme)
            page.wait(f"document.querySelector('{ready}')")
            if path == "/":
                page.click("summary")
            elif path.startswith("/ticket"):
                page.click("article summary")
                page.wait("document.querySelector('.stretches')")
            name = path.split("/")[1] or "board"
            bench.equal(page.run("getComputedStyle(document.body).backgroundColor"), ground, f"{name} is {scheme}")
            for width, height in WIDTHS:
                page.size(width, height)
                page.wait(f"innerWidth === {width}")
                wide = page.run("document.documentElement.scrollWidth - innerWidth")
                bench.check(wide <= 0, f"{name}, {scheme}, fits {width} pixels", f"{wide} too wide")
                site.check_accessible(page, f"{name}, {scheme}, {width} pixels")
                site.look(page, f"{name}-{scheme}-{width}")
    page = site.page("/", scheme="light")
    page.wait("document.querySelector('.row') && document.querySelector('.change').offsetHeight > 0")
    page.click(".row .actions button:last-child")
    page.wait("document.querySelector('dialog[open]')")
    site.check_accessible(page, "a dialog")
    page.press("Escape")
    page.run("document.querySelector('#theme').click(); document.querySelector('#theme').click()")
    bench.equal(page.run("getComputedStyle(document.body).backgroundColor"), "rgb(12, 17, 23)", "a button makes it dark")
    page.open(site.origin + "/attainment")
    bench.equal(page.run("getComputedStyle(document.body).backgroundColor"), "rgb(12, 17, 23)", "and dark it stays")


def get(site, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_headers(bench, site):
    for path, kind in (("/", "text/html; charset=utf-8"), ("/ticket/1", "text/html; charset=utf-8"),
                       ("/attainment", "text/html; charset=utf-8"), ("/web/board.js", "text/javascript; charset=utf-8"),
                       ("/web/style.css", "text/css; charset=utf-8"), ("/web/icon.svg", "image/svg+xml")):
        answer, body = get(site, path)
        bench.equal((answer.status, answer.headers["Content-Type"], bool(body)), (200, kind, True), f"{path}: its type")
        policy = answer.headers["Content-Security-Policy"]
        bench.check("default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy,
                    f"{path}: nothing from elsewhere and nothing inline", policy)
        bench.equal((answer.headers["X-Content-Type-Options"], answer.headers["Referrer-Policy"],
                     answer.headers["Cache-Control"]), ("nosniff", "same-origin", "no-cache"), f"{path}: other headers")
        again, body = get(site, path, If_None_Match=f'"other", {answer.headers["ETag"]}')
        bench.equal((again.status, body, again.headers["Content-Length"]), (304, b"", None), f"{path}: 304 if one has it")
        bench.equal(get(site, path, If_None_Match='"other"')[0].status, 200, f"{path}: 200 for who has another one")
    bench.equal(get(site, "/web/web.mk")[0].status, 404, "no other files")


def test(bench):
    site = Stage(bench)
    test_headers(bench, site)
    story = open_tickets(site)
    page = test_ticket(bench, site, story)
    test_sight(bench, site, story)
    test_assess(bench, page, story)
    test_words(bench, page)
    test_flags(bench, page)
    test_unknown(bench, site)
    test_attainment(bench, site)
    test_looks(bench, site, story)
    site.check_pages()
    bench.stopped(site.daemon)


if __name__ == "__main__":
    run(test)
