"""A headless Chromium, spoken to by its DevTools protocol over two pipes, so that no package and no port is needed.

https://chromedevtools.github.io/devtools-protocol/
"""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))

from harness import SOON, Failure, die_with_parent, wait_until  # noqa: E402

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "Home": 36, "End": 35, " ": 32, "/": 191}
TEXTS = {"Enter": "\r", " ": " ", "/": "/"}
# What the browser answers where the page is left for another one while an expression is on its way to it.
LEFT = ("Inspected target navigated or closed", "Execution context was destroyed",
        "Cannot find default execution context")


def program():
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class ProtocolError(Exception):
    """What the browser refused."""


class Browser:
    def __init__(self, arguments=()):
        self.folder = tempfile.mkdtemp(prefix="slated-browser.")
        child_in, self.to_child = os.pipe()
        self.from_child, child_out = os.pipe()

        def prepare():
            die_with_parent()
            high_in, high_out = os.dup2(child_in, 60), os.dup2(child_out, 61)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        # Root has no other sandbox. What the pages load comes from the test itself.
        self.process = subprocess.Popen(
            [program(), "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--disable-extensions", "--no-first-run", "--no-proxy-server", "--hide-scrollbars",
             f"--user-data-dir={self.folder}", *arguments, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4),
            preexec_fn=prepare)
        os.close(child_in)
        os.close(child_out)
        self.news = threading.Condition()
        self.answers = {}
        self.pages = {}
        self.last = 0
        self.gone = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        rest = b""
        while chunk := os.read(self.from_child, 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self.news:
                    if "id" in message:
                        self.answers[message["id"]] = message
                    elif page := self.pages.get(message.get("sessionId")):
                        page.take(message["method"], message["params"])
                    self.news.notify_all()
        with self.news:
            self.gone = True
            self.news.notify_all()

    def call(self, method, session=None, **params):
        with self.news:
            self.last += 1
            number = self.last
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_child, data):]
        with self.news:
            if not self.news.wait_for(lambda: number in self.answers or self.gone, SOON) or self.gone:
                raise Failure(f"the browser did not answer {method}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise ProtocolError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def page(self, width=1280, height=800, scheme="light", zone="Europe/Berlin"):
        return Page(self, width, height, scheme, zone)

    def close(self):
        with contextlib.suppress(Failure, ProtocolError, OSError):
            self.call("Browser.close")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.thread.join(10)
        os.close(self.to_child)
        os.close(self.from_child)
        shutil.rmtree(self.folder, ignore_errors=True)


class Page:
    """A tab. `problems` gathers errors of scripts, the console and the policy; `requests` the addresses asked for."""

    def __init__(self, browser, width, height, scheme, zone):
        self.browser = browser
        self.problems = []
        self.requests = []
        self.loads = 0
        context = browser.call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        self.target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Network", "Log", "Performance"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setTimezoneOverride", timezoneId=zone)
        self.call("Emulation.setLocaleOverride", locale="en-GB")
        self.size(width, height)
        self.colours(scheme)

    def take(self, method, params):
        if method == "Page.loadEventFired":
            self.loads += 1
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(arg.get("value", arg)) for arg in params["args"]))

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    def open(self, url):
        before = self.loads
        self.call("Page.navigate", url=url)
        wait_until(f"{url} is loaded", lambda: self.loads > before)

    def run(self, script):
        """The value of an expression, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failure(f"{script[:80]}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def wait(self, script, deadline=SOON):
        """Waits until the expression is true, of the page that follows where this one is left meanwhile."""
        def look():
            try:
                return self.run(f"Boolean({script})")
            except ProtocolError as error:
                if not any(words in str(error) for words in LEFT):
                    raise
                return False

        try:
            return wait_until(script, look, deadline)
        except Failure as error:
            raise Failure(f"{error}; the page says: {self.run('document.body.innerText')[:600]!r}") from None

    def texts(self, selector):
        return self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent.trim())")

    def click(self, selector):
        """As a mouse does it, so that what is covered cannot be clicked."""
        box = self.run(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "nearest"}});
            const {{x, y, width, height}} = element.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key, shift=False):
        code = KEYS[key]
        text = {"text": TEXTS[key]} if key in TEXTS else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, modifiers=8 * shift,
                  **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code, modifiers=8 * shift)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def measures(self):
        return {each["name"]: each["value"] for each in self.call("Performance.getMetrics")["metrics"]}

    def shoot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
