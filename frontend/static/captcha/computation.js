/** The way without a test: the device computes for a while, and nothing is asked. */

import { AttemptError } from "./attempts.js";

/**
 * Solve the puzzles in a worker, whose script is at `address`; `onPart(done)` hears how many are.
 * Ends when `signal` aborts.
 */
export function compute(work, { address, onPart, signal }) {
  const worker = new Worker(address);
  const solved = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.nonces ? resolve(data.nonces) : onPart(data.done));
    worker.onerror = () => reject(new AttemptError("unworkable"));
    signal.addEventListener("abort", () => reject(signal.reason));
    worker.postMessage(work);
  });
  return solved.finally(() => worker.terminate());
}
