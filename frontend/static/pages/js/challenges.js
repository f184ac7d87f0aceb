/** Challenges over HTTP. Knows no DOM. */

const ADDRESS = "/api/v1/challenges/";

export class Challenges {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /** Issue a challenge; null when nothing is left to ask. */
  issue({ project, kind = null }) {
    return this.#client.post(ADDRESS, { project, kind });
  }

  answer(token, body) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/answer/`, body);
  }

  /** Say what is wrong with a tile, by its number. */
  flag(token, number, body) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/tiles/${number}/flag/`, body);
  }

  skip(token) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/skip/`);
  }
}
