/** The challenge page: one challenge after the other, by keyboard, mouse or finger. */

import { Client } from "../../shared/client.js";
import { gettext } from "../../shared/translate.js";
import { Ahead } from "./ahead.js";
import { Challenges } from "./challenges.js";
import { csrfToken } from "./csrf.js";
import { Delivery } from "./delivery.js";
import { EarlierResults } from "./earlier-results.js";
import { Explanations } from "./explanations.js";
import { Guides } from "./guides.js";
import { Hints } from "./hints.js";
import { Kept } from "./kept.js";
import { openDatabase } from "./kept-database.js";
import { LastChallenge, UNDO_SECONDS } from "./last-challenge.js";
import { OfflineControl } from "./offline.js";
import { Outbox } from "./outbox.js";
import { decodeBlobs, loadBlobs, loadPicture, loadPictures } from "./pictures.js";
import { Practice } from "./practice.js";
import { PracticeRound } from "./practice-round.js";
import { Prefetcher } from "./prefetch.js";
import { Previews } from "./previews.js";
import { Reporter } from "./report.js";
import { Screen } from "./screen.js";
import { SittingBar } from "./sitting-bar.js";
import { SkipMenu } from "./skip-menu.js";
import { pageStorage, safeStorage } from "./storage.js";
import { Strip } from "./strip.js";
import { Turns } from "./turns.js";
import { Upcoming } from "./upcoming.js";
import { elsewhere, followLinks, preferredKind } from "./without-pictures.js";

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
    by: document.querySelector('meta[name="user"]').content,
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
const upcoming = new Upcoming({ prefetcher, kept });
const outbox = new Outbox({
  send: ({ token, action, body }) => challenges[action](token, body),
  storage,
  onDone: (done) => delivery.showResult(done),
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
  submit: (body) => turns.submit(body),
  skip: (reason) => turns.skip(reason),
  undo: () => turns.undo(),
  retry: () => turns.next(),
  guide: () => explanations.current(),
});
const explanations = new Explanations({ guides, showGuide: (guide) => screen.showGuide(guide) });
const strip = new Strip({
  list: document.getElementById("strip"),
  button: document.getElementById("undo"),
  legend: document.getElementById("legend"),
  undo: () => turns.undo(),
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
      send: (number, body) => challenges.flag(turns.current?.challenge.token ?? "gone", number, body),
      say: (text) => screen.note(text),
      done: () => {
        screen.showOutcome({ message: gettext("Reported to those who review this project.") });
      },
    });

const bar = document.getElementById("sitting");
const line = document.getElementById("progress");
const sitting = bar && new SittingBar({ root: bar, line, client, project, storage });

const delivery = new Delivery({
  outbox,
  screen,
  upcoming,
  last,
  earlier,
  kept,
  offline,
  sitting,
  next: () => turns.next(),
  prepare: () => {
    if (turns.current) upcoming.prepare();
  },
});
const turns = new Turns({
  kind,
  goElsewhere: preview ? null : elsewhere(storage, { kind, offered, location }),
  preview,
  screen,
  explanations,
  upcoming,
  delivery,
  outbox,
  last,
  earlier,
  strip,
  hints,
  reporter,
  sitting,
});

window.addEventListener("online", () => delivery.deliver());
window.addEventListener("beforeunload", (event) => {
  if (!preview && outbox.unkept) event.preventDefault(); // they would be lost
});
kept?.refresh(() => challenges.fetchedAhead(project));
followLinks(document, storage, kind);
if (kind !== "text" && Number(practiceCount) > 0 && !practice.isDone) {
  prefetcher.start();
  await new PracticeRound({ practice, screen, explanations }).run();
}
turns.next();
