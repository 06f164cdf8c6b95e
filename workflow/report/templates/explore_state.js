// What a reader has chosen. All of it stands behind # in the address, so that it can be mailed, marked and gone back to.
"use strict";

// Where a click on a sample puts it, and how many fit.
const SLOTS = {
  a: { name: "A", most: 3 },
  b: { name: "B", most: 3 },
  c: { name: "C", most: 3 },
  from: { name: "start", most: 1 },
  to: { name: "end", most: 1 },
  left: { name: "left", most: 4 },
  right: { name: "right", most: 4 },
  face: { name: "moved", most: 6 },
};
// Numbers: least, most, and what they are at first.
const NUMBERS = {
  seed: [0, 2 ** 32 - 1, 1],
  at: [0, 1, 0.5],
  turn: [-1.5, 1.5, 0],
  layer: [0, 99, 0],
  drop: [0, 9999, 0],
  other: [0, 2 ** 32 - 1, 0],
};
// `maps`: those that are dropped one by one, a bit each, four in a hexadecimal digit, the first ones first; empty: the
// first `drop` of the ranking are.
const WORDS = {
  draw: /^(new|hand)$/, class: /^(all|\d+)$/, path: /^(linear|spherical)$/, slot: /^(a|b|c|from|to|left|right|face)$/, maps: /^[0-9a-f]{1,512}$/,
};
const FIRST_WORDS = { draw: "new", class: "all", path: "linear", slot: "a", maps: "" };
// A sample: its seed, its number, and of a conditional network its class. The seed of those that a person annotates is
// `hand`.
const SAMPLE = /^(\d{1,10}|hand)\.\d{1,4}(\.\d{1,3})?$/;
const BOX = /^((?:\d{1,10}|hand)\.\d{1,4}):(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/;
const exists = (id, network) => !id.startsWith("hand.") || Number(id.split(".")[1]) < (deskOf(network)?.samples ?? 0);

function freshState(network) {
  const state = { network, boxes: {}, ...FIRST_WORDS };
  for (const name of Object.keys(SLOTS)) state[name] = [];
  for (const [name, [, , first]] of Object.entries(NUMBERS)) state[name] = first;
  return state;
}

function within(name, text) {
  const [least, most, first] = NUMBERS[name], number = Number(text);
  return text === "" || !Number.isFinite(number) ? first : Math.min(most, Math.max(least, number));
}

// The state that a text behind # means; what cannot be understood is left as it is at first.
function stateFrom(text, known) {
  const given = new URLSearchParams(text), name = given.get("network");
  const state = freshState(known.has(name) ? name : [...known.keys()][0]), about = known.get(state.network);
  const fits = (id) => SAMPLE.test(id) && (id.split(".").length === 3) === about.classes > 0
    && Number(id.split(".")[2] || 0) < Math.max(about.classes, 1) && exists(id, state.network);
  for (const [slot, { most }] of Object.entries(SLOTS)) {
    state[slot] = [...new Set((given.get(slot) || "").split(",").filter(fits))].slice(0, most);
  }
  for (const number of Object.keys(NUMBERS)) if (given.has(number)) state[number] = within(number, given.get(number));
  for (const [word, pattern] of Object.entries(WORDS)) {
    if (pattern.test(given.get(word) || "")) state[word] = given.get(word);
  }
  state.maps = state.maps.replace(/0+$/, "");
  if (state.maps) state.drop = 0;
  if (!deskOf(state.network)) state.draw = "new";
  if (state.class !== "all" && !(Number(state.class) < about.classes)) state.class = "all";
  for (const part of (given.get("boxes") || "").split(",")) {
    const [, id, ...sides] = BOX.exec(part) || [];
    if (id && exists(id, state.network)) state.boxes[id] = boxWithin(sides.map(Number), about.size);
  }
  for (const whole of ["seed", "layer", "drop", "other"]) state[whole] = Math.floor(state[whole]);
  return state;
}

// x, y, width, height of a box that lies inside a picture.
function boxWithin([x, y, width, height], size) {
  const cut = (value, least, most) => Math.round(Math.min(most, Math.max(least, value)));
  const w = cut(width, 1, size), h = cut(height, 1, size);
  return [cut(x, 0, size - w), cut(y, 0, size - h), w, h];
}

function hashOf(state) {
  const parts = [`network=${state.network}`];
  for (const [name, [, , first]] of Object.entries(NUMBERS)) if (state[name] !== first) parts.push(`${name}=${state[name]}`);
  for (const [name, first] of Object.entries(FIRST_WORDS)) if (state[name] !== first) parts.push(`${name}=${state[name]}`);
  for (const name of Object.keys(SLOTS)) if (state[name].length) parts.push(`${name}=${state[name].join(",")}`);
  const boxes = Object.entries(state.boxes).map(([id, sides]) => `${id}:${sides.join("-")}`);
  if (boxes.length) parts.push(`boxes=${boxes.join(",")}`);
  return `#${parts.join("&")}`;
}

// Numbers of maps as `maps` has them, and back.
function hexOf(numbers) {
  const digits = Array(Math.floor(Math.max(-4, ...numbers) / 4) + 1).fill(0);
  for (const number of numbers) digits[Math.floor(number / 4)] |= 1 << (number % 4);
  return digits.map((digit) => digit.toString(16)).join("");
}
const numbersIn = (hex) => [...hex].flatMap((digit, place) =>
  [0, 1, 2, 3].filter((bit) => parseInt(digit, 16) & (1 << bit)).map((bit) => 4 * place + bit));

// A click: into the slot, out of it again, or, if it is full, in place of the one that came first.
function toggled(ids, id, most) {
  return ids.includes(id) ? ids.filter((other) => other !== id) : [...ids, id].slice(-most);
}
