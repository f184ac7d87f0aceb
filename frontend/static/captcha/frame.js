/**
 * The challenge in its frame: begins an attempt through one of the doors, shows its rounds, and
 * tells the page how it ended. It speaks to that page alone, and hears nothing from it: what the
 * page wishes (a door, the action of reCAPTCHA v3) stands in the frame's address, after the #.
 */

import { make } from "../pages/js/dom.js";
import { fill } from "../shared/translate.js";
import { AttemptError, loadSheet, post } from "./attempts.js";
import { compute } from "./computation.js";
import { showGrid } from "./grid.js";
import { closeByEscape, speakTo } from "./page.js";
import { showSentences } from "./sentences.js";
import { TimeLeft } from "./time-left.js";

const ANEW = ["already-answered", "removed"]; // the next attempt may go well
const CODES = { // as hCaptcha's pages know them
  "rate-limited": "rate-limited",
  quota: "rate-limited",
  offline: "network-error",
  invalid: "invalid-data",
  forged: "invalid-data",
  host: "invalid-data",
  "unknown-site": "invalid-data",
};

const json = (id) => JSON.parse(document.getElementById(id).textContent);
const config = json("captcha-config");
const strings = json("captcha-strings");
const tell = speakTo(config.origin);
const wishes = new URLSearchParams(location.hash.slice(1));
const part = (id) => document.getElementById(id);
const [form, more, note, stage, submit, time, ways] = [
  "form", "more-time", "note", "stage", "submit", "time", "ways",
].map(part);

let attempt = null; // as the server described it, and `door`
let round = null; // what is shown: { number, answer, label, missing }
let turn = new AbortController(); // ends when the door is changed or an attempt is over

const clock = new TimeLeft({
  nearly: () => (attempt.door === "work" ? takeMoreTime() : offerMoreTime()),
  over: () => tell("expired"),
});

/** Begin an attempt through a door; `why` is a sentence, if it is not the first. */
async function begin(door, why = "") {
  const { signal } = startTurn(door);
  warn(why);
  await guard(() => begin(door), async () => {
    const body = { ticket: config.ticket, door };
    if (wishes.has("action")) body.action = wishes.get("action");
    const begun = await post(config.attempts, body, signal);
    if (signal.aborted) return;
    attempt = { ...begun, door };
    if (begun.outcome === "passed") return pass();
    clock.start(begun.expires_in);
    if (door === "work") return work(signal);
    if (begun.work) computeMeanwhile(signal);
    await showRound(1, signal);
  });
}

/** End what is going on, and show that something is coming. */
function startTurn(door) {
  turn.abort();
  turn = new AbortController();
  clock.stop();
  offerMoreTime(false);
  round = null;
  for (const button of ways.children) {
    button.hidden = !config.doors.includes(button.dataset.door);
    button.setAttribute("aria-pressed", String(button.dataset.door === door));
  }
  ways.hidden = config.doors.length < 2;
  showLoading(door);
  return turn;
}

/** Compute while the visitor looks or reads; what is found is sent with the answers. */
function computeMeanwhile(signal) {
  const { worker: address } = document.body.dataset;
  attempt.nonces = compute(attempt.work, { address, onPart: () => {}, signal });
  attempt.nonces.catch(() => {}); // who sends the answer hears of it
}

async function showRound(number, signal) {
  const described = attempt.rounds[number - 1];
  const address = sheetOf(number, signal);
  const options = { round: described, url: await address, strings, onChange: showLabel };
  if (signal.aborted) return;
  round = { number, ...(address ? showGrid(options) : showSentences(options)) };
  show(round.stage);
  showLabel();
  submit.hidden = false;
  const next = attempt.rounds[number];
  if (next) sheetOf(number + 1, signal)?.catch(() => (next.loaded = undefined)); // loaded ahead
}

/** The promise of a round's sheet, which is asked for once; undefined where it has none. */
function sheetOf(number, signal) {
  const described = attempt.rounds[number - 1];
  if (described.sheet) described.loaded ??= loadSheet(described.sheet, signal);
  return described.loaded;
}

async function work(signal) {
  const { count } = attempt.work;
  const progress = make("progress", { max: count, value: 0, "aria-label": strings.work });
  const says = make("p");
  const onPart = (done) => {
    progress.value = done;
    says.textContent = fill(strings.working, { number: Math.min(done + 1, count), count });
  };
  onPart(0);
  const cancel = make("button", { type: "button", class: "button", onclick: stopWork }, strings.cancel);
  const heading = make("h1", { tabindex: "-1" }, strings.work);
  const explanation = make("p", {}, strings.explanation);
  show(make("div", { class: "work" }, heading, explanation, progress, says, cancel));
  const { worker: address } = document.body.dataset;
  const nonces = await compute(attempt.work, { address, onPart, signal });
  await send({ round: 1, nonces }, signal);
}

function stopWork() {
  const others = config.doors.filter((door) => door !== "work");
  if (others.length) return begin(others[0]);
  startTurn("work");
  showStop(strings.stopped, strings.start, () => begin("work"));
}

async function send(body, signal) {
  if (attempt.nonces) {
    say(strings.finishing);
    body.nonces = await attempt.nonces;
    say("");
  }
  const address = `${config.attempts}${attempt.attempt}/answers/`;
  const result = await post(address, body, signal);
  if (signal.aborted) return;
  Object.assign(attempt, result);
  if (result.outcome === "passed") return pass();
  if (result.outcome === "failed") return begin(attempt.door, strings.failed);
  showLoading(attempt.door);
  say(strings.another);
  await showRound(result.round, signal);
}

function pass() {
  clock.stop();
  const { response, expires_in, attempt: name = "" } = attempt;
  const [key] = name.split("."); // without its signature
  tell("passed", { response, expires_in, key });
}

/** Do something that may fail, and show how it failed, with a button that does `again`. */
async function guard(again, act) {
  const { signal } = turn;
  try {
    await act();
  } catch (error) {
    if (!signal.aborted) handle(error, again);
  }
}

function handle(error, again) {
  const { code, detail, doors } = error instanceof AttemptError ? error : new AttemptError("broken");
  if (code === "expired") return tell("expired");
  if (ANEW.includes(code)) return begin(attempt.door, strings.anew);
  if (code === "door-closed" && doors) {
    const closed = stage.dataset.door;
    config.doors = doors.filter((door) => door !== closed);
    if (config.doors.length) {
      tell("ready"); // also where all were let pass unseen until now
      return begin(config.doors[0], strings.closed);
    }
  }
  clock.stop();
  const isOld = code === "forged"; // the page was open for so long that its ticket is
  showStop(detail || strings[code] || strings.broken, strings.retry, isOld ? () => location.reload() : again);
  tell("failed", { code: CODES[code] ?? "challenge-error" });
}

/** Show a sentence in place of a question, and a button that goes on. */
function showStop(sentence, label, act) {
  tell("ready"); // also where nothing would have been shown
  const button = label && make("button", { type: "button", class: "button primary", onclick: act }, label);
  show(make("div", { class: "stop" }, make("h1", { tabindex: "-1" }, sentence), button || ""));
}

/** Show in place of the question what takes as much room, as it comes. */
function showLoading(door) {
  submit.hidden = true;
  submit.disabled = false;
  stage.setAttribute("aria-busy", "true");
  stage.dataset.door = door;
  const tiles = Array.from({ length: door === "grid" ? 16 : 3 }, () => make("span", {}));
  const shapes = make("div", { class: "skeleton", "aria-hidden": "true" }, ...tiles);
  stage.replaceChildren(make("p", { class: "hidden-text" }, strings.loading), shapes);
}

function show(element) {
  submit.hidden = true;
  stage.removeAttribute("aria-busy");
  stage.replaceChildren(element);
  element.querySelector("h1").focus();
}

function showLabel() {
  submit.textContent = round.label();
}

function say(sentence) {
  note.className = "note info";
  note.textContent = sentence;
}

function warn(sentence) {
  note.className = "note";
  note.textContent = sentence;
}

function offerMoreTime(offers = true) {
  time.textContent = offers ? strings.minutes : "";
  more.hidden = !offers;
}

async function takeMoreTime() {
  const { signal } = turn;
  try {
    const { expires_in } = await post(`${config.attempts}${attempt.attempt}/more-time/`, {}, signal);
    clock.start(expires_in);
    if (!more.hidden) say(strings.extended);
    offerMoreTime(false);
  } catch ({ detail }) {
    if (!signal.aborted) warn(detail || strings.broken);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!round || submit.disabled) return;
  const missing = round.missing?.();
  warn(missing ?? "");
  if (missing) return;
  submit.disabled = true;
  const { number, answer } = round;
  const { signal } = turn;
  const body = { round: number, ...answer() };
  guard(() => begin(attempt.door), () => send(body, signal));
});

ways.addEventListener("click", ({ target: { dataset } }) => {
  if (dataset.door && (dataset.door !== attempt?.door || !round)) begin(dataset.door);
});

more.addEventListener("click", () => {
  (stage.querySelector("h1") ?? stage).focus();
  takeMoreTime();
});

closeByEscape(tell);

/** Begin with what the page wishes, else the first door; what passes unasked is not even shown. */
function start() {
  const [first] = config.doors;
  if (config.test || first === "open") return begin("open");
  tell("ready");
  if (first) return begin(config.doors.includes(wishes.get("door")) ? wishes.get("door") : first);
  ways.hidden = true;
  showStop(config.error, "", () => {});
  tell("failed", { code: "challenge-error" });
}

start();
