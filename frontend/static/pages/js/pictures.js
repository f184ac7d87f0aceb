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

/** Resolve to one decoded <img> for each tile, in the order of the tiles. */
export function loadPictures(challenge) {
  return Promise.all(challenge.tiles.map((tile) => loadPicture(tile.url)));
}
