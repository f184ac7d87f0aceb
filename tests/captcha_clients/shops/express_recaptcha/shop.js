// An order form with express-recaptcha, whose server's name is a constant.
const express = require("express");
const { RecaptchaV2 } = require("express-recaptcha");

const recaptcha = new RecaptchaV2(process.env.SITE_KEY, process.env.SECRET);
const page = (captcha) => `<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy" content="default-src 'self';
 script-src https://www.google.com; frame-src https://www.google.com">
<title>Order</title>
<form method="post">${captcha} <input type="submit" value="Order"></form>
</html>`;

const app = express();
app.use(express.urlencoded({ extended: false }));
app.get("/", recaptcha.middleware.render, (request, response) => {
  response.send(page(response.recaptcha));
});
app.post("/", recaptcha.middleware.verify, (request, response) => {
  const { error } = request.recaptcha;
  response.send(error ? `Refused: ${error}` : "Thank you for your order.");
});
app.listen(Number(process.env.PORT), "127.0.0.1");
