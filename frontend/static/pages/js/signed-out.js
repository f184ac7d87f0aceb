/**
 * Forget what was kept to be answered offline once whoever kept it has signed out, has deleted their
 * account, or is forgotten. Every page of the site loads this. What a visitor kept stays when they
 * sign in: their answers become the account's.
 */

import { decide, isVisitor, nameOf } from "./keeper.js";
import { deleteDatabase } from "./kept-database.js";
import { forgetPage } from "./kept-page.js";

const KEPT_BY = "tessera.offline-by"; // who works offline
const OFFLINE = ["tessera.offline", KEPT_BY];
const ALL = "tessera."; // what begins so is this site's
const KEPT_PAGES = "/take-part/"; // which a service worker may have kept

const content = (name) => document.querySelector(`meta[name="${name}"]`)?.content;
const visitor = content("visitor");
const current = nameOf({ user: content("user") ?? "", visitor });

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

/**
 * Forget questions, pictures and pages; of a visitor, who cannot come back, all that is kept. Answers
 * of an account that were not sent stay until it signs in again: the server takes them from nobody
 * else.
 */
async function forget(keeper) {
  await deleteDatabase();
  await forgetPage({ scope: KEPT_PAGES });
  const keys = isVisitor(keeper) ? Object.keys(localStorage) : OFFLINE;
  for (const key of keys) if (key.startsWith(ALL)) localStorage.removeItem(key);
}

try {
  const keeper = localStorage.getItem(KEPT_BY);
  const isCertain = visitor !== undefined && !location.pathname.startsWith(KEPT_PAGES);
  const decision = decide(keeper, current, { isCertain });
  if (decision === "forget") await forget(keeper);
  if (decision === "note") noteKeeper();
} catch {
  // Storage is forbidden: then nothing was kept.
}
