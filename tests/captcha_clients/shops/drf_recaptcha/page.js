const form = document.querySelector("form");

async function send(captcha) {
  const answer = await fetch(form.dataset.api, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ captcha }),
  });
  document.querySelector("p").textContent = (await answer.json()).detail;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.dataset.api.includes("v3")) {
    grecaptcha.execute(form.dataset.key, { action: "order" }).then(send);
  } else {
    send(grecaptcha.getResponse());
  }
});
