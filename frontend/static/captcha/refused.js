/** The frame of a page that may not show a challenge: it says why, and tells no secret. */

import { closeByEscape, speakTo } from "./page.js";

const tell = speakTo("*");

tell("ready");
tell("failed", { code: "invalid-data" });
closeByEscape(tell);
