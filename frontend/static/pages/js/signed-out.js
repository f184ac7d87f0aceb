/**
 * Forget what was kept to be answered offline once whoever kept it has signed out. Every page of the
 * site loads this. What a visitor kept stays when they sign in: their answers become the account's.
 */

import { deleteDatabase } from "./kept-database.js";
import { forgetPage } from "./kept-page.js";

const KEPT_BY = "tessera.offline-by"; // who works offline; "" is a visitor

const current = document.querySelector('meta[name="user"]')?.content ?? "";

/** Note who works offline on this device; return whether that could be noted. */
export function noteKeeper() {
  try {
    localStorage.setItem(KEPT_BY, current);
    return true;
  } catch {
    return false;
  }
}

/** Return whether it can be noted: without, nothing may be kept, as it would outlive a sign-out. */
export function isNotable() {
  try {
    localStorage.setItem("tessera.probe", "");
    localStorage.removeItem("tessera.probe");
    return true;
  } catch {
    return false;
  }
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
