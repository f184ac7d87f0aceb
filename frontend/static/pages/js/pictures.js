/** Load and decode a challenge's pictures before they are shown. */

import { ApiError, throttled } from "../../shared/client.js";
import { gettext } from "../../shared/translate.js";

const NOT_LOADED = () => gettext("A picture of the next question could not be loaded.");
const SMALL = 96; // px: below this, edges are kept crisp at whole multiples

/** Resolve to the decoded picture at an address. Rejects with an ApiError. */
export async function loadPicture(url) {
  const picture = new Image();
  picture.alt = "";
  picture.draggable = false;
  picture.decoding = "async";
  picture.src = url;
  try {
    await picture.decode();
  } catch {
    throw await failure(url);
  }
  if (Math.max(picture.naturalWidth, picture.naturalHeight) < SMALL) {
    picture.classList.add("small");
    picture.style.setProperty("--natural-width", picture.naturalWidth);
    picture.style.setProperty("--natural-height", picture.naturalHeight);
  }
  return picture;
}

/** Resolve to a challenge's pictures as blobs, in the order of its tiles. Rejects with an ApiError. */
export function loadBlobs(challenge) {
  return Promise.all(challenge.tiles.map((tile) => loadBlob(tile.url)));
}

/** Resolve to one decoded <img> for each of a challenge's blobs. */
export function decodeBlobs(challenge, blobs) {
  return Promise.all(blobs.map(decodeBlob));
}

async function loadBlob(url) {
  const response = await request(url);
  if (response?.ok) return response.blob();
  throw errorOf(response);
}

/** Say why a picture did not come, which its element does not tell. */
async function failure(url) {
  if (!navigator.onLine) return errorOf(null);
  const response = url.startsWith("blob:") ? null : await request(url);
  return response?.status === 429 ? errorOf(response) : new ApiError("broken", NOT_LOADED());
}

function request(url) {
  return fetch(url, { credentials: "same-origin" }).catch(() => null);
}

function errorOf(response) {
  if (response?.status === 429) return throttled(response, NOT_LOADED());
  const isGone = response && response.status < 500;
  return new ApiError(isGone ? "gone" : response ? "broken" : "offline", NOT_LOADED());
}

async function decodeBlob(blob) {
  const address = URL.createObjectURL(blob);
  try {
    return await loadPicture(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Resolve to one decoded <img> for each tile, in the order of the tiles. */
export function loadPictures(challenge) {
  return Promise.all(challenge.tiles.map((tile) => loadPicture(tile.url)));
}
