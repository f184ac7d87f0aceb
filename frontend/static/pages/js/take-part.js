/** The challenge page: one challenge after the other, by keyboard, mouse or finger. */

import { ApiError, Client } from "../../shared/client.js";
import { gettext } from "../../shared/translate.js";
import { Ahead } from "./ahead.js";
import { Challenges } from "./challenges.js";
import { now } from "./clock.js";
import { csrfToken } from "./csrf.js";
import { EarlierResults } from "./earlier-results.js";
import { Guides } from "./guides.js";
import { Hints } from "./hints.js";
import { Kept } from "./kept.js";
import { openDatabase } from "./kept-database.js";
import { LastChallenge, UNDO_SECONDS } from "./last-challenge.js";
import * as messages from "./messages.js";
import { OfflineControl } from "./offline.js";
import { NO_ROOM } from "./offline-messages.js";
import { Outbox } from "./outbox.js";
import { decodeBlobs, loadBlobs, loadPicture, loadPictures } from "./pictures.js";
import { Practice } from "./practice.js";
import { Prefetcher } from "./prefetch.js";
import { Previews } from "./previews.js";
import { Reporter } from "./report.js";
import { Screen } from "./screen.js";
import { SittingBar } from "./sitting-bar.js";
import { SkipMenu } from "./skip-menu.js";
import { pageStorage, safeStorage } from "./storage.js";
import { Strip } from "./strip.js";
import { followLinks, preferredKind } from "./without-pictures.js";

const RETRY = 5_000; // ms between attempts to reach the server
const MAX_AWAY = 5;
const MARGIN = 5_000; // ms: what was set aside is not shown any more this close to its end

const root = document.getElementById("ask");
const { project, practice: practiceCount, preview } = root.dataset;
const storage = preview ? pageStorage() : safeStorage(window);
const offered = root.hasAttribute("data-text-questions");
const kind = preferredKind(storage, { kind: root.dataset.kind, offered });
const offlineRoot = document.getElementById("offline"); // not in previews
const locks = navigator.locks ?? null; // not over plain HTTP
const client = new Client({ csrf: csrfToken });
const challenges = preview ? new Previews(client, preview) : new Challenges(client);
const hints = new Hints(storage);
const guides = new Guides({
  get: (address) => client.get(address),
  load: (example) => loadPicture(example.url),
  storage,
});
const practice = new Practice({ client, project, storage });
const database = offlineRoot && (await openDatabase());
const kept =
  database &&
  new Kept({
    database,
    project,
    kind: kind || null,
    decode: decodeBlobs,
    isAnswered: (token) => outbox.has(token),
    locks,
  });
const prefetcher = new Prefetcher({
  kept,
  issue: () => challenges.issue({ project, kind: kind || null }),
  load: (challenge) => {
    guides.unseen(challenge); // so that it is there when the challenge is
    return loadPictures(challenge);
  },
});
const outbox = new Outbox({
  send: ({ token, action, body }) => challenges[action](token, body),
  storage,
  onDone: showResult,
  locks,
  owner: root.dataset.annotator,
});
const ahead =
  kept &&
  new Ahead({
    issue: () => challenges.issue({ project, kind: kind || null, ahead: true }),
    loadBlobs,
    kept,
    limit: Number(offlineRoot.dataset.limit),
    onChange: () => offline.refresh(),
    locks,
  });
const offline =
  offlineRoot && new OfflineControl({ root: offlineRoot, ahead, kept, outbox, storage, project });

const screen = new Screen({
  root,
  skipMenu: preview
    ? null
    : new SkipMenu({
        dialog: document.getElementById("skip-dialog"),
        button: document.getElementById("skip-why"),
      }),
  submit,
  skip,
  undo,
  retry: next,
  guide: () => (asked ? guides.of(asked) : null),
});
const strip = new Strip({
  list: document.getElementById("strip"),
  button: document.getElementById("undo"),
  legend: document.getElementById("legend"),
  undo,
});
const last = new LastChallenge({
  undo: (token) => challenges.undo(token),
  result: (token) => challenges.result(token),
  show: (entry) => strip.show(entry, UNDO_SECONDS),
  close: () => strip.close(),
  showResult: (result) => {
    strip.showResult(result);
    if (result.message || result.generated) screen.showOutcome(result);
  },
  outbox,
});

const earlier = new EarlierResults({
  result: (token) => challenges.result(token),
  say: ({ message, generated }) => screen.showOutcome({ message, generated }),
});

const reporter = preview
  ? null
  : new Reporter({
      root,
      dialog: document.getElementById("report-dialog"),
      send: (number, body) => challenges.flag(current?.challenge.token ?? "gone", number, body),
      say: (text) => screen.note(text),
      done: () => {
        screen.showOutcome({ message: gettext("Reported to those who review this project.") });
      },
    });

const bar = document.getElementById("sitting");
const line = document.getElementById("progress");
const sitting = bar && new SittingBar({ root: bar, line, client, project, storage });

let asked = null; // the challenge or practice question that the help explains
let current = null; // { challenge, pictures, deadline } on the screen
let answered = false; // whether anything was, since the page was opened
let announced = false; // whether it was said how to undo
let turn = 0; // the number of the screen that is shown or loaded
let loading = 0; // the turn that is being loaded, or 0
let away = []; // what was answered last, to be asked again if the server takes it for unseen
let setAside = []; // challenges that come next, because an earlier one was brought back
let undelivered = null; // the ApiError that keeps answers waiting
let expiryTimer = 0;
let retryTimer = 0;

/** Bring the next challenge to the screen, or say why there is none. */
function next() {
  if (loading) return;
  turn += 1;
  loading = turn;
  loadNext(turn);
}

async function loadNext(own) {
  clearTimeout(expiryTimer);
  current = null;
  const stopWaiting = screen.wait();
  let fetched = null;
  try {
    if (undelivered && outbox.unkept) throw new ApiError("unkept", NO_ROOM);
    fetched = await upNext();
    const guide = fetched && (await guides.unseen(fetched.challenge));
    stopWaiting();
    if (own === turn && guide) await explainConcept(fetched.challenge, guide);
    if (own !== turn) setAside.push(...[fetched].filter(Boolean));
    else if (fetched) show(fetched);
    else screen.showNothingToAsk(kind, { answered });
  } catch (error) {
    stopWaiting();
    if (own === turn) explain(error);
  } finally {
    if (loading === own) loading = 0;
  }
}

/** Return a challenge that was set aside and is still good, or the next one that is fetched. */
async function upNext() {
  const fetched = setAside.shift();
  if (!fetched) return prefetcher.next();
  return fetched.deadline - now() > MARGIN ? fetched : upNext();
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
  if (await screen.showGuide(guide)) guides.markSeen(challenge);
}

/** Show a challenge, with the answer that was taken back, if one was. */
function show({ challenge, pictures, deadline }, body = null) {
  asked = challenge;
  current = { challenge, pictures, deadline };
  reporter?.reset();
  screen.showChallenge(challenge, pictures, { hint: !hints.knows(challenge.kind), body });
  sitting?.begin(challenge.progress);
  clearTimeout(expiryTimer);
  expiryTimer = setTimeout(expire, deadline - now());
  deliver();
}

function expire() {
  current = null;
  screen.showExpired();
}

/** Keep the answer, show the next challenge at once, and send the answer meanwhile. */
function submit(body) {
  if (!current) return;
  if (now() >= current.deadline) return expire();
  answered = true;
  hints.learn(current.challenge.kind);
  leave("answer", { ...body, seconds: screen.seconds });
}

/** Skip the challenge, for a reason or none. */
function skip(reason = null) {
  if (current) leave("skip", reason ? { reason } : {});
}

function leave(action, body) {
  const fetched = current;
  away = [...away, fetched].slice(-MAX_AWAY);
  outbox.add({ token: fetched.challenge.token, action, body });
  screen.note("");
  next();
  deliver();
  if (!preview) keep({ fetched, action, body });
}

/** Offer to undo it, and say once how. */
function keep({ fetched, action, body }) {
  last.keep({ fetched, action, body });
  earlier.keep({ token: fetched.challenge.token, action });
  screen.showOutcome({ message: action === "skip" ? messages.SKIPPED : messages.SENT });
  if (!announced) screen.announce(messages.undoable(UNDO_SECONDS));
  announced = true;
}

/** Bring the last challenge back as it was answered; the one on the screen comes next. */
async function undo() {
  if (!last.undoable) return;
  const thaw = screen.wait({ skeleton: false });
  try {
    const { fetched, body, progress } = await last.undo();
    if (current) setAside.unshift(current);
    turn += 1;
    loading = 0;
    strip.clear();
    if (progress) screen.resetProgress(progress);
    sitting?.update(progress);
    screen.showOutcome({ message: messages.UNDONE });
    screen.note("");
    show(fetched, body);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    thaw();
    screen.note(messages.notUndone(error));
  }
}

/** Send what waits, then prefetch the challenge that comes after the one on the screen. */
async function deliver() {
  clearTimeout(retryTimer);
  const error = await outbox.flush();
  undelivered = error;
  screen.showWaiting(outbox.waiting, error);
  offline?.refresh();
  if (error) {
    retryTimer = setTimeout(deliver, error.code === "throttled" ? error.retryAfter * 1000 : RETRY);
  } else if (["offline", "unkept"].includes(screen.problem)) {
    next();
  } else if (current && !setAside.length) {
    prefetcher.start();
  }
  if (!error) offline?.fill();
}

/** Say what became of one answer; skips pass in silence. */
function showResult({ entry, outcome, error }) {
  if (error?.code === "too_fast") askAgain(entry.token);
  else kept?.remove(entry.token);
  const arrivedBefore = error?.code === "answered" && entry.tried;
  if (error && !arrivedBefore) last.drop(entry.token);
  else last.deliver(entry.token, outcome?.result_in);
  if (outcome?.result_in) earlier.deliver(entry.token, outcome.result_in);
  if (entry.action !== "answer") return;
  if (outcome) screen.showOutcome(outcome);
  sitting?.update(outcome?.progress);
  if (error && !arrivedBefore) screen.showRefused(error);
}

/** Ask again what the server takes for unseen. */
function askAgain(token) {
  const fetched = away.find(({ challenge }) => challenge.token === token);
  if (fetched) setAside.push(fetched);
  else kept?.giveBack(token);
}

function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  screen.showProblem(error, outbox.waiting);
  clearTimeout(retryTimer);
  if (["offline", "unkept"].includes(error.code)) retryTimer = setTimeout(deliver, RETRY);
  if (error.code === "throttled") retryTimer = setTimeout(next, error.retryAfter * 1000);
}

window.addEventListener("online", deliver);
window.addEventListener("beforeunload", (event) => {
  if (!preview && outbox.unkept) event.preventDefault(); // they would be lost
});
kept?.refresh(() => challenges.fetchedAhead(project));
followLinks(document, storage, kind);
if (kind !== "text" && Number(practiceCount) > 0 && !practice.isDone) await practise();
next();
