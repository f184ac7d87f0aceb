/** The form that starts runs: say what the chosen ones would learn from and take. */

const WAIT = 250; // ms after the last change

const form = document.querySelector("[data-train]");
const shown = form.querySelector("[data-outlook-shown]");
let timer;
let newest = 0;

async function refresh() {
  const request = ++newest;
  const fields = new FormData(form);
  fields.delete("csrfmiddlewaretoken");
  const response = await fetch(`${form.dataset.outlook}?${new URLSearchParams(fields)}`);
  if (!response.ok || response.redirected || request !== newest) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  shown.replaceChildren(...page.body.children);
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => refresh().catch(() => {}), WAIT);
});
