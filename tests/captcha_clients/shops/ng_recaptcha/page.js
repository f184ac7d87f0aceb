import "zone.js";
import "@angular/compiler";
import { Component, importProvidersFrom } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { RECAPTCHA_LOADER_OPTIONS, RECAPTCHA_SETTINGS, RecaptchaModule } from "ng-recaptcha";

const siteKey = document.querySelector("order-page").dataset.key;
const api = new URL("https://captcha.example/recaptcha/api.js");

const Order = Component({
  selector: "order-page",
  standalone: true,
  imports: [RecaptchaModule],
  template: `<form method="post">
    <re-captcha (resolved)="token = $event"></re-captcha>
    <input type="submit" value="Order" [disabled]="!token">
  </form>`,
})(class { token = null; });

bootstrapApplication(Order, {
  providers: [
    importProvidersFrom(RecaptchaModule),
    { provide: RECAPTCHA_SETTINGS, useValue: { siteKey } },
    { provide: RECAPTCHA_LOADER_OPTIONS, useValue: { onBeforeLoad: () => ({ url: api }) } },
  ],
});
