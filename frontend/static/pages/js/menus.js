/** Bring the current entry of each menu that scrolls sideways into view. */

for (const menu of document.querySelectorAll(".menu")) {
  const entry = menu.querySelector('[aria-current="page"]');
  if (!entry) continue;
  const [outer, inner] = [menu.getBoundingClientRect(), entry.getBoundingClientRect()];
  if (inner.left >= outer.left && inner.right <= outer.right) continue;
  menu.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
}
