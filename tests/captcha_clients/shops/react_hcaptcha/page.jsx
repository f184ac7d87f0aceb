import HCaptcha from "@hcaptcha/react-hcaptcha";
import { StrictMode, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const place = document.querySelector("#app");
const ours = { sitekey: place.dataset.key, apihost: "https://captcha.example", sentry: false };

function Order() {
  const [token, setToken] = useState("");
  return (
    <form method="post">
      <HCaptcha {...ours} onVerify={setToken} onExpire={() => setToken("")} />
      <input type="submit" value="Order" disabled={!token} />
    </form>
  );
}

function InvisibleOrder() {
  const captcha = useRef(null);
  const order = async (event) => {
    event.preventDefault();
    const { currentTarget: form } = event;
    await captcha.current.execute({ async: true });
    form.submit();
  };
  return (
    <form method="post" onSubmit={order}>
      <HCaptcha {...ours} ref={captcha} size="invisible" />
      <input type="submit" value="Order" />
    </form>
  );
}

const Page = location.pathname === "/" ? Order : InvisibleOrder;
createRoot(place).render(<StrictMode><Page /></StrictMode>);
