import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { GoogleReCaptchaProvider, useGoogleReCaptcha } from "react-google-recaptcha-v3";

const place = document.querySelector("#app");

function Order() {
  const { executeRecaptcha } = useGoogleReCaptcha();
  const order = async (event) => {
    event.preventDefault();
    const { currentTarget: form } = event;
    form.elements["g-recaptcha-response"].value = await executeRecaptcha("order");
    form.submit();
  };
  return (
    <form method="post" onSubmit={order}>
      <input type="hidden" name="g-recaptcha-response" />
      <input type="submit" value="Order" disabled={!executeRecaptcha} />
    </form>
  );
}

createRoot(place).render(
  <StrictMode>
    <GoogleReCaptchaProvider reCaptchaKey={place.dataset.key} useRecaptchaNet>
      <Order />
    </GoogleReCaptchaProvider>
  </StrictMode>,
);
