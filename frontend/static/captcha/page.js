/** To the page that shows the frame: how the challenge goes, and nothing comes back. */

/** Return a function that tells the page of an origin: `tell("closed")`. It hears the height. */
export function speakTo(origin) {
  const tell = (captcha, message = {}) => parent.postMessage({ captcha, ...message }, origin);
  const { body } = document;
  new ResizeObserver(() => tell("height", { height: body.offsetHeight })).observe(body);
  return tell;
}

export function closeByEscape(tell) {
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape") tell("closed");
  });
}
