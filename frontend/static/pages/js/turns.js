/** One challenge after the other on the screen: shown, answered or skipped, and undone. */

import { ApiError } from "../../shared/client.js";
import { now } from "./clock.js";
import { UNDO_SECONDS } from "./last-challenge.js";
import * as messages from "./messages.js";
import { NO_ROOM } from "./offline-messages.js";

export class Turns {
  /** { challenge, pictures, deadline } on the screen, or null. */
  current = null;
  #announced = false; // whether it was announced how to undo
  #answered = false; // whether anything was, since the page was opened
  #expiryTimer = 0;
  #loading = 0; // the turn that is being loaded, or 0
  #parts;
  #turn = 0; // the number of the screen that is shown or loaded

  /**
   * `parts`: the `kind` that is asked for ("" for any), `goElsewhere`, which leads to questions of
   * another kind, or null, whether it is a `preview`, which keeps nothing, and the `screen`, `explanations`, `upcoming`, `delivery`, `outbox`, `last`, `earlier`,
   * `strip` and `hints`; `reporter` and `sitting`, or null.
   */
  constructor(parts) {
    this.#parts = parts;
  }

  /** Bring the next challenge to the screen, or show why there is none. */
  next() {
    if (this.#loading) return;
    this.#turn += 1;
    this.#loading = this.#turn;
    this.#load(this.#turn);
  }

  /** Keep the answer, show the next challenge at once, and send the answer meanwhile. */
  submit(body) {
    if (!this.current) return;
    if (now() >= this.current.deadline) {
      this.#expire();
      return;
    }
    const { hints, screen } = this.#parts;
    this.#answered = true;
    hints.learn(this.current.challenge.kind);
    this.#leave("answer", { ...body, seconds: screen.seconds });
  }

  /** Skip the challenge, for a reason or none. */
  skip(reason = null) {
    if (this.current) this.#leave("skip", reason ? { reason } : {});
  }

  /** Bring the last challenge back as it was answered; the one on the screen comes next. */
  async undo() {
    const { last, screen, sitting, strip, upcoming } = this.#parts;
    if (!last.undoable) return;
    const thaw = screen.wait({ skeleton: false });
    try {
      const { fetched, body, progress } = await last.undo();
      if (this.current) upcoming.putBack(this.current);
      this.#turn += 1;
      this.#loading = 0;
      strip.clear();
      if (progress) screen.resetProgress(progress);
      sitting?.update(progress);
      screen.showOutcome({ message: messages.UNDONE });
      screen.note("");
      this.#show(fetched, body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      thaw();
      screen.note(messages.notUndone(error));
    }
  }

  async #load(turn) {
    const { delivery, explanations, screen, upcoming } = this.#parts;
    clearTimeout(this.#expiryTimer);
    this.current = null;
    const stopWaiting = screen.wait();
    let fetched = null;
    try {
      if (delivery.isStuck) throw new ApiError("unkept", NO_ROOM);
      fetched = await upcoming.next();
      const guide = fetched && (await explanations.unseen(fetched.challenge));
      stopWaiting();
      if (guide && turn === this.#turn) await explanations.show(fetched.challenge, guide);
      if (turn === this.#turn) this.#showFetched(fetched);
      else if (fetched) upcoming.setAside(fetched);
    } catch (error) {
      stopWaiting();
      if (turn === this.#turn) delivery.explain(error);
    } finally {
      if (this.#loading === turn) this.#loading = 0;
    }
  }

  #showFetched(fetched) {
    const { goElsewhere, kind, screen } = this.#parts;
    if (fetched) this.#show(fetched);
    else screen.showNothingToAsk(kind, { answered: this.#answered, goElsewhere });
  }

  /** Show a challenge, with the answer that was taken back, if one was. */
  #show({ challenge, pictures, deadline }, body = null) {
    const { delivery, explanations, hints, reporter, screen, sitting } = this.#parts;
    explanations.asked = challenge;
    this.current = { challenge, pictures, deadline };
    reporter?.reset();
    screen.showChallenge(challenge, pictures, { hint: !hints.knows(challenge.kind), body });
    sitting?.begin(challenge.progress);
    clearTimeout(this.#expiryTimer);
    this.#expiryTimer = setTimeout(() => this.#expire(), deadline - now());
    delivery.deliver();
  }

  #expire() {
    this.current = null;
    this.#parts.screen.showExpired();
  }

  #leave(action, body) {
    const { delivery, outbox, preview, screen, upcoming } = this.#parts;
    const fetched = this.current;
    upcoming.leave(fetched);
    outbox.add({ token: fetched.challenge.token, action, body });
    screen.note("");
    this.next();
    delivery.deliver();
    if (!preview) this.#keep({ fetched, action, body });
  }

  /** Offer to undo it, and announce once how. */
  #keep({ fetched, action, body }) {
    const { earlier, last, screen } = this.#parts;
    last.keep({ fetched, action, body });
    earlier.keep({ token: fetched.challenge.token, action });
    screen.showOutcome({ message: action === "skip" ? messages.SKIPPED : messages.SENT });
    if (!this.#announced) screen.announce(messages.undoable(UNDO_SECONDS));
    this.#announced = true;
  }
}
