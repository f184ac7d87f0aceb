import { createApp, h, ref } from "vue";
import { VueRecaptcha } from "vue-recaptcha";

const place = document.querySelector("#app");

createApp({
  setup() {
    const passed = ref(false);
    const checkbox = () =>
      h(VueRecaptcha, {
        sitekey: place.dataset.key,
        recaptchaHost: "captcha.example",
        onVerify: () => (passed.value = true),
        onExpired: () => (passed.value = false),
      });
    const button = () => h("input", { type: "submit", value: "Order", disabled: !passed.value });
    return () => h("form", { method: "post" }, [checkbox(), button()]);
  },
}).mount(place);
