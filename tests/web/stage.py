"""What the tests of the board share: a daemon with a board, pages that judge themselves, and axe-core."""
import json
import os
import pathlib
import socket

import browser  # finds the harness
from harness import HERE as SYSTEM
from harness import Skip, run

__all__ = ["TOKEN", "Stage", "fill", "free_port", "run"]

AXE = SYSTEM / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TOKEN = "a token for tests, which nobody else has"
CONFIG = """
severities = ( {{ name = "critical"; }}, {{ name = "high"; }}, {{ name = "normal"; }} );
calendars = {{
    pacific = {{ timezone = "America/Los_Angeles"; hours = {{ daily = "00:00-24:00"; }}; }};
    shut = {{ timezone = "Asia/Kolkata"; hours = {{ daily = "00:00-24:00"; }};
              exceptions = ( {{ date = "{today}"; hours = ""; }}, {{ date = "{tomorrow}"; hours = ""; }} ); }};
}};
policies = (
    {{ name = "gold"; match = {{ plan = "gold"; }}; rank = 10; targets = (
        {{ metric = "first_response"; within = "1h"; calendar = "pacific"; at_risk = [ "50%" ]; }},
        {{ metric = "resolution"; within = "30h"; pause_on = [ "pending" ]; }} ); }},
    {{ name = "silver"; match = {{ plan = "silver"; }}; targets = (
        {{ metric = "first_response"; within = "1h"; at_risk = [ "50%" ]; }} ); }},
    {{ name = "brief"; match = {{ plan = "brief"; }}; targets = (
        {{ metric = "first_response"; within = "4s"; at_risk = [ "50%" ]; }} ); }},
    {{ name = "shut"; match = {{ plan = "shut"; }}; targets = (
        {{ metric = "first_response"; within = "1h"; calendar = "shut"; }} ); }}
);
http = {{ listen = [ "127.0.0.1:{port}" ]; token_file = "token"; }};
"""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Stage:
    """A daemon, its board's address, and a browser."""

    def __init__(self, bench, browser_arguments=()):
        if not browser.program():
            raise Skip("no chromium")
        if not AXE.is_file():
            raise Skip("axe-core is not installed; tests/system/install-modules does that")
        self.bench = bench
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        (bench.folder / "token").write_text(TOKEN + "\n")
        (bench.folder / "token").chmod(0o600)
        days = bench.db.rows("SELECT (now() AT TIME ZONE 'Asia/Kolkata')::date AS today, "
                             "(now() AT TIME ZONE 'Asia/Kolkata')::date + 1 AS tomorrow")[0]
        self.text = CONFIG.format(port=self.port, **days)
        self.config = bench.write_config(self.text)
        self.daemon = bench.daemon(self.config)
        self.browser = browser.Browser(browser_arguments)
        bench.stack.callback(self.browser.close)
        self.pages = []

    def ticket(self, name, plan, age="0 s", **more):
        """Opens one that is as old as `age` says; answers its number."""
        names = {"external_id": name, "plan": plan, "severity": "high", **more}
        keys = ", ".join(names)
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in names.values())
        return int(self.bench.db.run(f"INSERT INTO sla.ticket ({keys}, opened_at) VALUES ({values}, "
                                     f"now() - interval '{age}') RETURNING id"))

    def clocks(self, condition):
        """Waits until the daemon has written a clock for which it holds."""
        self.bench.db.wait("EXISTS (SELECT FROM sla.clock c JOIN sla.ticket t ON t.id = c.ticket_id "
                           f"WHERE {condition})")

    def page(self, path="/", **options):
        page = self.browser.page(**options)
        self.pages.append(page)
        page.open(self.origin + path)
        return page

    def close(self, page):
        """A page whose errors are as they should be."""
        self.pages.remove(page)
        page.close()

    def check_pages(self):
        """No page asked anybody else, and none had an error or broke the policy."""
        foreign = [url for page in self.pages for url in page.requests if not url.startswith(self.origin + "/")]
        self.bench.equal(foreign, [], "no request leaves the origin")
        self.bench.equal([problem for page in self.pages for problem in page.problems], [],
                         "no error, and no breach of the Content-Security-Policy")

    def check_accessible(self, page, what):
        page.run(AXE.read_text() + ";0")
        found = page.run(f"""axe.run(document, {{runOnly: {AXE_TAGS}}}).then(({{violations}}) =>
            violations.map(({{id, nodes}}) => id + ": " + nodes.map((node) => node.html).slice(0, 3).join(" ")))""")
        self.bench.equal(found, [], f"{what}: axe-core finds nothing")

    def look(self, page, name):
        """Keeps a picture where somebody wants to look: SLATED_PICTURES names the folder."""
        folder = os.environ.get("SLATED_PICTURES")
        if folder:
            page.shoot(pathlib.Path(folder) / f"{name}.png")


def fill(page, selector, text):
    """Types it into a field in place of what is there."""
    page.run(f"document.querySelector({json.dumps(selector)}).select()")
    page.type(text)
