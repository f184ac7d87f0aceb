/**
 * The keys of the challenge screen, on any keyboard layout. Knows no DOM.
 *
 * A Latin letter is taken as it is printed; where a layout or an input method writes none, the key
 * at its place counts. Digits count by their place, too: French keyboards write them with Shift.
 */

/** The keys of the tiles, in their order: the letters lie as the last tiles of a 4 × 4 grid do. */
export const TILE_KEYS = [..."123456789uiohjkl"];

const QUESTION_MARKS = new Set(["?", "؟", "？", "\u037e"]);
const UNWRITTEN = new Set(["Process", "Dead", "Unidentified"]); // what input methods keep

/** Return which key an event is about: "a", "1", "?", "Enter", "Shift+s", "Ctrl+Enter", or "". */
export function keyOf({ key, code = "", shiftKey, ctrlKey, metaKey, altKey }) {
  if (altKey) return "";
  if (ctrlKey || metaKey) return key === "Enter" ? "Ctrl+Enter" : "";
  if (QUESTION_MARKS.has(key)) return "?";
  if (key.length > 1 && !UNWRITTEN.has(key)) return key;
  const letter = /^[a-z]$/i.test(key) ? key : /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return shiftKey ? `Shift+${letter.toLowerCase()}` : letter.toLowerCase();
  return /^(?:Digit|Numpad)(\d)$/.exec(code)?.[1] ?? key;
}

/** Return the number of the tile that a key stands for, from 1; 0 for none. */
export function tileOf(key) {
  return TILE_KEYS.indexOf(key) + 1;
}

/** Return the key of a tile as it is shown; "" for those past the last key. */
export function keyOfTile(number) {
  return (TILE_KEYS[number - 1] ?? "").toUpperCase();
}
