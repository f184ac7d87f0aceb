/** The token against forged requests: signing in elsewhere changes it while a page is open. */

const COOKIE = /(?:^|; )csrftoken=([^;]*)/;

/** Return the token of the cookie, or else the one that the page came with. */
export function csrfToken() {
  const page = document.querySelector('meta[name="csrf-token"]');
  return COOKIE.exec(document.cookie)?.[1] ?? page.content;
}
