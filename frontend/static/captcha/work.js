/*
 * Solves the puzzles of the door without a test, in a thread of its own.
 *
 * Posted { salt, n, r, p, bits, count }, it looks for a nonce a puzzle whose scrypt hash has so many
 * leading zero bits, posts { done } after each and { nonces } at last. scrypt (RFC 7914) is written
 * out: browsers have none, and crypto.subtle, which has its parts, is missing on plain http.
 */
"use strict";

const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const START = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
const SHA_BLOCK = 64; // bytes
const DIGEST = 32; // bytes

/** The SHA-256 hash of some bytes (FIPS 180-4). */
function sha256(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / SHA_BLOCK) * SHA_BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const state = new Int32Array(START);
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += SHA_BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
    compress(state, words);
  }
  const digest = new DataView(new ArrayBuffer(DIGEST));
  state.forEach((word, i) => digest.setInt32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

/** Mixes a block, the first 16 of the words, into the state. */
function compress(state, words) {
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15];
    const y = words[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[i] = words[i - 16] + s0 + words[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + words[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] += word;
  });
}

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** HMAC-SHA-256 by a key (RFC 2104), as a function of the message. */
function hmac(key) {
  const block = new Uint8Array(SHA_BLOCK);
  block.set(key.length > SHA_BLOCK ? sha256(key) : key);
  const inner = block.map((byte) => byte ^ 0x36);
  const outer = block.map((byte) => byte ^ 0x5c);
  return (message) => sha256(joined(outer, sha256(joined(inner, message))));
}

/** PBKDF2 with HMAC-SHA-256 and one iteration (RFC 8018), which is all that scrypt needs. */
function pbkdf2(password, salt, length) {
  const mac = hmac(password);
  const key = new Uint8Array(length);
  const number = new DataView(new ArrayBuffer(4));
  for (let i = 0; i * DIGEST < length; i++) {
    number.setUint32(0, i + 1);
    const block = mac(joined(salt, new Uint8Array(number.buffer)));
    key.set(block.subarray(0, Math.min(DIGEST, length - i * DIGEST)), i * DIGEST);
  }
  return key;
}

/** Salsa20/8 of x XOR a block of the input; the result, which is also the next x, goes to output. */
function salsa8(x, input, from, output, to) {
  const y0 = (x[0] ^= input[from]);
  const y1 = (x[1] ^= input[from + 1]);
  const y2 = (x[2] ^= input[from + 2]);
  const y3 = (x[3] ^= input[from + 3]);
  const y4 = (x[4] ^= input[from + 4]);
  const y5 = (x[5] ^= input[from + 5]);
  const y6 = (x[6] ^= input[from + 6]);
  const y7 = (x[7] ^= input[from + 7]);
  const y8 = (x[8] ^= input[from + 8]);
  const y9 = (x[9] ^= input[from + 9]);
  const y10 = (x[10] ^= input[from + 10]);
  const y11 = (x[11] ^= input[from + 11]);
  const y12 = (x[12] ^= input[from + 12]);
  const y13 = (x[13] ^= input[from + 13]);
  const y14 = (x[14] ^= input[from + 14]);
  const y15 = (x[15] ^= input[from + 15]);
  let x0 = y0, x1 = y1, x2 = y2, x3 = y3, x4 = y4, x5 = y5, x6 = y6, x7 = y7;
  let x8 = y8, x9 = y9, x10 = y10, x11 = y11, x12 = y12, x13 = y13, x14 = y14, x15 = y15;
  let t = 0;
  for (let round = 0; round < 8; round += 2) {
    t = (x0 + x12) | 0; x4 ^= (t << 7) | (t >>> 25);
    t = (x4 + x0) | 0; x8 ^= (t << 9) | (t >>> 23);
    t = (x8 + x4) | 0; x12 ^= (t << 13) | (t >>> 19);
    t = (x12 + x8) | 0; x0 ^= (t << 18) | (t >>> 14);
    t = (x5 + x1) | 0; x9 ^= (t << 7) | (t >>> 25);
    t = (x9 + x5) | 0; x13 ^= (t << 9) | (t >>> 23);
    t = (x13 + x9) | 0; x1 ^= (t << 13) | (t >>> 19);
    t = (x1 + x13) | 0; x5 ^= (t << 18) | (t >>> 14);
    t = (x10 + x6) | 0; x14 ^= (t << 7) | (t >>> 25);
    t = (x14 + x10) | 0; x2 ^= (t << 9) | (t >>> 23);
    t = (x2 + x14) | 0; x6 ^= (t << 13) | (t >>> 19);
    t = (x6 + x2) | 0; x10 ^= (t << 18) | (t >>> 14);
    t = (x15 + x11) | 0; x3 ^= (t << 7) | (t >>> 25);
    t = (x3 + x15) | 0; x7 ^= (t << 9) | (t >>> 23);
    t = (x7 + x3) | 0; x11 ^= (t << 13) | (t >>> 19);
    t = (x11 + x7) | 0; x15 ^= (t << 18) | (t >>> 14);
    t = (x0 + x3) | 0; x1 ^= (t << 7) | (t >>> 25);
    t = (x1 + x0) | 0; x2 ^= (t << 9) | (t >>> 23);
    t = (x2 + x1) | 0; x3 ^= (t << 13) | (t >>> 19);
    t = (x3 + x2) | 0; x0 ^= (t << 18) | (t >>> 14);
    t = (x5 + x4) | 0; x6 ^= (t << 7) | (t >>> 25);
    t = (x6 + x5) | 0; x7 ^= (t << 9) | (t >>> 23);
    t = (x7 + x6) | 0; x4 ^= (t << 13) | (t >>> 19);
    t = (x4 + x7) | 0; x5 ^= (t << 18) | (t >>> 14);
    t = (x10 + x9) | 0; x11 ^= (t << 7) | (t >>> 25);
    t = (x11 + x10) | 0; x8 ^= (t << 9) | (t >>> 23);
    t = (x8 + x11) | 0; x9 ^= (t << 13) | (t >>> 19);
    t = (x9 + x8) | 0; x10 ^= (t << 18) | (t >>> 14);
    t = (x15 + x14) | 0; x12 ^= (t << 7) | (t >>> 25);
    t = (x12 + x15) | 0; x13 ^= (t << 9) | (t >>> 23);
    t = (x13 + x12) | 0; x14 ^= (t << 13) | (t >>> 19);
    t = (x14 + x13) | 0; x15 ^= (t << 18) | (t >>> 14);
  }
  output[to] = x[0] = x0 + y0;
  output[to + 1] = x[1] = x1 + y1;
  output[to + 2] = x[2] = x2 + y2;
  output[to + 3] = x[3] = x3 + y3;
  output[to + 4] = x[4] = x4 + y4;
  output[to + 5] = x[5] = x5 + y5;
  output[to + 6] = x[6] = x6 + y6;
  output[to + 7] = x[7] = x7 + y7;
  output[to + 8] = x[8] = x8 + y8;
  output[to + 9] = x[9] = x9 + y9;
  output[to + 10] = x[10] = x10 + y10;
  output[to + 11] = x[11] = x11 + y11;
  output[to + 12] = x[12] = x12 + y12;
  output[to + 13] = x[13] = x13 + y13;
  output[to + 14] = x[14] = x14 + y14;
  output[to + 15] = x[15] = x15 + y15;
}

/** scrypt's BlockMix of the 2r blocks at `from`, into those at `to` of another array. */
function blockMix(x, input, from, output, to, r) {
  for (let i = 0; i < 16; i++) x[i] = input[from + (2 * r - 1) * 16 + i];
  for (let i = 0; i < r; i++) {
    salsa8(x, input, from + 32 * i, output, to + 16 * i);
    salsa8(x, input, from + 32 * i + 16, output, to + 16 * (r + i));
  }
}

/** scrypt's ROMix of the words of one lane, in place. memory: n times as many words. */
function romix(lane, memory, n, r) {
  const size = 32 * r;
  const x = new Int32Array(16);
  const next = new Int32Array(size);
  memory.set(lane);
  for (let i = 1; i < n; i++) blockMix(x, memory, (i - 1) * size, memory, i * size, r);
  blockMix(x, memory, (n - 1) * size, lane, 0, r);
  for (let i = 0; i < n; i++) {
    const from = (lane[size - 16] & (n - 1)) * size;
    for (let j = 0; j < size; j++) next[j] = lane[j] ^ memory[from + j];
    blockMix(x, next, 0, lane, 0, r);
  }
}

/** The scrypt hash (RFC 7914). memory: 32 · n · r words, which are overwritten. */
function scrypt(password, salt, { n, r, p }, length, memory = new Int32Array(32 * n * r)) {
  const bytes = pbkdf2(password, salt, 128 * r * p);
  const view = new DataView(bytes.buffer);
  const lane = new Int32Array(32 * r);
  for (let at = 0; at < bytes.length; at += 128 * r) {
    lane.forEach((_, i) => {
      lane[i] = view.getInt32(at + 4 * i, true);
    });
    romix(lane, memory, n, r);
    lane.forEach((word, i) => view.setInt32(at + 4 * i, word, true));
  }
  return pbkdf2(password, bytes, length);
}

/** How many of the first bits are 0. */
function leadingZeros(bytes) {
  const at = bytes.findIndex((byte) => byte > 0);
  return at < 0 ? 8 * bytes.length : 8 * at + Math.clz32(bytes[at]) - 24;
}

/** The first nonce from 0 on that solves the puzzle of this number. */
function solve(number, salt, work, memory) {
  const password = new DataView(new ArrayBuffer(12)); // the nonce in eight bytes, and the number
  password.setUint32(8, number);
  for (let nonce = 0; nonce < 2 ** 32; nonce++) {
    password.setUint32(4, nonce);
    const hash = scrypt(new Uint8Array(password.buffer), salt, work, DIGEST, memory);
    if (leadingZeros(hash) >= work.bits) return nonce;
  }
  throw new Error("No nonce solves it.");
}

function fromBase64Url(text) {
  const letters = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

self.onmessage = ({ data: work }) => {
  const salt = fromBase64Url(work.salt);
  const memory = new Int32Array(32 * work.n * work.r);
  const nonces = [];
  while (nonces.length < work.count) {
    nonces.push(solve(nonces.length, salt, work, memory));
    self.postMessage({ done: nonces.length });
  }
  self.postMessage({ nonces });
};
