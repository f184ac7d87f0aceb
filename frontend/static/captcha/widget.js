/**
 * The CAPTCHA as other sites load it, in three dialects: reCAPTCHA's, hCaptcha's, and an element of
 * its own, <tessera-captcha>. The server puts `const CAPTCHA = {dialect, origin, language, strings}`
 * before it, and a function around both.
 *
 * The check box is drawn here, the challenge in a frame of the server's origin, which this script
 * hears and never speaks to. Nothing is stored, and nothing about the browser is read.
 */

const { currentScript } = document; // an element of the page may stand in for it by its name
const own = currentScript instanceof HTMLScriptElement ? new URL(currentScript.src).searchParams : new Map();
const { dialect, origin, strings } = CAPTCHA;
const isRecaptcha = dialect === "recaptcha";
const siteOfScript = /^(explicit|onload|)$/.test(own.get("render") ?? "") ? null : own.get("render");
const FIRST_SITE = 100_000; // the id of the first widget that is executed by its site key
const SLOW = 30_000; // ms, after which a frame has failed to load
const SILENT = 3_000; // ms: one that has loaded and says nothing has failed, too

const STYLE = `
:host { all: initial; display: inline-block; max-inline-size: 100%; vertical-align: top }
* { box-sizing: border-box }
[data-theme] {
  --ground: #fff; --text: #1d1c1a; --muted: #5c5952; --line: #8a867e; --accent: #0a6a70; --on: #fff;
  color: var(--text); background: var(--ground); color-scheme: light;
  font: 16px/1.35 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
[data-theme="dark"] {
  --ground: #1f2123; --text: #f1efeb; --muted: #b3b0a9; --line: #85898c; --accent: #5fcdca;
  --on: #04201f; color-scheme: dark;
}
[data-theme="contrast"] {
  --ground: #000; --text: #fff; --muted: #fff; --line: #fff; --accent: #ff0; --on: #000;
  color-scheme: dark;
}
button { margin: 0; border: 0; color: inherit; background: none; font: inherit; cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.box {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0 8px; inline-size: 304px;
  max-inline-size: 100%; min-block-size: 78px; padding: 6px 12px 6px 6px;
  border: 1px solid var(--line); border-radius: 8px;
}
.compact { inline-size: 164px; min-block-size: 136px; padding: 6px }
.check {
  flex: 1; display: flex; align-items: center; gap: 12px; min-block-size: 56px; padding: 6px;
  border-radius: 6px; text-align: start;
}
.mark {
  flex: none; display: grid; place-items: center; inline-size: 28px; block-size: 28px;
  border: 2px solid var(--line); border-radius: 6px;
}
.check:hover .mark { border-color: var(--accent) }
[aria-busy] .mark { border-color: var(--accent); border-block-start-color: transparent; border-radius: 50% }
[aria-checked="true"] .mark { border-color: var(--accent); background: var(--accent) }
[aria-checked="true"] .mark::before {
  content: ""; inline-size: 8px; block-size: 15px; margin-block-end: 4px; border: solid var(--on);
  border-width: 0 3px 3px 0; transform: rotate(45deg);
}
.name { flex: none; color: var(--muted); font-size: 12px }
.compact .check, .compact .name, .says { flex-basis: 100% }
.compact .name { text-align: end }
.says { margin: 0; padding-inline: 6px; font-size: 13px }
dialog {
  inline-size: 432px; max-inline-size: calc(100vw - 8px); max-block-size: calc(100dvh - 8px);
  margin: auto; padding: 0; border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
}
dialog::backdrop { background: rgb(0 0 0 / .55) }
.bar { display: flex; flex-direction: row-reverse; align-items: center; padding-inline-start: 16px }
.bar h2 { flex: 1; margin: 0; font: inherit; font-size: 14px; color: var(--muted) }
.close { inline-size: 44px; block-size: 44px; font-size: 24px; line-height: 1 }
.close:focus-visible { outline-offset: -5px; border-radius: 9px }
iframe {
  display: block; inline-size: 100%; block-size: 560px; max-block-size: calc(100dvh - 56px); border: 0;
}
@media (prefers-reduced-motion: no-preference) {
  [aria-busy] .mark { animation: turn .8s linear infinite }
  @keyframes turn { to { rotate: 360deg } }
}
@media (forced-colors: active) {
  [aria-checked="true"] .mark { forced-color-adjust: none; background: Highlight; border-color: Highlight }
  [aria-checked="true"] .mark::before { border-color: HighlightText }
}`;

const TEST_RESPONSE = "10000000-aaaa-bbbb-cccc-000000000001"; // to the keys for tests

let sheet;

/** Give a shadow root this script's style, which a page's Content-Security-Policy cannot refuse. */
function dress(root) {
  if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  return root;
}

/** Make an element with attributes; those that are undefined are left out. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function themeOf(theme) {
  if (theme === "auto") return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  return ["dark", "contrast"].includes(theme) ? theme : "light";
}

function spoken(theme) {
  const { language } = CAPTCHA;
  return { "data-theme": themeOf(theme), lang: language, dir: /^ar/.test(language) ? "rtl" : "ltr" };
}

/** The check box: idle, busy while a challenge is open, then checked, or a sentence below it. */
class Box {
  #says = make("p", { class: "says", role: "status" });

  constructor(root, { theme, size, tabindex }, press) {
    const label = make("span", {}, strings.label);
    this.check = make(
      "button",
      { type: "button", class: "check", role: "checkbox", "aria-checked": "false", tabindex },
      make("span", { class: "mark" }),
      label,
    );
    this.check.addEventListener("click", press);
    const kind = size === "compact" ? "box compact" : "box";
    this.element = make("div", { class: kind, ...spoken(theme) }, this.check);
    this.element.append(make("span", { class: "name", translate: "no" }, "Tessera"), this.#says);
    root.append(this.element);
  }

  show(state, sentence = "") {
    this.check.setAttribute("aria-checked", String(state === "checked"));
    if (state === "busy") this.check.setAttribute("aria-busy", "true");
    else this.check.removeAttribute("aria-busy");
    this.#says.textContent = sentence;
  }
}

/** A challenge in a frame, in a dialog that is shown as soon as the frame has something to show. */
class Challenge {
  #dialog;
  #frame;
  #hear;
  #host = null;
  #timer;

  /** `hear(kind, message)` gets what the frame says; also "closed", and "failed" if it is silent. */
  constructor({ sitekey, theme, size, hl, door, action }, place, hear) {
    const query = new URLSearchParams({
      k: sitekey,
      origin: self.origin,
      hl: hl || CAPTCHA.language,
      theme: themeOf(theme),
      size: size || "normal",
    });
    const wishes = new URLSearchParams({ door: door || "" });
    if (action !== undefined) wishes.set("action", action);
    this.#frame = make("iframe", {
      src: `${origin}/captcha/frame?${query}#${wishes}`,
      title: strings.title,
      referrerpolicy: "no-referrer",
      sandbox: "allow-forms allow-same-origin allow-scripts",
    });
    const close = make("button", { type: "button", class: "close", "aria-label": strings.close }, "×");
    close.addEventListener("click", () => hear("closed", {}));
    const bar = make("div", { class: "bar" }, close, make("h2", {}, strings.title));
    this.#dialog = make("dialog", { "aria-label": strings.title, ...spoken(theme) }, bar, this.#frame);
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      hear("closed", {});
    });
    this.#hear = (event) => {
      if (event.source !== this.#frame.contentWindow || event.origin !== origin) return;
      const message = event.data ?? {};
      if (message.captcha === "ready" && this.#show()) return;
      if (message.captcha === "height") this.#frame.style.blockSize = `${Number(message.height)}px`;
      hear(message.captcha, message);
    };
    addEventListener("message", this.#hear);
    this.#limit(SLOW, hear);
    this.#frame.addEventListener("load", () => this.#timer && this.#limit(SILENT, hear));
    this.#place(place).append(this.#dialog);
  }

  /** Close the dialog, after which the focus is where it was. */
  remove() {
    clearTimeout(this.#timer);
    removeEventListener("message", this.#hear);
    if (this.#dialog.open) this.#dialog.close();
    (this.#host ?? this.#dialog).remove();
  }

  #limit(time, hear) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => hear("failed", { code: "network-error", silent: true }), time);
  }

  /** Show the frame; return whether it was shown before, as one is that loads itself again. */
  #show() {
    const wasShown = this.#dialog.open;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#frame.autofocus = true;
    if (!wasShown) this.#dialog.showModal();
    this.#frame.focus();
    return wasShown;
  }

  /** Return where the dialog goes: beside its check box if that is shown, else into the body. */
  #place(root) {
    if (root?.host.getClientRects().length) return root;
    this.#host = make("div", {});
    document.body.append(this.#host);
    return dress(this.#host.attachShadow({ mode: "open" }));
  }
}

/**
 * A CAPTCHA on a page. `tell(event, value)` is called with what happens: "solved" (the response),
 * "expired", "failed" (a code), "opened", "closed", "chalexpired", and "changed" with each response.
 */
class Widget {
  #box = null;
  #challenge = null;
  #expiry;
  #failure = "";
  #options;
  #root;
  #tell;
  #waiting = [];
  key = "";
  response = "";

  constructor(options, root, tell) {
    if (!options.sitekey) throw new Error("Missing required parameters: sitekey");
    this.#options = options;
    this.#root = root;
    this.#tell = tell;
    if (root) this.#box = new Box(dress(root), options, () => quiet(this.execute()));
  }

  get check() {
    return this.#box?.check;
  }

  /** Open a challenge unless it is solved; return a promise of {response, key}. */
  execute(action = this.#options.action) {
    const { key, response } = this;
    if (response) {
      if (!this.#box) this.#tell("solved", response);
      return Promise.resolve({ response, key });
    }
    const solved = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    if (!this.#challenge) {
      this.#failure = "";
      this.#box?.show("busy");
      const options = { ...this.#options, action };
      this.#challenge = new Challenge(options, this.#root, (kind, message) =>
        this.#hear(kind, message),
      );
    }
    return solved;
  }

  /** Close an open challenge. */
  close() {
    if (this.#challenge) this.#hear("closed", {});
  }

  /** Be as at first. */
  reset() {
    this.#end("challenge-closed");
    this.#answer("", "");
    this.#box?.show("idle");
  }

  remove() {
    this.reset();
    this.#box?.element.remove();
  }

  #hear(kind, message) {
    const handle = {
      ready: () => this.#tell("opened"),
      passed: () => this.#pass(message),
      closed: () => this.#end(this.#failure || "challenge-closed", "closed"),
      expired: () => this.#end("challenge-expired", "chalexpired", strings.expired),
      failed: () => this.#fail(message),
    };
    if (Object.hasOwn(handle, kind)) handle[kind]();
  }

  #pass({ response, key, expires_in: seconds }) {
    this.#answer(response, key);
    this.#box?.show("checked", response === TEST_RESPONSE ? strings.test : "");
    this.#expiry = setTimeout(() => {
      this.#answer("", "");
      this.#tell("expired");
      this.#idle(strings.expired);
    }, seconds * 1000);
    for (const { resolve } of this.#close()) resolve({ response, key });
    this.#tell("solved", response);
  }

  /** A frame that shows an error stays open, unless the page ends it; else the box says so. */
  #fail({ code, silent }) {
    this.#failure = code;
    if (silent) {
      const { hostname } = location;
      console.error(`Tessera: no challenge from ${origin}. Is ${hostname} one of the site's hosts?`);
      this.#end(code);
    }
    this.#tell("failed", code);
    this.#idle(strings.failed);
  }

  #end(error, event = "", sentence = "") {
    if (!this.#challenge) return;
    for (const { reject } of this.#close()) reject(error);
    this.#idle();
    if (event) this.#tell(event);
    if (sentence) this.#idle(sentence);
  }

  /** Untick the box with a sentence below it, unless the page has gone on meanwhile. */
  #idle(sentence = "") {
    if (!this.#challenge && !this.response) this.#box?.show("idle", sentence);
  }

  #close() {
    this.#challenge?.remove();
    this.#challenge = null;
    return this.#waiting.splice(0);
  }

  #answer(response, key) {
    clearTimeout(this.#expiry);
    this.response = response;
    this.key = key;
    this.#tell("changed", response);
  }
}

/** Return a function by its name in the page, which may have dots, or the function itself. */
function callback(of) {
  if (typeof of !== "string") return of;
  const path = of.split(".");
  const name = path.pop();
  const owner = path.reduce((object, part) => object?.[part], globalThis);
  return typeof owner?.[name] === "function" ? (value) => owner[name](value) : undefined;
}

function whenParsed(act) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", act);
  else act();
}

const EVENTS = {
  solved: "callback",
  expired: "expired-callback",
  failed: "error-callback",
  opened: "open-callback",
  closed: "close-callback",
  chalexpired: "chalexpired-callback",
};

/** The functions of reCAPTCHA (`grecaptcha`), or of hCaptcha (`hcaptcha`); none needs `this`. */
function makeApi() {
  const isCompatible = own.get("recaptchacompat") !== "off";
  const fields = isRecaptcha ? [] : ["h-captcha-response"];
  if (isRecaptcha || isCompatible) fields.push("g-recaptcha-response");
  const classes = fields.map((name) => `.${name.replace("-response", "")}`);
  const rendered = new Map(); // by id: { widget, container, isFresh, isThere, last, remove }
  const sites = new Map(); // ids by site key, of those that are executed by it
  let count = 0;

  function find(id = rendered.keys().next().value) {
    const found = rendered.get(isRecaptcha ? Number(id) : id);
    if (found) return found;
    if (!rendered.size) throw fault("missing-captcha", "No captcha exists.");
    throw fault("invalid-captcha-id", `Invalid captcha id: ${id}`);
  }

  function nextId() {
    count += 1;
    return isRecaptcha ? count - 1 : `${count}${Math.random().toString(36).slice(2, 12)}`;
  }

  function render(place, given = {}) {
    const container = typeof place === "string" ? document.getElementById(place) : place;
    if (container && !(container instanceof Element)) return renderNowhere(container, nextId());
    if (!container) throw new Error("The captcha's placeholder must be an element or its id.");
    for (const [id, { container: other, isThere }] of rendered) {
      if (other !== container) continue;
      if (!isThere()) remove(id); // the page has emptied its element
      else if (!isRecaptcha) return id;
      else throw new Error("reCAPTCHA has already been rendered in this element");
    }
    const options = { ...dataOf(container), ...given };
    const isButton = container.matches("button, [type=submit], [type=button], [type=image]");
    const isInvisible = isButton || options.size === "invisible";
    const host = isInvisible ? null : make("div", {});
    const id = nextId();
    const areas = fields.map((name) => makeField(name, isRecaptcha ? id || "" : id));
    const putFields = () => (isButton ? container.after(...areas) : container.append(...areas));
    const widget = new Widget(options, host?.attachShadow({ mode: "open" }), (event, value) => {
      if (event !== "changed") return callback(options[EVENTS[event]])?.(value);
      if (isButton) putFields(); // which was perhaps in no page when it was rendered
      for (const area of areas) area.value = value;
    });
    const press = (event) => {
      event.preventDefault();
      quiet(widget.execute());
    };
    if (isButton) container.addEventListener("click", press);
    if (host) container.append(host);
    putFields();
    rendered.set(id, {
      widget,
      container,
      isThere: () => isButton || areas[0].parentNode === container,
      remove: () => {
        widget.remove();
        container.removeEventListener("click", press);
        for (const element of [host, ...areas]) element?.remove();
      },
    });
    return id;
  }

  /** Make one that is only ever executed, as of reCAPTCHA v3: each time for a fresh response. */
  function renderNowhere(options, id) {
    const widget = new Widget({ ...options, size: "invisible" }, null, (event, value) =>
      callback(options[EVENTS[event]])?.(value),
    );
    rendered.set(id, { widget, isFresh: true, remove: () => widget.remove() });
    return id;
  }

  /** Return the id of the one that is executed by a site key. */
  function idOfSite(sitekey) {
    if (!sites.has(sitekey)) sites.set(sitekey, renderNowhere({ sitekey }, FIRST_SITE + sites.size));
    return sites.get(sitekey);
  }

  function execute(id, options) {
    const named = id === undefined && !rendered.size ? siteOfScript : id;
    const isSite = isRecaptcha && typeof named === "string" && !/^\d+$/.test(named);
    if (isRecaptcha) return quiet(executeOne(find(isSite ? idOfSite(named) : named), options));
    if (!options?.async) return void quiet(find(id).widget.execute());
    try {
      return find(id).widget.execute();
    } catch ({ code }) {
      return Promise.reject(code);
    }
  }

  /** Return a promise of the response; fresh ones are asked for one after the other. */
  function executeOne(found, options) {
    const run = () => {
      if (found.isFresh) found.widget.reset();
      const action = options?.action ?? (found.isFresh ? "" : undefined);
      return found.widget.execute(action).then(({ response }) => response);
    };
    found.last = found.isFresh && found.last ? found.last.then(run, run) : run();
    return found.last;
  }

  function remove(id) {
    const found = find(id);
    found.remove();
    for (const [key, other] of rendered) if (other === found) rendered.delete(key);
  }

  return {
    render,
    execute,
    remove,
    reset: (id) => find(id).widget.reset(),
    close: (id) => find(id).widget.close(),
    getResponse: (id) => find(id).widget.response,
    getRespKey: (id) => find(id).widget.key,
    setData: () => {},
    ready: (act) => whenParsed(() => setTimeout(act)),
    /** Draw all that are not yet, as their class names ask for. */
    renderAll() {
      const there = [...rendered.values()].filter(({ isThere }) => isThere?.());
      const known = new Set(there.map(({ container }) => container));
      for (const container of document.querySelectorAll(classes.join())) {
        if (container.dataset.sitekey && !known.has(container)) render(container);
      }
    },
    isCompatible: !isRecaptcha && isCompatible,
  };
}

/** An error with the code by which hCaptcha rejects. */
function fault(code, message) {
  return Object.assign(new Error(message), { code });
}

/** Let nobody be told of a rejection who does not ask. */
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

function dataOf(element) {
  const data = [...element.attributes].filter(({ name }) => name.startsWith("data-"));
  return Object.fromEntries(data.map(({ name, value }) => [name.slice("data-".length), value]));
}

/** The form's field, hidden without a style attribute, which a page may forbid. */
function makeField(name, id) {
  const area = make("textarea", { id: id === "" ? name : `${name}-${id}`, name, class: name });
  area.style.setProperty("display", "none", "important");
  return area;
}

/** Offer the functions to the page, draw what waits for it, and say so. */
function start() {
  const name = isRecaptcha ? "grecaptcha" : "hcaptcha";
  const OWN = Symbol.for("tessera-captcha");
  let drawAll = globalThis[name]?.[OWN]; // of this script, if the page has loaded it before
  if (!drawAll) {
    const { renderAll, isCompatible, ...api } = makeApi();
    drawAll = renderAll;
    const offered = Object.assign((globalThis[name] ??= {}), api, { [OWN]: drawAll });
    if (isRecaptcha) offered.enterprise = Object.assign(offered.enterprise ?? {}, api);
    else if (isCompatible && !globalThis.grecaptcha?.[OWN]) globalThis.grecaptcha = offered;
  }
  const waiting = globalThis.___grecaptcha_cfg?.fns ?? []; // of `grecaptcha.ready` before this came
  for (const act of waiting.splice(0)) globalThis[name].ready(act);
  if (own.get("render") !== "explicit" && !siteOfScript) whenParsed(drawAll);
  const loaded = () => callback(own.get("onload"))?.();
  if (callback(own.get("onload"))) setTimeout(loaded);
  else whenParsed(loaded);
}

/** <tessera-captcha sitekey theme size door lang name>: a field of its form, required. */
class TesseraCaptcha extends HTMLElement {
  static formAssociated = true;
  static observedAttributes = ["sitekey", "theme", "size", "door"];
  #internals = this.attachInternals();
  #root = dress(this.attachShadow({ mode: "open", delegatesFocus: true }));
  #submit = (event) => this.#solveFirst(event);
  #form = null;
  #widget = null;

  connectedCallback() {
    this.#draw();
  }

  disconnectedCallback() {
    this.#widget?.remove();
    this.#widget = null;
  }

  attributeChangedCallback() {
    if (this.#widget) this.#draw();
  }

  formAssociatedCallback(form) {
    this.#form?.removeEventListener("submit", this.#submit);
    this.#form = form;
    form?.addEventListener("submit", this.#submit);
  }

  formResetCallback() {
    this.reset();
  }

  get form() {
    return this.#internals.form;
  }

  get response() {
    return this.#widget?.response ?? "";
  }

  /** Open the challenge unless it is solved; return a promise of the response. */
  async execute() {
    return (await this.#widget.execute()).response;
  }

  reset() {
    this.#widget?.reset();
  }

  #draw() {
    this.#widget?.remove();
    const read = (name) => this.getAttribute(name) || undefined;
    const options = {
      sitekey: read("sitekey"),
      theme: read("theme") ?? "auto",
      size: read("size"),
      door: read("door"),
      hl: read("lang"),
    };
    if (!options.sitekey) return;
    const root = options.size === "invisible" ? null : this.#root;
    this.#widget = new Widget(options, root, (event, value) => this.#tell(event, value));
    this.#value("");
  }

  #tell(event, value) {
    if (event === "changed") this.#value(value);
    const detail = { solved: { response: value }, expired: {}, failed: { code: value } }[event];
    if (detail) this.dispatchEvent(new CustomEvent(event, { detail, bubbles: true }));
  }

  #value(response) {
    const data = new FormData();
    if (response) data.append(this.getAttribute("name") || "tessera-response", response);
    this.#internals.setFormValue(data);
    const check = this.#widget?.check;
    if (response || !check) this.#internals.setValidity({});
    else this.#internals.setValidity({ valueMissing: true }, strings.required, check);
  }

  /** An invisible one is solved when its form is about to be sent. */
  #solveFirst(event) {
    if (this.getAttribute("size") !== "invisible" || this.response || event.defaultPrevented) return;
    event.preventDefault();
    this.execute().then(() => this.#form.requestSubmit(event.submitter), () => {});
  }
}

if (dialect !== "tessera") start();
else if (!customElements.get("tessera-captcha")) {
  customElements.define("tessera-captcha", TesseraCaptcha);
}
