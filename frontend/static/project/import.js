/** The page of an import: its progress until it has ended, and the choice of concepts. */

import { Client } from "../shared/client.js";
import { poll } from "./poll.js";
import { bytes, count, timeLeft } from "./sizes.js";

const POLL = 1_500; // ms
const SPOKEN_EVERY = 15_000; // ms between two lines for screen readers

const page = document.querySelector("[data-import]");
const form = document.querySelector("[data-concepts]");

/** Show how far an import is until its state changes. */
function follow(client) {
  const part = (name) => page.querySelector(`[data-${name}]`);
  let spoken = 0;

  function show({ state, share, done, pictures, received, bytes: size, seconds_left: seconds, waits_for: waits }) {
    if (share === null) part("bar").removeAttribute("value");
    else part("bar").value = share;
    const left = timeLeft(seconds);
    const known = {
      uploading: `${bytes(received)} of ${bytes(size)} have come.`,
      fetching: size ? `${bytes(received)} of ${bytes(size)} have come.` : "",
      importing: `${done.toLocaleString("en")} of ${count(pictures, "picture")}${left ? `, ${left}` : ""}`,
    }[state];
    const line = waits ? waits.charAt(0).toUpperCase() + waits.slice(1) : (known ?? "");
    if (part("details").textContent === line) return;
    part("details").textContent = line;
    if (Date.now() - spoken > SPOKEN_EVERY) {
      spoken = Date.now();
      part("live").textContent = line;
    }
  }

  poll({
    read: () => client.get(page.dataset.import),
    show: (record) => {
      const isOver = record.state !== page.dataset.state;
      if (isOver) location.reload();
      else show(record);
      return isOver;
    },
    every: POLL,
    setLost: (isLost) => {
      part("lost").hidden = !isLost;
    },
  });
}

/** Filter the list of concepts, tick them together, and say what the button will do. */
function choose() {
  const part = (name) => form.querySelector(`[data-${name}]`);
  const rows = [...form.querySelectorAll(".candidates li")].map((row) => ({
    row,
    box: row.querySelector("input"),
    text: [...row.querySelectorAll("bdi")].map((name) => name.textContent).join("\n").toLocaleLowerCase(),
  }));
  const pictures = count(Number(form.dataset.pictures), "picture");

  function showChoice() {
    const typed = part("others").value.split(/[\n,]/).filter((name) => name.trim()).length;
    const concepts = rows.filter(({ box }) => box.checked).length + typed;
    part("submit").textContent = concepts
      ? `Import ${pictures} and ask about ${count(concepts, "concept")}`
      : `Import ${pictures} and ask nothing new`;
  }

  function filter() {
    const words = part("filter").value.trim().toLocaleLowerCase();
    for (const { row, text } of rows) row.hidden = !text.includes(words);
    part("none-shown").hidden = rows.some(({ row }) => !row.hidden);
  }

  function tick(on) {
    for (const { row, box } of rows) if (!box.disabled && (!row.hidden || !on)) box.checked = on;
    showChoice();
  }

  if (rows.length) {
    part("tools").hidden = false;
    part("filter").addEventListener("input", filter);
    for (const button of form.querySelectorAll("[data-tick]")) {
      button.addEventListener("click", () => tick(button.dataset.tick === "all"));
    }
  }
  form.addEventListener("input", showChoice);
  form.addEventListener("submit", () => {
    part("submit").setAttribute("aria-disabled", "true");
  });
  // Enter in the filter must not start the import.
  part("filter")?.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  showChoice();
}

if (page) follow(new Client({ csrf: document.querySelector("meta[name=csrf-token]").content }));
if (form) choose();
