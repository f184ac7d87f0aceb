/** Selecting pictures on the wall: by click, Shift and a click, or keys; then one decision for all. */

const form = document.getElementById("selection");
const bulk = form?.querySelector(".bulk");
if (bulk) {
  const boxes = [...form.querySelectorAll('input[name="question"]')];
  const decisions = [...bulk.querySelectorAll("[data-bulk]")];
  const all = document.getElementById("select-all");
  const none = document.getElementById("select-none");
  let last = -1; // the place of the box that was toggled last, from which Shift extends
  let leaving = false; // one decision a page, however often a key is pressed

  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    document.getElementById("selected").textContent = count ? `${count} selected` : "None selected";
    for (const button of decisions) button.disabled = !count;
    none.hidden = !count;
    all.hidden = count === boxes.length;
    bulk.classList.toggle("selecting", count > 0);
  };

  const set = (chosen, checked) => {
    for (const box of chosen) box.checked = checked;
    show();
  };

  /** Return the boxes from one place to another, both included. */
  const between = (from, to) => boxes.slice(Math.min(from, to), Math.max(from, to) + 1);

  form.addEventListener("click", (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && last >= 0) set(between(last, at), event.target.checked);
    last = at;
  });
  form.addEventListener("change", show);
  all.addEventListener("click", () => set(boxes, true));
  none.addEventListener("click", () => set(boxes, false));
  form.addEventListener("submit", (event) => {
    if (leaving) event.preventDefault();
    leaving = true;
  });

  const toggleFocused = (extend) => {
    const at = boxes.findIndex((box) => box.closest("li").contains(document.activeElement));
    if (at < 0) return false;
    if (extend && last >= 0) set(between(last, at), true);
    else set([boxes[at]], !boxes[at].checked);
    last = at;
    return true;
  };

  addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest('select, textarea, input:not([type="checkbox"])')) return;
    const key = event.key.toLowerCase();
    const button = decisions.find((each) => each.dataset.bulk === key && !each.disabled);
    if (key === "x" && toggleFocused(event.shiftKey)) event.preventDefault();
    else if (key === "a") set(boxes, true);
    else if (key === "escape") set(boxes, false);
    else if (button) button.click();
  });
  addEventListener("pageshow", () => {
    leaving = false;
    show();
  });
  show();
}
