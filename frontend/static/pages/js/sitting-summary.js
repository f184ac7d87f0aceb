/** The end of a sitting: what was answered, what came of it, and what the model drew. */

import { make, makeButton } from "./dom.js";
import * as messages from "./sitting-messages.js";

export class SittingSummary {
  #address;
  #client;
  #dialog;
  #sitting;
  #texts = messages.texts();

  /** `onClose()` is called when the person goes on. */
  constructor({ client, project, sitting, onClose }) {
    this.#address = `/api/v1/projects/${encodeURIComponent(project)}/sitting/`;
    this.#client = client;
    this.#sitting = sitting;
    this.#dialog = make("dialog", { class: "help sitting-summary", "aria-labelledby": "sitting-title" });
    this.#dialog.addEventListener("keydown", (event) => event.stopPropagation());
    this.#dialog.addEventListener("close", onClose);
    document.body.append(this.#dialog);
  }

  /** Show it; without the server, what the page itself knows. */
  async open() {
    const summary = await this.#client.get(this.#address).catch(() => null);
    const title = make("h2", { id: "sitting-title", tabindex: "-1" }, this.#texts.title);
    const parts = summary ? this.#parts(summary) : this.#partsOffline();
    this.#dialog.replaceChildren(title, ...parts, this.#buttons());
    if (!this.#dialog.open) this.#dialog.showModal();
    title.focus();
  }

  #parts({ answers, seconds, language, concepts, agreement, drawings }) {
    if (!answers) return [make("p", {}, this.#texts.nothing)];
    return [
      make("p", { class: "lead" }, messages.answered(answers, seconds)),
      ...this.#labels(),
      ...this.#concepts(concepts),
      ...(agreement ? [make("p", {}, agreement)] : []),
      this.#later(),
      ...this.#drawings(drawings, language),
    ];
  }

  #partsOffline() {
    const { answers } = this.#sitting;
    if (!answers) return [make("p", {}, this.#texts.offline)];
    const own = make("p", { class: "lead" }, messages.answersAbout(answers));
    return [own, ...this.#labels(), make("p", { class: "muted" }, this.#texts.offline)];
  }

  #later() {
    const link = make("a", { href: "/your-answers/" }, this.#texts.answers);
    return make("p", { class: "muted" }, `${this.#texts.later} `, link, ".");
  }

  #labels() {
    const { labels } = this.#sitting;
    return labels ? [make("p", {}, messages.labels(labels))] : [];
  }

  #concepts(concepts) {
    if (!concepts.length) return [];
    const rows = concepts.map(({ phrase, lang, dir, answers, milestone }) => {
      const row = make("li", {}, make("bdi", { lang, dir }, phrase));
      row.append(make("span", {}, messages.answersAbout(answers)));
      if (milestone) {
        const { labels: value, goal: max } = milestone;
        row.append(make("progress", { value, max, "aria-hidden": "true" }));
        row.append(make("span", { class: "muted" }, messages.milestone(milestone)));
      }
      return row;
    });
    return [make("h3", {}, this.#texts.concepts), make("ul", { class: "sitting-concepts" }, ...rows)];
  }

  #drawings(drawings, language) {
    if (!drawings.length) return [];
    const rows = drawings.map(({ words, url, earlier_url: earlier, small }) => {
      const pair = make("div", { class: small ? "pair small-pictures" : "pair" });
      if (earlier) {
        pair.append(picture(earlier, this.#texts.before));
        pair.append(make("span", { class: "then", "aria-hidden": "true" }, "→"));
      }
      pair.append(picture(url, this.#texts.after));
      const caption = make("figcaption", {}, make("bdi", { lang: language }, words));
      return make("li", {}, make("figure", {}, pair, caption));
    });
    return [make("h3", {}, this.#texts.drawn), make("ul", { class: "auto-grid drawings" }, ...rows)];
  }

  #buttons() {
    const leave = make("a", { class: "button", href: "/" }, this.#texts.leave);
    const goOn = makeButton(this.#texts.goOn, {
      variant: "primary",
      press: () => this.#dialog.close(),
    });
    return make("div", { class: "buttons" }, leave, goOn);
  }
}

function picture(src, alt) {
  return make("img", { src, alt, width: "128", height: "128" });
}
