import { useState } from "react";
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

createRoot(place).render(<Order />);
