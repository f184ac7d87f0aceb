/** An attempt to pass, as the server keeps it. Knows no DOM. */

const TIMEOUT = 20_000; // ms

/**
 * A request that failed. `code` is the server's, or "offline" or "broken"; `detail` is the server's
 * sentence, if it has one; `doors` are those that are open, where the one that was asked for is not.
 */
export class AttemptError extends Error {
  constructor(code, { detail = "", doors = null } = {}) {
    super(detail || code);
    this.code = code;
    this.detail = detail;
    this.doors = doors;
  }
}

/** Post JSON and return the JSON of the response. */
export async function post(address, body, signal) {
  const response = await request(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  return response.json();
}

/** Return a round's sheet of pictures as the address of a picture that is here. */
export async function loadSheet(address, signal) {
  const response = await request(address, { signal });
  const url = URL.createObjectURL(await response.blob());
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {
    throw new AttemptError("broken");
  });
  return url;
}

async function request(address, { signal, ...options }) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, TIMEOUT);
  signal.addEventListener("abort", abort);
  try {
    const response = await fetch(address, {
      credentials: "omit",
      signal: controller.signal,
      ...options,
    });
    if (response.ok) return response;
    const json = await response.json().catch(() => null);
    throw new AttemptError(response.status < 500 ? (json?.code ?? "broken") : "broken", json ?? {});
  } catch (error) {
    throw error instanceof AttemptError ? error : new AttemptError("offline");
  } finally {
    clearTimeout(timer);
  }
}
