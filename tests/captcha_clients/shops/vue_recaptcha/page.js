import { createApp, h, ref } from "vue";
import { VueRecaptcha } from "vue-recaptcha";

const place = document.querySelector("#app");
const ours = { sitekey: place.dataset.key, recaptchaHost: "captcha.example" };

const Order = {
  setup() {
    const passed = ref(false);
    const onVerify = () => (passed.value = true);
    const onExpired = () => (passed.value = false);
    const button = () => h("input", { type: "submit", value: "Order", disabled: !passed.value });
    return () =>
      h("form", { method: "post" }, [h(VueRecaptcha, { ...ours, onVerify, onExpired }), button()]);
  },
};

const InvisibleOrder = {
  setup() {
    const captcha = ref(null);
    const form = ref(null);
    const onSubmit = (event) => {
      event.preventDefault();
      captcha.value.execute();
    };
    const invisible = () =>
      h(VueRecaptcha, { ...ours, ref: captcha, size: "invisible", onVerify: () => form.value.submit() });
    const button = () => h("input", { type: "submit", value: "Order" });
    return () => h("form", { method: "post", ref: form, onSubmit }, [invisible(), button()]);
  },
};

createApp(location.pathname === "/" ? Order : InvisibleOrder).mount(place);
