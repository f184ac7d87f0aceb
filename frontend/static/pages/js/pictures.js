/** Load and decode a challenge's pictures before they are shown. */

import { ApiError } from "../../shared/client.js";
import { gettext } from "../../shared/translate.js";

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
    throw new ApiError(
      navigator.onLine ? "broken" : "offline",
      gettext("A picture of the next question could not be loaded."),
    );
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
  const response = await fetch(url, { credentials: "same-origin" }).catch(() => null);
  if (response?.ok) return response.blob();
  const isGone = response && response.status < 500 && response.status !== 429;
  const code = isGone ? "gone" : response ? "broken" : "offline";
  throw new ApiError(code, gettext("A picture of the next question could not be loaded."));
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
