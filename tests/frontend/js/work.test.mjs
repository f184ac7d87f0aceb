import assert from "node:assert/strict";
import { randomBytes, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const path = new URL("../../../frontend/static/captcha/work.js", import.meta.url);
const script = new vm.Script(`${readFileSync(path, "utf8")};({ scrypt, leadingZeros })`);

/** The worker's functions; what it posts goes to the list. */
function worker(posted = []) {
  const self = { postMessage: (message) => posted.push(structuredClone(message)) };
  const context = vm.createContext({ self, atob });
  return { ...script.runInContext(context), self };
}

const { scrypt, leadingZeros } = worker();
const text = (letters) => new TextEncoder().encode(letters);
const hex = (bytes) => Buffer.from(bytes).toString("hex");

test("it computes the examples of RFC 7914", () => {
  const examples = [
    ["", "", { n: 16, r: 1, p: 1 }, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"],
    ["password", "NaCl", { n: 1024, r: 8, p: 16 }, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"],
    ["pleaseletmein", "SodiumChloride", { n: 16384, r: 8, p: 1 }, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"],
  ];
  for (const [password, salt, work, expected] of examples) {
    assert.equal(hex(scrypt(text(password), text(salt), work, 64)), expected);
  }
});

test("it computes what OpenSSL does", () => {
  for (let length = 0; length < 140; length += 9) {
    const work = { n: 2 ** (1 + (length % 6)), r: 1 + (length % 8), p: 1 + (length % 3) };
    const [password, salt] = [randomBytes(length), randomBytes((7 * length) % 101)];
    const expected = scryptSync(password, salt, 32 + length, { N: work.n, r: work.r, p: work.p });
    assert.equal(hex(scrypt(password, salt, work, 32 + length)), hex(expected));
  }
});

test("it counts leading zero bits", () => {
  assert.equal(leadingZeros(new Uint8Array([0x80, 0])), 0);
  assert.equal(leadingZeros(new Uint8Array([0x07, 0xff])), 5);
  assert.equal(leadingZeros(new Uint8Array([0, 0, 0x40])), 17);
  assert.equal(leadingZeros(new Uint8Array([0, 0])), 16);
});

test("it tells of each puzzle, and then what solves them", () => {
  const posted = [];
  const salt = Buffer.from("f".repeat(15) + "\xfe\xff", "latin1");
  const work = { salt: salt.toString("base64url"), n: 32, r: 1, p: 1, bits: 4, count: 5 };
  worker(posted).self.onmessage({ data: work });
  assert.deepEqual(posted.slice(0, -1), [1, 2, 3, 4, 5].map((done) => ({ done })));
  const { nonces } = posted.at(-1);
  assert.equal(nonces.length, 5);
  nonces.forEach((nonce, number) => {
    const password = Buffer.alloc(12);
    password.writeBigUInt64BE(BigInt(nonce));
    password.writeUInt32BE(number, 8);
    assert.equal(scryptSync(password, salt, 32, { N: 32, r: 1, p: 1 })[0] >> 4, 0);
  });
});
