/** The screen that asks: one challenge after the other, from the keyboard, a mouse or a finger. */

import { Ahead } from "./ahead.js";
import { Client, Refusal } from "./client.js";
import { Outbox, safeStorage } from "./outbox.js";
import { loadPictures } from "./pictures.js";
import { Screen } from "./screen.js";

const RETRY = 5_000; // ms between attempts to reach the server
const SEEN = "tessera.seen-hint";

const root = document.getElementById("ask");
const { project, kind } = root.dataset;
const storage = safeStorage(window);
const client = new Client({ csrf: document.querySelector('meta[name="csrf-token"]').content });
const ahead = new Ahead({
  issue: () => client.issue({ project, kind: kind || null }),
  load: loadPictures,
});
const outbox = new Outbox({
  send: ({ token, action, body }) =>
    action === "skip" ? client.skip(token) : client.answer(token, body),
  storage,
  told: tell,
});
const screen = new Screen({ root, submit, skip, retry: next });

let current = null; // { challenge, deadline, shownAt } on the screen
let coming = null; // the promise of the next one
let expiry = 0;
let retry = 0;

/** Bring the next challenge to the screen, or say why there is none. */
function next() {
  coming ??= bring().finally(() => {
    coming = null;
  });
}

async function bring() {
  clearTimeout(expiry);
  current = null;
  const loading = screen.wait();
  try {
    const taken = await ahead.take();
    loading.done();
    if (taken) show(taken);
    else screen.sayNothingLeft();
  } catch (refusal) {
    loading.done();
    explain(refusal);
  }
}

function show({ challenge, pictures, deadline }) {
  current = { challenge, deadline, shownAt: performance.now() };
  screen.show(challenge, pictures, { first: !storage.getItem(SEEN) });
  expiry = setTimeout(expire, deadline - Date.now());
  deliver();
}

function expire() {
  current = null;
  screen.sayExpired();
}

/** Keep the answer, show the next challenge at once, and send in the meantime. */
function submit(body) {
  if (!current) return;
  if (Date.now() >= current.deadline) return expire();
  storage.setItem(SEEN, "1");
  const seconds = Math.round((performance.now() - current.shownAt) / 100) / 10;
  leave("answer", { ...body, seconds });
}

function skip() {
  if (current) leave("skip", {});
}

function leave(action, body) {
  outbox.add({ token: current.challenge.token, action, body });
  screen.forget();
  next();
  deliver();
}

/** Send what waits, then fetch what comes after the challenge that is shown. */
async function deliver() {
  clearTimeout(retry);
  const stopped = await outbox.flush();
  screen.sayWaiting(outbox.waiting, stopped);
  if (stopped) {
    retry = setTimeout(deliver, stopped.code === "throttled" ? stopped.wait * 1000 : RETRY);
  } else if (screen.troubled === "offline") {
    next();
  } else if (current) {
    ahead.prepare();
  }
}

/** What became of one answer. */
function tell({ entry, outcome, refusal }) {
  if (outcome && entry.action === "answer") screen.sayOutcome(outcome);
  const known = refusal?.code === "answered" && entry.tried; // it had arrived the first time
  if (refusal && entry.action === "answer" && !known) screen.sayRefused(refusal);
}

function explain(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  screen.sayTrouble(refusal, outbox.waiting);
  clearTimeout(retry);
  if (refusal.code === "offline") retry = setTimeout(deliver, RETRY);
  if (refusal.code === "throttled") retry = setTimeout(next, refusal.wait * 1000);
}

window.addEventListener("online", deliver);
next();
