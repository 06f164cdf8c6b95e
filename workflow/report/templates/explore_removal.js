// Forgetting, as Figure 6: maps of a hidden layer are dropped, and as many random maps beside them. They are ranked by the
// weights that the run's regression has learned or, once there are boxes, by how much stronger they are inside these. A
// slider drops the first ones; each map can be dropped by itself, too.
"use strict";

const BOXED = 8; // samples that can be boxed, the first in view

const hiddenLayers = () => network().layers.flatMap((layer, number) =>
  layer.stride && number < network().layers.length - 1 ? [number] : []);
const layerNow = () => (hiddenLayers().includes(state.layer) ? state.layer : network().regression?.layer ?? hiddenLayers().at(-1));
const weightsOf = (layer) => (network().regression?.layer === layer ? network().regression.weights : null);
const anyBox = () => Object.keys(state.boxes).length > 0;
const boxId = (index) => sampleId(index).split(".").slice(0, 2).join(".");

// Activations of a layer for a sample: (side * side, maps).
function activationsOf(id, layer) {
  let found;
  runLayers(network(), samplePoint(id), (number, values, side) => {
    if (number === layer) found = { values: values.slice(), side };
  });
  return found;
}

const highestFirst = (scores) =>
  scores.map((score, map) => [score, map]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(([, map]) => map);

let ranking = { key: "", scores: [], order: [] };
// Of a layer what its maps are ranked by and, highest first, their numbers; both empty if nothing ranks them.
function rankingOf(layer) {
  const key = `${state.network} ${layer} ${JSON.stringify(state.boxes)}`;
  if (ranking.key !== key) {
    const scores = anyBox() ? scoresInBoxes(layer) : weightsOf(layer) ?? [];
    ranking = { key, scores, order: highestFirst(scores) };
  }
  return ranking;
}
const rankedMaps = (layer) => rankingOf(layer).order;

// The maps that are dropped.
function droppedMaps(layer) {
  const { outputs } = network().layers[layer];
  return state.maps ? numbersIn(state.maps).filter((map) => map < outputs) : rankedMaps(layer).slice(0, state.drop);
}

// One map is dropped, or no longer.
function toggleMap(layer, map) {
  const before = droppedMaps(layer), all = rankedMaps(layer);
  const now = before.includes(map) ? before.filter((other) => other !== map) : [...before, map];
  const isFirst = all.slice(0, now.length).every((one) => now.includes(one)) && all.length;
  change(isFirst || !now.length ? { drop: now.length, maps: "" } : { drop: 0, maps: hexOf(now) });
}

// By map, how much stronger it is inside the boxes than outside: the difference of means in standard deviations.
function scoresInBoxes(layer) {
  const maps = network().layers[layer].outputs, sums = [0, 1].map(() => new Float64Array(maps));
  const squares = new Float64Array(maps), counts = [0, 0];
  for (const [id, [left, top, width, height]] of Object.entries(state.boxes)) {
    const { values, side } = activationsOf(network().classes ? `${id}.0` : id, layer), scale = network().size / side;
    for (let place = 0; place < side * side; place++) {
      const x = ((place % side) + 0.5) * scale - left, y = (Math.floor(place / side) + 0.5) * scale - top;
      const inside = Number(x >= 0 && x < width && y >= 0 && y < height);
      counts[inside] += 1;
      for (let map = 0; map < maps; map++) {
        const value = values[place * maps + map];
        sums[inside][map] += value;
        squares[map] += value * value;
      }
    }
  }
  const all = counts[0] + counts[1];
  return Array.from({ length: maps }, (_, map) => {
    const mean = (sums[0][map] + sums[1][map]) / all, deviation = Math.sqrt(Math.max(squares[map] / all - mean ** 2, 0));
    return (sums[1][map] / Math.max(counts[1], 1) - sums[0][map] / Math.max(counts[0], 1)) / (deviation + 1e-9);
  });
}

// What the pictures without maps are.
function rankedBy(layer) {
  if (state.maps) return "without the maps that you chose";
  const weights = anyBox() ? null : weightsOf(layer);
  if (!weights) return "without the maps that are strongest in the boxes";
  const positive = weights.filter((weight) => weight > 0).length;
  return `without the maps of the highest weights in Figure 6's regression, which drops those above zero: ${positive} here`;
}

function randomMaps(maps, seed) {
  const random = randomNumbers(mixedSeed(seed, 2000));
  return Array.from({ length: maps }, (_, map) => [random(), map]).sort((a, b) => a[0] - b[0]).map(([, map]) => map);
}

// What sets some maps of a layer to zero.
function without(layer, dropped) {
  const maps = network().layers[layer].outputs;
  return (number, values) => {
    if (number !== layer) return;
    for (let place = 0; place < values.length; place += maps) for (const map of dropped) values[place + map] = 0;
  };
}

// Made anew for another network only: a button that has the focus keeps it.
function fillLayers(layers, chosenLayer) {
  if (find("layers").dataset.network !== state.network) {
    find("layers").dataset.network = state.network;
    find("layers").replaceChildren(...layers.map((number) => element("label", {}, [
      element("input", { type: "radio", name: "layer", value: number }), ` ${network().layers[number].outputs} maps`])));
  }
  for (const input of find("layers").querySelectorAll("input")) input.checked = Number(input.value) === chosenLayer;
}

// A button a map, in the order of the ranking; they stay what they are while maps change, so that one keeps the focus.
function fillMaps(layer, dropped) {
  const { scores, order } = rankingOf(layer), { outputs } = network().layers[layer];
  const cells = find("maps"), numbers = order.length ? order : [...Array(outputs).keys()], gone = new Set(dropped);
  if (cells.children.length !== outputs) {
    cells.replaceChildren(...numbers.map((_, place) => element("button", { type: "button", tabIndex: place ? -1 : 0 })));
  }
  numbers.forEach((map, place) => {
    const what = anyBox() ? "stronger in the boxes by" : "weight", button = cells.children[place];
    const label = scores.length ? `map ${map + 1}, ${what} ${Number(scores[map].toPrecision(2))}` : `map ${map + 1}`;
    Object.assign(button, { textContent: map + 1, title: label, ariaLabel: label, ariaPressed: gone.has(map) });
    button.dataset.map = map;
  });
}

function mapByKey(event) {
  const cells = [...find("maps").children], from = cells.indexOf(event.target);
  const below = cells.findIndex((cell) => cell.offsetTop > cells[0].offsetTop), row = below < 0 ? cells.length : below;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row, Home: -from, End: cells.length - 1 - from };
  const next = cells[from + step[event.key]];
  if (from < 0 || !next) return;
  event.preventDefault();
  next.focus();
}

function renderRemoval() {
  const layers = hiddenLayers();
  find("removal").hidden = layers.length === 0;
  find("removal-link").hidden = layers.length === 0;
  if (layers.length === 0) return;
  const layer = layerNow(), { outputs } = network().layers[layer], dropped = droppedMaps(layer), count = dropped.length;
  fillLayers(layers, layer);
  fillMaps(layer, dropped);
  find("ranked-by").textContent = rankedBy(layer);
  Object.assign(find("drop"), { max: outputs, value: count, disabled: rankedMaps(layer).length === 0 });
  document.querySelector("output[for=drop]").textContent = count;
  find("drop-hint").hidden = anyBox();
  const ids = Array.from({ length: Math.min(BOXED, COUNT) }, (_, n) => sampleId(n));
  const row = (name, maps) => ids.map((id) => canvas(`${sampleName(id)}, ${count} ${name}`, `without ${layer} ${hexOf(maps)} ${id}`,
    () => drawPoint(samplePoint(id), without(layer, maps))));
  find("without").replaceChildren(...row("maps dropped", dropped));
  find("without-random").replaceChildren(...row("random maps dropped", randomMaps(outputs, state.other).slice(0, count)));
  [...find("boxes").children].forEach((cell, index) => {
    const box = state.boxes[boxId(index)], [picture, frame] = cell.children, id = ids[index];
    show(picture, id, () => drawPoint(samplePoint(id)));
    cell.setAttribute("aria-label", `${sampleName(id)}: ${box ? `box at ${box.join(", ")}` : "no box"}`);
    frame.hidden = !box;
    const names = ["left", "top", "width", "height"];
    if (box) names.forEach((name, n) => { frame.style[name] = `${(100 * box[n]) / network().size}%`; });
  });
}

function setBox(index, box) {
  const boxes = { ...state.boxes };
  if (box) boxes[boxId(index)] = boxWithin(box, network().size);
  else delete boxes[boxId(index)];
  change({ boxes });
}

// With the keyboard: arrows move a box, with Shift they change its size, Delete takes it away.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function boxByKey(index, event) {
  const { size } = network(), box = state.boxes[boxId(index)];
  if (event.key === "Delete" || event.key === "Backspace") setBox(index, null);
  else if (event.key === "Enter" && !box) setBox(index, [size / 4, size / 4, size / 3, size / 3]);
  else if (event.key in ARROWS && box) {
    const [x, y] = ARROWS[event.key], [left, top, width, height] = box;
    setBox(index, event.shiftKey ? [left, top, width + x, height + y] : [left + x, top + y, width, height]);
  } else return;
  event.preventDefault();
}

// With a pointer: drag from corner to corner.
function boxByPointer(index, cell, down) {
  const place = ({ clientX, clientY }) => {
    const { left, top, width } = cell.firstElementChild.getBoundingClientRect(), scale = network().size / width;
    return [(clientX - left) * scale, (clientY - top) * scale].map((value) => Math.min(network().size, Math.max(0, value)));
  };
  const [x, y] = place(down);
  const move = (event) => {
    const [toX, toY] = place(event);
    if (Math.abs(toX - x) >= 1 && Math.abs(toY - y) >= 1) {
      setBox(index, [Math.min(x, toX), Math.min(y, toY), Math.abs(toX - x), Math.abs(toY - y)]);
    }
  };
  cell.setPointerCapture(down.pointerId);
  cell.addEventListener("pointermove", move);
  cell.addEventListener("lostpointercapture", () => cell.removeEventListener("pointermove", move), { once: true });
}

function startRemoval() {
  for (let index = 0; index < Math.min(BOXED, COUNT); index++) {
    const cell = element("button", { type: "button", className: "cell" }, [element("canvas"), element("i", { hidden: true })]);
    cell.addEventListener("keydown", (event) => boxByKey(index, event));
    cell.addEventListener("pointerdown", (event) => boxByPointer(index, cell, event));
    find("boxes").append(cell);
  }
  // Maps that were chosen one by one are those of one layer; the slider begins anew.
  for (const name of ["layers", "drop"]) find(name).addEventListener("input", () => { state.maps = ""; });
  find("maps").addEventListener("click", ({ target }) => target.dataset.map && toggleMap(layerNow(), Number(target.dataset.map)));
  find("maps").addEventListener("keydown", mapByKey);
  find("maps").addEventListener("focusin", ({ target }) => {
    for (const cell of find("maps").children) cell.tabIndex = cell === target ? 0 : -1;
  });
  find("no-boxes").addEventListener("click", () => change({ boxes: {} }));
  find("other").addEventListener("click", () => change({ other: (state.other + 1) % 2 ** 32 }));
}
