import "@hcaptcha/vanilla-hcaptcha";

const button = document.querySelector("input[type=submit]");
const captcha = document.querySelector("h-captcha");

captcha.addEventListener("verified", (event) => (button.disabled = !event.token));
captcha.addEventListener("expired", () => (button.disabled = true));
