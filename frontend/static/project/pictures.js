/** The page of pictures: a place to drop files on, and how far their upload is. */

import { Client } from "../shared/client.js";
import { ofDrop, ofList } from "./dropped-files.js";
import { bytes, count, timeLeft } from "./sizes.js";
import { Upload } from "./upload.js";

const TIMEOUT = 180_000; // ms for one request: a part over a slow line takes its time
const SPOKEN_EVERY = 15_000; // ms between two lines for screen readers

const section = document.querySelector("[data-upload]");
const part = (name) => section.querySelector(`[data-${name}]`);
const csrf = document.querySelector("meta[name=csrf-token]").content;

let upload = null;
let spoken = 0;

function show(name) {
  part("drop").hidden = name !== "drop";
  part("sending").hidden = name !== "sending";
}

function fail(message) {
  show("drop");
  part("failed").textContent = message;
  part("failed").hidden = false;
}

async function start(gathering) {
  if (upload) return;
  part("failed").hidden = true;
  show("sending");
  part("sending-title").focus();
  part("sending-text").textContent = "Looking at what there is …";
  const { name, sources } = await gathering;
  if (!sources.length) return fail("There are no files in what you chose: choose another folder.");
  part("sending-title").textContent = `Uploading ${name}`;
  upload = new Upload({
    client: new Client({ csrf, timeout: TIMEOUT }),
    begin: section.dataset.begin,
    imports: section.dataset.imports.replace(/0\/$/, ""),
    name,
    sources,
    onProgress: showProgress,
  });
  window.addEventListener("beforeunload", warn);
  try {
    const record = await upload.run();
    window.removeEventListener("beforeunload", warn);
    location.assign(section.dataset.page.replace("/0/", `/${record.id}/`));
  } catch (error) {
    window.removeEventListener("beforeunload", warn);
    upload = null;
    if (error.code === "stopped") return show("drop");
    fail(`${error.message} Drop the same folder again to go on.`);
  }
}

function showProgress({ phase, sent, total, files, bytesPerSecond, secondsLeft, error, retryIn }) {
  const bar = part("bar");
  if (phase === "announcing" || !total) bar.removeAttribute("value");
  else bar.value = sent / total;
  const speed = bytesPerSecond ? `, ${bytes(bytesPerSecond)} a second` : "";
  const left = timeLeft(secondsLeft);
  const line = {
    announcing: `${count(files, "file")}, ${bytes(total)}`,
    completing: "All has come.",
  }[phase] ?? `${bytes(sent)} of ${bytes(total)}${speed}${left ? `, ${left}` : ""}`;
  part("sending-text").textContent = line;
  part("trouble").hidden = phase !== "waiting";
  if (phase === "waiting") {
    part("trouble").textContent = `${error.message} Trying again in ${count(retryIn, "second")}. Nothing is lost.`;
  }
  if (Date.now() - spoken > SPOKEN_EVERY) {
    spoken = Date.now();
    part("live").textContent = phase === "waiting" ? part("trouble").textContent : line;
  }
}

function warn(event) {
  event.preventDefault();
}

async function cancel() {
  await upload?.cancel().catch(() => {});
  location.reload();
}

function highlight(on) {
  part("drop").classList.toggle("over", on);
}

if (section) {
  section.classList.add("scripted");
  for (const button of section.querySelectorAll("[data-choose]")) {
    const input = section.querySelector(`[data-input="${button.dataset.choose}"]`);
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => input.files.length && start(ofList(input.files)));
  }
  if (!("webkitdirectory" in document.createElement("input"))) {
    section.querySelector('[data-choose="folder"]').hidden = true;
  }
  part("cancel").addEventListener("click", cancel);
  // Anywhere on the page: a folder that misses the zone would otherwise be opened by the browser.
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    highlight(true);
  });
  window.addEventListener("dragleave", (event) => event.relatedTarget === null && highlight(false));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    highlight(false);
    if (event.dataTransfer.types.includes("Files")) start(ofDrop(event.dataTransfer));
  });
}
