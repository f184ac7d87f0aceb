import HCaptcha from "@hcaptcha/react-hcaptcha";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const place = document.querySelector("#app");

function Order() {
  const [token, setToken] = useState("");
  return (
    <form method="post">
      <HCaptcha
        sitekey={place.dataset.key}
        apihost="https://captcha.example"
        sentry={false}
        onVerify={setToken}
        onExpire={() => setToken("")}
      />
      <input type="submit" value="Order" disabled={!token} />
    </form>
  );
}

createRoot(place).render(<Order />);
