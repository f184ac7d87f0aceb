/**
 * Forget what was kept to be answered offline once whoever kept it has signed out. Every page of the
 * site loads this. What a visitor kept stays when they sign in: their answers become the account's.
 */

import { deleteDatabase } from "./kept-database.js";
import { forgetPage } from "./kept-page.js";

export const KEPT_BY = "tessera.offline-by"; // who works offline; "" is a visitor

const current = document.querySelector('meta[name="user"]')?.content ?? "";

/** Note that whoever looks at this page works offline on this device. */
export function noteKeeper() {
  localStorage.setItem(KEPT_BY, current);
}

async function forget() {
  await deleteDatabase();
  await forgetPage({ scope: "/take-part/" });
  localStorage.removeItem(KEPT_BY);
}

try {
  const keeper = localStorage.getItem(KEPT_BY);
  if (keeper && keeper !== current) await forget();
  else if (keeper === "" && current) noteKeeper();
} catch {
  // Storage is forbidden: then nothing was kept.
}
