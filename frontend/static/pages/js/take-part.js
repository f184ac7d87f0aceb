/** The challenge page: one challenge after the other, by keyboard, mouse or finger. */

import { ApiError, Client } from "../../shared/client.js";
import { Challenges } from "./challenges.js";
import { Outbox, pageStorage, safeStorage } from "./outbox.js";
import { Guides } from "./guides.js";
import { loadPicture, loadPictures } from "./pictures.js";
import { Practice } from "./practice.js";
import { Prefetcher } from "./prefetch.js";
import { Previews } from "./previews.js";
import { Reporter } from "./report.js";
import { Screen } from "./screen.js";

const RETRY = 5_000; // ms between attempts to reach the server
const HINT_SEEN = "tessera.seen-hint";

const root = document.getElementById("ask");
const { project, kind, practice: practiceCount, preview } = root.dataset;
const storage = preview ? pageStorage() : safeStorage(window);
const csrf = document.querySelector('meta[name="csrf-token"]').content;
const client = new Client({ csrf });
const challenges = preview ? new Previews(client, preview) : new Challenges(client);
const guides = new Guides({
  get: (address) => client.get(address),
  load: (example) => loadPicture(example.url),
  storage,
});
const practice = new Practice({ client, project, storage });
const prefetcher = new Prefetcher({
  issue: () => challenges.issue({ project, kind: kind || null }),
  load: (challenge) => {
    guides.unseen(challenge); // so that it is there when the challenge is
    return loadPictures(challenge);
  },
});
const outbox = new Outbox({
  send: ({ token, action, body }) =>
    action === "skip" ? challenges.skip(token) : challenges.answer(token, body),
  storage,
  onDone: showResult,
});
const screen = new Screen({
  root,
  submit,
  skip,
  retry: next,
  guide: () => (asked ? guides.of(asked) : null),
});

const reporter = preview
  ? null
  : new Reporter({
      root,
      dialog: document.getElementById("report-dialog"),
      send: (number, body) => challenges.flag(current?.challenge.token ?? "gone", number, body),
      say: (text) => screen.showHint(text),
      done: () => screen.showOutcome({ message: "Reported to those who review this project." }),
    });

let asked = null; // the challenge or practice question that the help explains
let current = null; // { challenge, deadline, shownAt } on the screen
let answered = false; // whether anything was, since the page was opened
let loading = null; // the promise of the next one
let expiryTimer = 0;
let retryTimer = 0;

/** Bring the next challenge to the screen, or say why there is none. */
function next() {
  loading ??= loadNext().finally(() => {
    loading = null;
  });
}

async function loadNext() {
  clearTimeout(expiryTimer);
  current = null;
  const stopWaiting = screen.wait();
  try {
    const fetched = await prefetcher.next();
    const guide = fetched && (await guides.unseen(fetched.challenge));
    stopWaiting();
    if (guide) await explainConcept(fetched.challenge, guide);
    if (fetched) show(fetched);
    else screen.showNothingToAsk(kind, { answered });
  } catch (error) {
    stopWaiting();
    explain(error);
  }
}

/** Let newcomers practise, if there is anything to practise on; go on without it if it fails. */
async function practise() {
  prefetcher.start();
  try {
    while (await practiseOne());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Return the next practice question with its guide and picture; null where there is none. */
async function nextPractice() {
  const stopWaiting = screen.wait();
  try {
    const question = await practice.next();
    if (!question) return null;
    const [guide, pictures] = await Promise.all([guides.unseen(question), loadPictures(question)]);
    return { question, guide, pictures };
  } finally {
    stopWaiting();
  }
}

/** Ask a practice question and say what is right; return whether there may be another one. */
async function practiseOne() {
  const fetched = await nextPractice();
  if (!fetched) return false;
  const { question, guide, pictures } = fetched;
  if (guide) await explainConcept(question, guide);
  asked = question;
  const yes = await screen.askPractice(question, pictures);
  if (yes === null) {
    practice.skip().catch(() => {});
    return false;
  }
  const result = await practice.check(question, yes);
  await screen.showFeedback(result);
  return true;
}

async function explainConcept(challenge, guide) {
  asked = challenge;
  await screen.showGuide(guide);
  guides.markSeen(challenge);
}

function show({ challenge, pictures, deadline }) {
  asked = challenge;
  current = { challenge, deadline, shownAt: performance.now() };
  reporter?.reset();
  screen.showChallenge(challenge, pictures, { first: !storage.getItem(HINT_SEEN) });
  expiryTimer = setTimeout(expire, deadline - Date.now());
  deliver();
}

function expire() {
  current = null;
  screen.showExpired();
}

/** Keep the answer, show the next challenge at once, and send the answer meanwhile. */
function submit(body) {
  if (!current) return;
  if (Date.now() >= current.deadline) return expire();
  answered = true;
  storage.setItem(HINT_SEEN, "1");
  const seconds = Math.round((performance.now() - current.shownAt) / 100) / 10;
  leave("answer", { ...body, seconds });
}

function skip() {
  if (current) leave("skip", {});
}

function leave(action, body) {
  outbox.add({ token: current.challenge.token, action, body });
  screen.clearMessages();
  next();
  deliver();
}

/** Send what waits, then prefetch the challenge that comes after the one on the screen. */
async function deliver() {
  clearTimeout(retryTimer);
  const error = await outbox.flush();
  screen.showWaiting(outbox.waiting, error);
  if (error) {
    retryTimer = setTimeout(deliver, error.code === "throttled" ? error.retryAfter * 1000 : RETRY);
  } else if (screen.problem === "offline") {
    next();
  } else if (current) {
    prefetcher.start();
  }
}

/** Say what became of one answer; skips pass in silence. */
function showResult({ entry, outcome, error }) {
  if (entry.action !== "answer") return;
  if (outcome) screen.showOutcome(outcome);
  const arrivedBefore = error?.code === "answered" && entry.tried;
  if (error && !arrivedBefore) screen.showRefused(error);
}

function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  screen.showProblem(error, outbox.waiting);
  clearTimeout(retryTimer);
  if (error.code === "offline") retryTimer = setTimeout(deliver, RETRY);
  if (error.code === "throttled") retryTimer = setTimeout(next, error.retryAfter * 1000);
}

window.addEventListener("online", deliver);
if (Number(practiceCount) > 0 && !practice.isDone) await practise();
next();
