import "@hcaptcha/vanilla-hcaptcha";

const button = document.querySelector("input[type=submit]");
const captcha = document.querySelector("h-captcha");

if (location.pathname === "/") {
  button.disabled = true;
  captcha.addEventListener("verified", (event) => (button.disabled = !event.token));
  captcha.addEventListener("expired", () => (button.disabled = true));
} else {
  captcha.setAttribute("size", "invisible");
  button.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await captcha.executeAsync();
    button.form.submit();
  });
}
