// The page of explore_networks: shows the state (explore_state.js) in pictures that a network draws (explore_network.js).
"use strict";

const NOISE = 0.25; // the paper's, around the sum
const NEIGHBOURS = 8;
const STEPS = 9; // pictures in the strip of a walk
const MOVED = 6; // faces that turn if none are chosen
const KEPT_PICTURES = 2000;
const WORK_MILLISECONDS = 12; // of drawing at a time, so that the page answers meanwhile

const known = new Map();
for (const script of document.querySelectorAll("script.network")) {
  const about = JSON.parse(script.textContent);
  known.set(about.name, about);
}
const opened = new Map();
let state = stateFrom("", known);

function network(name = state.network) {
  if (!opened.has(name)) opened.set(name, openNetwork(known.get(name), find(`weights-${name}`).textContent.trim()));
  return opened.get(name);
}

// ----------------------------------------------------------------------------------------------------------- drawing

const pictures = new Map(); // key -> pixels
const waiting = new Map(); // canvas -> key and what makes its pixels
let working = false;
let drawn = 0, spent = 0; // points, and milliseconds for them

function pixelsOf(key, make) {
  if (!pictures.has(key)) {
    if (pictures.size >= KEPT_PICTURES) pictures.delete(pictures.keys().next().value);
    pictures.set(key, make());
  }
  return pictures.get(key);
}

// The pixels of a point, with the time that it took.
function drawPoint(point, change) {
  const started = performance.now(), pixels = drawPixels(network(), point, change);
  drawn += 1;
  spent += performance.now() - started;
  return pixels;
}

function show(canvas, key, make, name = state.network) {
  const { size } = network(name);
  if (canvas.width !== size) canvas.width = canvas.height = size;
  waiting.set(canvas, [`${name} ${key}`, make]);
  if (!working) setTimeout(work);
  working = true;
}

function work() {
  const until = performance.now() + WORK_MILLISECONDS;
  for (const [canvas, [key, make]] of waiting) {
    waiting.delete(canvas);
    if (canvas.isConnected) {
      const { width, height } = canvas;
      canvas.getContext("2d").putImageData(new ImageData(pixelsOf(key, make), width, height), 0, 0);
    }
    if (performance.now() > until) break;
  }
  working = waiting.size > 0;
  if (working) setTimeout(work);
  else if (drawn) find("pace").textContent = `${(spent / drawn).toFixed(1)} ms per picture in this browser.`;
}

function canvas(label, key, make) {
  const made = element("canvas");
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  show(made, key, make);
  return made;
}

// ----------------------------------------------------------------------------------------------------------- samples

function sampleId(index) {
  const { classes } = network(), desk = deskOf(state.network);
  if (state.draw === "hand" && desk) return `hand.${((state.seed + desk.samples - 1) * COUNT + index) % desk.samples}`;
  const label = state.class === "all" ? index % classes : Number(state.class);
  return [state.seed, index, ...(classes ? [label] : [])].join(".");
}

function samplePoint(id) {
  const [seed, index, label] = id.split(".");
  const z = seed === "hand" ? latentOf(deskOf(state.network), Number(index)) : drawLatent(network(), Number(seed), Number(index));
  return { z, label: oneHot(network(), Number(label)) };
}

const samplePixels = (id) => pixelsOf(`${state.network} ${id}`, () => drawPoint(samplePoint(id)));
function sampleName(id) {
  const [seed, index] = id.split(".");
  return seed === "hand" ? `sample ${Number(index) + 1} of those to annotate` : `sample ${seed}.${index}`;
}
const sampleCanvas = (id) => canvas(sampleName(id), id, () => drawPoint(samplePoint(id)));
const pointCanvas = (label, key, point) => canvas(label, key, () => drawPoint(point()));
const points = (slot) => chosen(slot).map(samplePoint);

// What is in a slot; walks and turns begin with samples that are in view.
function chosen(slot) {
  const first = { from: [0, 1], to: [1, 2], face: [0, MOVED] }[slot];
  if (state[slot].length || !first) return state[slot];
  return Array.from({ length: COUNT }, (_, index) => sampleId(index)).slice(...first);
}

function renderSamples() {
  const cells = [...find("grid").children];
  cells.forEach((cell, index) => {
    const id = sampleId(index), [picture, badge] = cell.children;
    const inside = Object.entries(SLOTS).filter(([slot]) => state[slot].includes(id)).map(([, { name }]) => name);
    show(picture, id, () => drawPoint(samplePoint(id)));
    badge.textContent = inside.join(", ");
    cell.setAttribute("aria-pressed", state[state.slot].includes(id));
    cell.setAttribute("aria-label", `${sampleName(id)}${inside.length ? `, in ${inside.join(", ")}` : ""}`);
  });
}

// The samples in a slot; a click takes one out.
function renderSlots() {
  for (const [slot, { name }] of Object.entries(SLOTS)) {
    const strip = document.querySelector(`[data-strip="${slot}"]`);
    strip.replaceChildren(...chosen(slot).map((id) => {
      if (!state[slot].includes(id)) return sampleCanvas(id);
      const button = element("button", { type: "button", className: "cell" }, [sampleCanvas(id)]);
      button.setAttribute("aria-label", `take ${sampleName(id)} out of ${name}`);
      button.addEventListener("click", () => change({ [slot]: toggled(state[slot], id, 1) }));
      return button;
    }));
  }
  for (const mean of document.querySelectorAll("[data-mean]")) {
    const slot = mean.dataset.mean, ids = chosen(slot);
    const point = () => meanPoint(points(slot));
    mean.replaceChildren(...(ids.length ? [pointCanvas(`mean of ${SLOTS[slot].name}`, `mean ${ids}`, point)] : []));
  }
}

// ------------------------------------------------------------------------------------------------ arithmetic, walk, turn

function renderSum() {
  const terms = ["a", "b", "c"], ids = terms.map((slot) => state[slot]), key = ids.join(" ");
  const ready = ids.every((some) => some.length);
  find("sum-hint").hidden = ready;
  const factors = [1, -1, 1];
  const sum = () => combine(terms.map((slot) => meanPoint(points(slot))), factors);
  const around = (n) => neighbour(sum(), NOISE, mixedSeed(state.seed, 1000 + n));
  const panel = Array.from({ length: NEIGHBOURS }, (_, n) =>
    pointCanvas(`neighbour ${n + 1}`, `near ${state.seed} ${n} ${key}`, () => around(n)));
  panel.splice(NEIGHBOURS / 2, 0, pointCanvas("A - B + C", `sum ${key}`, sum));
  const rows = Math.min(...ids.map((some) => some.length));
  const singles = Array.from({ length: rows }, (_, n) => ids.map((some) => some[n]));
  const single = (three) => combine(three.map(samplePoint), factors);
  const pixels = (three) => pixelSum(...three.map((some) => some.map(samplePixels)));
  find("panel").replaceChildren(...(ready ? panel : []));
  find("singles").replaceChildren(...singles.map((three, n) =>
    pointCanvas(`sum of single z ${n + 1}`, `sum ${three.join(" ")}`, () => single(three))));
  find("pixels").replaceChildren(...(ready ? [ids, ...singles.map((three) => three.map((id) => [id]))] : []).map(
    (three, n) => canvas(n ? `sum of single pictures ${n}` : "sum of mean pictures", `pixels ${three.join(" ")}`, () => pixels(three))));
}

function renderWalk() {
  const [start, end] = [chosen("from")[0], chosen("to")[0]], key = `walk ${state.path} ${start} ${end}`;
  const step = (share) => () => pointBetween(samplePoint(start), samplePoint(end), share, state.path);
  const shares = Array.from({ length: STEPS }, (_, n) => n / (STEPS - 1));
  find("steps").replaceChildren(...shares.map((share) =>
    pointCanvas(`${Math.round(100 * share)} % of the way`, `${key} ${share}`, step(share))));
  show(find("walked"), `${key} ${state.at}`, () => drawPoint(step(state.at)()));
}

function renderTurn() {
  const ready = state.left.length > 0 && state.right.length > 0, key = `${state.left} ${state.right} ${state.turn}`;
  find("turn-hint").hidden = ready;
  find("turn").disabled = !ready;
  const moved = (id) => () => combine(
    [samplePoint(id), meanPoint(points("right")), meanPoint(points("left"))], [1, state.turn, -state.turn]);
  find("turned").replaceChildren(...(ready ? chosen("face") : []).map((id) =>
    pointCanvas(`${sampleName(id)}, moved by ${state.turn}`, `turn ${id} ${key}`, moved(id))));
}

// ---------------------------------------------------------------------------------------------------- state and events

function render() {
  fillClasses();
  find("draws").hidden = !deskOf(state.network);
  for (const input of document.querySelectorAll("input[type=radio]")) {
    input.checked = String(state[input.name]) === input.value;
  }
  for (const input of document.querySelectorAll("input[type=range][name], input[type=number]")) {
    if (input !== document.activeElement || Number(input.value) !== state[input.name]) input.value = state[input.name];
    const shown = document.querySelector(`output[for="${input.id}"]`);
    if (shown) shown.textContent = state[input.name];
  }
  for (const button of document.querySelectorAll("button[data-slot]")) {
    button.setAttribute("aria-pressed", button.dataset.slot === state.slot);
  }
  renderSamples();
  renderSlots();
  renderSum();
  renderWalk();
  renderTurn();
  renderRemoval();
}

function change(changes) {
  state = { ...state, ...changes };
  render();
  writeAddress();
}

// Safari refuses more than 100 in 30 seconds, Chromium more than 200 in ten; a dragged slider changes 60 times a second.
const ADDRESS_PAUSE = 350; // milliseconds
let addressWritten = -Infinity, addressTimer = 0;
function writeAddress() {
  clearTimeout(addressTimer);
  const pause = addressWritten + ADDRESS_PAUSE - performance.now();
  if (pause > 0) {
    addressTimer = setTimeout(writeAddress, pause);
  } else {
    history.replaceState(null, "", hashOf(state));
    addressWritten = performance.now();
  }
}

// Links within the page use # as well: the page scrolls, and the state goes back to where it was.
function fromAddress() {
  const text = location.hash.slice(1);
  if (text.includes("=")) state = stateFrom(text, known);
  change({});
}

function fillClasses() {
  const { classes } = network();
  find("classes").hidden = !classes;
  const numbers = ["all", ...Array.from({ length: classes }, (_, label) => String(label))];
  if (find("class-buttons").children.length === numbers.length) return;
  find("class-buttons").replaceChildren(...numbers.map((value) =>
    element("label", {}, [element("input", { type: "radio", name: "class", value }), ` ${value}`])));
}

function start() {
  for (let index = 0; index < COUNT; index++) {
    const cell = element("button", { type: "button", className: "cell" }, [element("canvas"), element("span")]);
    cell.addEventListener("click", () => {
      const { slot } = state;
      change({ [slot]: toggled(state[slot], sampleId(index), SLOTS[slot].most) });
    });
    find("grid").append(cell);
  }
  document.addEventListener("change", ({ target }) => {
    if (target.name === "network") return change(freshState(target.value));
    if (target.type === "radio") change({ [target.name]: target.name === "layer" ? Number(target.value) : target.value });
    else if (target.type === "number") change({ [target.name]: Math.floor(within(target.name, target.value)) });
  });
  document.addEventListener("input", ({ target }) => {
    if (target.type === "range" && target.name) change({ [target.name]: Number(target.value) });
  });
  find("new").addEventListener("click", () => change({ seed: (state.seed + 1) % 2 ** 32 }));
  for (const button of document.querySelectorAll("button[data-slot]")) {
    button.addEventListener("click", () => {
      change({ slot: button.dataset.slot });
      find("grid").firstElementChild.focus();
    });
  }
  window.addEventListener("hashchange", fromAddress);
  startRemoval();
  fromAddress();
}
