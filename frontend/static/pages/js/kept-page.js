/** The page itself, kept by a service worker so that it opens without the server. */

const PART = /\.(js|css)$/;

/** Keep the page and its parts; resolve to whether it opens without the server from now on. */
export async function keepPage({ worker, scope }) {
  const container = navigator.serviceWorker;
  if (!container) return false; // not over plain HTTP
  try {
    const { active, installing, waiting } = await container.register(worker, { scope });
    const receiver = active ?? waiting ?? installing;
    await isActive(receiver);
    const answer = new Promise((resolve) => {
      container.addEventListener("message", ({ data }) => resolve(data.isKept), { once: true });
    });
    container.startMessages();
    receiver.postMessage({ addresses: parts() });
    return await answer;
  } catch {
    return false;
  }
}

/** Forget the page, and all that a worker has kept. */
export async function forgetPage({ scope }) {
  const registration = await navigator.serviceWorker?.getRegistration(scope);
  await registration?.unregister();
  for (const name of (await globalThis.caches?.keys()) ?? []) {
    if (name.startsWith("tessera-page-")) await caches.delete(name);
  }
}

/** Return the addresses of this page and of the scripts and styles that it has loaded. */
function parts() {
  const named = document.querySelectorAll("script[src], link[rel=stylesheet]");
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const addresses = [...named].map((element) => element.src || element.href).concat(loaded);
  const isPart = (address) => {
    const { origin, pathname } = new URL(address, location.href);
    return origin === location.origin && PART.test(pathname);
  };
  const page = location.href.split("#")[0];
  return [...new Set([page, ...addresses.filter(isPart)])];
}

function isActive(worker) {
  return new Promise((resolve) => {
    if (worker.state === "activated") return resolve();
    worker.addEventListener("statechange", () => {
      if (["activated", "redundant"].includes(worker.state)) resolve();
    });
  });
}
