// Shows the operations of the API that have all words that are typed; opens what a link names.

const field = document.querySelector("[data-find]");
const operations = [...document.querySelectorAll(".api-operation")];
const groups = [...document.querySelectorAll("[data-group]")];
const counter = document.querySelector("[data-found]");
const texts = new Map(operations.map((each) => [each, each.textContent.toLowerCase()]));

function find() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [operation, text] of texts) {
    operation.hidden = !words.every((word) => text.includes(word));
  }
  for (const group of groups) {
    group.hidden = !group.querySelector(".api-operation:not([hidden])");
  }
  const count = operations.filter((each) => !each.hidden).length;
  counter.textContent = words.length ? `${count} of ${operations.length}` : "";
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const operation = named?.closest(".api-operation");
  if (operation) {
    operation.open = true;
    operation.scrollIntoView();
  }
}

field.closest("[hidden]").hidden = false;
field.addEventListener("input", find);
addEventListener("hashchange", openNamed);
openNamed();
