// <copy-field>: a field of text with a button that copies what it holds.

import { gettext } from "../shared/translate.js";

class CopyField extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector("input, textarea");
    const button = this.querySelector("button");
    const status = this.querySelector("[role=status]");
    field.addEventListener("focus", () => field.select());
    button.hidden = false;
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        status.textContent = gettext("Copied");
      } catch {
        status.textContent = gettext("Press Ctrl+C, or ⌘C, to copy it");
      }
    });
  }
}

customElements.define("copy-field", CopyField);
