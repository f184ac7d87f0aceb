/** Bring the current entry of each menu that scrolls sideways into view, and what is focused there. */

for (const menu of document.querySelectorAll(".menu")) {
  const entry = menu.querySelector('[aria-current="page"]');
  if (entry) show(entry, menu);
  menu.addEventListener("focusin", (event) => show(event.target, menu));
}

function show(entry, menu) {
  const [outer, inner] = [menu.getBoundingClientRect(), entry.getBoundingClientRect()];
  if (inner.left >= outer.left && inner.right <= outer.right) return;
  menu.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
}
