"""The worker of the door without a test, in a browser on a page without a secure context."""

import uuid
from pathlib import Path

from labeling.captcha import work

SCRIPT = Path(__file__).parents[2] / "frontend/static/captcha/work.js"
PAGE = "http://plain.example/"
POLICY = "default-src 'none'; script-src 'self'; worker-src 'self'"
SOLVE = """(wanted) => new Promise((resolve, reject) => {
  const worker = new Worker("/work.js");
  const posted = [];
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({ data }) => {
    posted.push(data);
    if (data.nonces) resolve(posted);
  };
  worker.postMessage(wanted);
})"""


def test_it_solves_what_the_server_asks_for(page):
    page.route(
        PAGE,
        lambda route: route.fulfill(
            content_type="text/html",
            body="<!doctype html>",
            headers={"Content-Security-Policy": POLICY},
        ),
    )
    page.route(f"{PAGE}work.js", lambda route: route.fulfill(path=SCRIPT))
    page.goto(PAGE)
    assert page.evaluate("isSecureContext") is False
    wanted = work.Parameters(n=64, r=8, p=1, bits=5, puzzles=6)
    attempt = uuid.uuid4()
    *progress, last = page.evaluate(SOLVE, work.puzzle(attempt, wanted))
    assert progress == [{"done": number} for number in range(1, 7)]
    assert all(work.is_solved(work.salt_of(attempt), wanted, last["nonces"]) for _ in range(20))
