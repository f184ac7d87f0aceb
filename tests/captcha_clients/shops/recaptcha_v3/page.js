import { load } from "recaptcha-v3";

const form = document.querySelector("form");
const useEnterprise = location.pathname === "/enterprise/";
const script = useEnterprise ? "enterprise.js" : "api.js";
const loading = load(form.dataset.key, {
  customUrl: `https://captcha.example/recaptcha/${script}`,
  useEnterprise,
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const recaptcha = await loading;
  form.elements["g-recaptcha-response"].value = await recaptcha.execute("order");
  form.submit();
});
