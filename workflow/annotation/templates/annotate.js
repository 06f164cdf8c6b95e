// The page of `make annotate`. The server keeps the annotations; the page holds a copy, changes it at once, and sends
// each change. Text from the server enters the page as text only, never as HTML.
"use strict";

const BOXES = "window boxes";
const PUBLISHED_BOXES = 52;
const RETRY_MILLISECONDS = 2000;
const SVG = "http://www.w3.org/2000/svg";

let desks = [];
let place = 0; // number of the desk
let annotations = { boxes: [], concepts: {}, missing: [] };
let tool = "";
let active = 0; // number of the sample that keys act on
let chosen = -1; // which of its boxes; -1: none
let history = [];
let unsaved = 0;
let line = Promise.resolve(); // changes are sent one after the other

const find = (name) => document.getElementById(name);
const desk = () => desks[place];
const boxesOf = (number) => annotations.boxes.filter((box) => box.image === number);
const shown = (concept) => annotations.concepts[concept] || [];
const tools = () => [...(desk().boxes ? [BOXES] : []), ...Object.keys(desk().concepts)];

function element(name, properties = {}, children = []) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---------------------------------------------------------------------------------------------------------- the server

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

function tell(text, bad = false) {
  find("status").textContent = text;
  find("status").classList.toggle("bad", bad);
}

async function put(path, body) {
  for (;;) {
    try {
      const options = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      const answer = await ask(path, options);
      unsaved -= 1;
      if (unsaved === 0) {
        annotations = answer;
        tell("Saved");
      }
      return render();
    } catch (error) {
      if (error.status && error.status < 500) {
        unsaved -= 1;
        await load(`Not saved: ${error.message}`);
        return;
      }
      tell(`Not saved yet (${error.message}); trying again`, true);
      await new Promise((done) => setTimeout(done, RETRY_MILLISECONDS));
    }
  }
}

function send(path, body) {
  unsaved += 1;
  tell("Saving");
  line = line.then(() => put(path, body));
  render();
}

async function load(problem = "") {
  if (unsaved) return;
  try {
    annotations = await ask(`/desks/${place}`);
    tell(problem || "All changes are saved", problem !== "");
  } catch (error) {
    tell(problem || error.message, true);
  }
  render();
}

// ------------------------------------------------------------------------------------------------------------- changes

function setBoxes(number, boxes, undoing = false) {
  if (!undoing) history.push([setBoxes, number, boxesOf(number)]);
  const others = annotations.boxes.filter((box) => box.image !== number);
  annotations.boxes = [...others, ...boxes.map((box) => ({ ...box, image: number }))];
  const bare = boxes.map(({ x, y, width, height }) => ({ x, y, width, height }));
  send(`/desks/${place}/boxes/${number}`, { boxes: bare });
}

function setConcept(concept, samples, undoing = false) {
  if (!undoing) history.push([setConcept, concept, shown(concept)]);
  annotations.concepts[concept] = samples;
  send(`/desks/${place}/concepts`, { concept, samples });
}

function toggle(number) {
  const numbers = shown(tool);
  const kept = numbers.filter((other) => other !== number);
  setConcept(tool, kept.length < numbers.length ? kept : [...numbers, number]);
}

function undo() {
  const last = history.pop();
  if (!last) return tell("Nothing to undo");
  const [change, key, before] = last;
  chosen = -1;
  change(key, before, true);
}

function removeBox() {
  const boxes = boxesOf(active);
  if (chosen < 0 || chosen >= boxes.length) return tell("No box is chosen");
  boxes.splice(chosen, 1);
  chosen = -1;
  setBoxes(active, boxes);
}

function replaceBox(box) {
  const boxes = boxesOf(active);
  boxes[chosen] = box;
  setBoxes(active, boxes);
}

// The box with its corners in order, inside the image, in hundredths of a pixel.
function tidy(left, top, right, bottom) {
  const clamp = (value) => Math.round(Math.min(Math.max(value, 0), desk().image_size) * 100) / 100;
  const [x1, x2] = [clamp(left), clamp(right)].sort((a, b) => a - b);
  const [y1, y2] = [clamp(top), clamp(bottom)].sort((a, b) => a - b);
  const round = (value) => Math.round(value * 100) / 100;
  return { x: x1, y: y1, width: round(x2 - x1), height: round(y2 - y1) };
}

function moved(box, dx, dy) {
  const limit = (value, length) => Math.min(Math.max(value, 0), desk().image_size - length);
  const [x, y] = [limit(box.x + dx, box.width), limit(box.y + dy, box.height)];
  return tidy(x, y, x + box.width, y + box.height);
}

function resized(box, dx, dy) {
  return tidy(box.x, box.y, Math.max(box.x + box.width + dx, box.x + 1), Math.max(box.y + box.height + dy, box.y + 1));
}

// ---------------------------------------------------------------------------------------------------------- the picture

function renderSample(number) {
  const button = find("samples").children[number];
  const svg = button.querySelector("svg");
  const boxes = boxesOf(number);
  if (drag && drag.number === number && drag.box) boxes[drag.index] = drag.box;
  const concepts = Object.keys(desk().concepts).filter((concept) => shown(concept).includes(number));
  const words = [...(boxes.length ? [boxes.length === 1 ? "1 box" : `${boxes.length} boxes`] : []), ...concepts];
  svg.replaceChildren(...boxes.flatMap((box, index) => boxParts(box, number === active && index === chosen)));
  button.querySelector(".words").textContent = words.join(", ") || "\u00a0";
  button.setAttribute("aria-label", [`sample ${number + 1}`, ...words].join(", "));
  button.tabIndex = number === active ? 0 : -1;
  button.classList.toggle("drawing", tool === BOXES);
  if (tool === BOXES) button.removeAttribute("aria-pressed");
  else button.setAttribute("aria-pressed", String(shown(tool).includes(number)));
}

function boxParts({ x, y, width, height }, isChosen) {
  const outline = { x, y, width, height };
  const parts = [
    drawn("rect", { ...outline, class: "under" }),
    drawn("rect", { ...outline, class: isChosen ? "box chosen" : "box" }),
  ];
  if (!isChosen) return parts;
  const r = (5 * desk().image_size) / Number(find("side").value);
  const corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
  return [...parts, ...corners.map(([cx, cy]) => drawn("circle", { cx, cy, r }))];
}

function renderTools() {
  const buttons = tools().map((name, index) => {
    const needed = desk().concepts[name];
    const boxCount = `${annotations.boxes.length} (the paper drew ${PUBLISHED_BOXES})`;
    const count = name === BOXES ? boxCount : `${shown(name).length} of ${needed}`;
    const made = element("button", { type: "button", textContent: `${index + 1} ${name}: ${count}` });
    made.setAttribute("aria-pressed", String(name === tool));
    made.addEventListener("click", () => choose(name));
    return made;
  });
  const hadFocus = find("tools").contains(document.activeElement);
  find("tools").replaceChildren(...buttons);
  if (hadFocus) find("tools").querySelector('[aria-pressed="true"]').focus();
}

function render() {
  renderTools();
  for (let number = 0; number < desk().samples; number += 1) renderSample(number);
  const missing = annotations.missing;
  const complete = "Nothing is missing: the figures can be drawn.";
  find("missing").textContent = missing.length ? `Still missing: ${missing.join("; ")}.` : complete;
  find("missing").classList.toggle("none", missing.length === 0);
  find("remove").hidden = !desk().boxes;
}

function choose(name) {
  tool = name;
  chosen = -1;
  render();
}

function resize(side) {
  const range = find("side");
  range.value = side;
  document.documentElement.style.setProperty("--side", `${range.value}px`);
  render();
}

function makeSample(number) {
  const image = element("img", { src: `/desks/${place}/samples/${number}.png`, alt: "", draggable: false });
  const svg = drawn("svg", { viewBox: `0 0 ${desk().image_size} ${desk().image_size}`, "aria-hidden": "true" });
  const picture = element("span", { className: "picture" }, [image, svg]);
  const button = element("button", { type: "button", className: "sample" }, [picture, element("span", { className: "words" })]);
  svg.addEventListener("pointerdown", (event) => pointerDown(event, number, svg));
  svg.addEventListener("pointermove", (event) => pointerMove(event, svg));
  svg.addEventListener("pointerup", pointerUp);
  svg.addEventListener("pointercancel", () => {
    drag = null;
    renderSample(number);
  });
  button.addEventListener("click", () => click(number));
  return button;
}

function openDesk(number) {
  [place, active, chosen, history] = [number, 0, -1, []];
  tool = tools()[0];
  const entries = desks.map((one, index) => {
    const made = element("button", { type: "button", textContent: one.network });
    if (index === number) made.setAttribute("aria-current", "page");
    made.addEventListener("click", () => line.then(() => openDesk(index)));
    return made;
  });
  find("desks").replaceChildren(...(desks.length > 1 ? entries : []));
  const source = `${desk().samples} samples of the generator ${desk().network}`;
  find("about").textContent = `${source}; your annotations are kept in ${desk().file}.`;
  find("samples").replaceChildren(...Array.from({ length: desk().samples }, (_, index) => makeSample(index)));
  annotations = { boxes: [], concepts: {}, missing: [] };
  return load();
}

async function start() {
  document.addEventListener("keydown", pageKey);
  find("undo").addEventListener("click", undo);
  find("remove").addEventListener("click", removeBox);
  find("side").addEventListener("input", (event) => resize(event.target.value));
  window.addEventListener("focus", () => load());
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  try {
    desks = await ask("/desks");
    await openDesk(0);
  } catch (error) {
    tell(error.message, true);
  }
}

start();
