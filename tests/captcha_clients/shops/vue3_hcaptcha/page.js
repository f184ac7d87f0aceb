import VueHcaptcha from "@hcaptcha/vue3-hcaptcha";
import { createApp, h, ref } from "vue";

const place = document.querySelector("#app");

createApp({
  setup() {
    const passed = ref(false);
    const checkbox = () =>
      h(VueHcaptcha, {
        sitekey: place.dataset.key,
        apiEndpoint: "https://captcha.example/1/api.js",
        sentry: false,
        onVerify: () => (passed.value = true),
        onExpired: () => (passed.value = false),
      });
    const button = () => h("input", { type: "submit", value: "Order", disabled: !passed.value });
    return () => h("form", { method: "post" }, [checkbox(), button()]);
  },
}).mount(place);
