// A snapshot that is being frozen: say how far it is, and offer to show it once it has ended.

import { poll, readJson } from "./poll.js";

const EVERY = 2000;
const section = document.querySelector("[data-snapshot]");
const part = (name) => section.querySelector(`[data-${name}]`);

function show(state) {
  const status = state.status.charAt(0).toUpperCase() + state.status.slice(1);
  if (part("status").textContent !== status) part("status").textContent = status;
  part("bar").value = state.progress;
  const ended = state.state !== "freezing";
  part("ended").hidden = !ended;
  part("leave").hidden = ended;
  return ended;
}

poll({
  read: () => readJson(section.dataset.snapshot),
  show,
  every: EVERY,
  setLost: (isLost) => {
    part("lost").hidden = !isLost;
  },
});
