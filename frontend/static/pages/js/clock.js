/**
 * The time that has passed, for deadlines: never the time of day, which may be off by hours or be
 * set while the page is open. Knows no DOM.
 */

let wall = Date.now();
let steady = performance.now();
let passed = 0;

/**
 * Return the milliseconds since the page was opened, those in which the device slept included.
 *
 * A steady clock may stand still while a device sleeps: then the time of day has gone on further. A
 * clock that is set forward looks the same, and one that is set back changes nothing.
 */
export function now() {
  passed += elapsed({ wall, steady }, { wall: Date.now(), steady: performance.now() });
  wall = Date.now();
  steady = performance.now();
  return passed;
}

/** Return the milliseconds between two readings of both clocks; never less than none. */
export function elapsed(from, to) {
  return Math.max(to.steady - from.steady, to.wall - from.wall, 0);
}
