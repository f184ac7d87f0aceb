/** Challenges over HTTP. Knows no DOM. */

const ADDRESS = "/api/v1/challenges/";

export class Challenges {
  #client;

  constructor(client) {
    this.#client = client;
  }

  /** Issue a challenge; null when nothing is left to ask. One fetched ahead is good for hours. */
  issue({ project, kind = null, ahead = false }) {
    return this.#client.post(ADDRESS, { project, kind, ahead });
  }

  /** List what was fetched ahead and can still be answered: { limit, challenges }. */
  fetchedAhead(project) {
    return this.#client.get(`${ADDRESS}ahead/${encodeURIComponent(project)}/`);
  }

  answer(token, body) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/answer/`, body);
  }

  /** Say what is wrong with a tile, by its number. */
  flag(token, number, body) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/tiles/${number}/flag/`, body);
  }

  /** Skip a challenge, for a reason or none: `skip(token, { reason: "cut_off" })`. */
  skip(token, body = {}) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/skip/`, body);
  }

  /** Take the answer or skip of the last challenge back. */
  undo(token) {
    return this.#client.post(`${ADDRESS}${encodeURIComponent(token)}/undo/`);
  }

  /** Return what came of an answer, once it cannot be undone any more. */
  result(token) {
    return this.#client.get(`${ADDRESS}${encodeURIComponent(token)}/result/`);
  }
}
