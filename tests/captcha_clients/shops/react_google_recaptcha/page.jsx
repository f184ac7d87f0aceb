import { StrictMode, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import ReCAPTCHA from "react-google-recaptcha";

const place = document.querySelector("#app");

function Order() {
  const [token, setToken] = useState(null);
  return (
    <form method="post">
      <ReCAPTCHA sitekey={place.dataset.key} onChange={setToken} />
      <input type="submit" value="Order" disabled={!token} />
    </form>
  );
}

function InvisibleOrder() {
  const captcha = useRef(null);
  const order = async (event) => {
    event.preventDefault();
    const { currentTarget: form } = event;
    await captcha.current.executeAsync();
    form.submit();
  };
  return (
    <form method="post" onSubmit={order}>
      <ReCAPTCHA ref={captcha} sitekey={place.dataset.key} size="invisible" />
      <input type="submit" value="Order" />
    </form>
  );
}

if (location.pathname === "/enterprise/") {
  window.recaptchaOptions = { enterprise: true, useRecaptchaNet: true };
}
const Page = location.pathname === "/invisible/" ? InvisibleOrder : Order;
createRoot(place).render(<StrictMode><Page /></StrictMode>);
