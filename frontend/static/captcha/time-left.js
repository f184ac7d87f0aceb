/** The time for an attempt: before it is over, more is offered, as often as somebody needs it. */

const OFFERED = 120; // seconds before the end

export class TimeLeft {
  #nearly;
  #over;
  #timers = [];

  /** `nearly()` is called two minutes before the end (or at half time), `over()` at the end. */
  constructor({ nearly, over }) {
    this.#nearly = nearly;
    this.#over = over;
  }

  start(seconds) {
    this.stop();
    const offered = Math.min(OFFERED, seconds / 2);
    this.#timers = [
      setTimeout(this.#nearly, 1000 * (seconds - offered)),
      setTimeout(this.#over, 1000 * seconds),
    ];
  }

  stop() {
    this.#timers.forEach(clearTimeout);
  }
}
