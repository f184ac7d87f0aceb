/**
 * The service worker of the challenge page: while the server cannot be reached, the page is shown as
 * it was, with its own scripts and styles. Everything else, and everything while the server answers,
 * goes to the server.
 *
 * A page on which somebody works offline names what it is made of; that replaces what was kept
 * before, whole or not at all. It is deleted when they sign out (`signed-out.js`).
 */

const PREFIX = "tessera-page-";
const PATIENCE = 4_000; // ms for the server to answer

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => event.waitUntil(keep(event)));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const isPage = request.mode === "navigate";
  const isPart = ["script", "style"].includes(request.destination);
  const isOwn = new URL(request.url).origin === self.location.origin;
  if (request.method === "GET" && isOwn && (isPage || isPart)) event.respondWith(respond(request));
});

/** Keep a page's parts in place of those of before; say whether the page opens without the server. */
async function keep({ data, source }) {
  const name = `${PREFIX}${Date.now()}`;
  try {
    const cache = await caches.open(name);
    await cache.addAll(data.addresses);
    for (const old of await caches.keys()) {
      if (old.startsWith(PREFIX) && old !== name) await caches.delete(old);
    }
    source?.postMessage({ isKept: true });
  } catch {
    await caches.delete(name);
    const [page] = data.addresses;
    const earlier = await caches.match(page, { ignoreVary: true, ignoreSearch: true });
    source?.postMessage({ isKept: Boolean(earlier) }); // as it was kept before, whole
  }
}

async function respond(request) {
  const kept = await find(request);
  const live = fetch(request);
  if (!kept) return live;
  const late = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE));
  return Promise.race([live.catch(() => kept), late]);
}

async function find(request) {
  const options = { ignoreVary: true };
  const exact = await caches.match(request, options);
  if (exact || request.mode !== "navigate") return exact;
  return caches.match(request, { ...options, ignoreSearch: true });
}
