// Annotating: boxes around windows, and samples that show a concept. The page holds a copy of what has been annotated,
// changes it at once, and sends each change to where it is kept (explore_keep.js). Text enters the page as text only,
// never as HTML.
"use strict";

const BOXES = "window boxes";
const SVG = "http://www.w3.org/2000/svg";

let place = 0; // number of the desk
let annotations = { boxes: [], concepts: {} };
let tool = "";
let active = 0; // number of the sample that keys act on
let chosenBox = -1; // which of its boxes; -1: none

const desk = () => DESKS[place];
const goals = () => desk().goals;
const sideOf = () => desk().empty.image_size; // of a sample, in pixels
const boxesOf = (number) => annotations.boxes.filter((box) => box.image === number);
const numbersOf = (concept) => annotations.concepts[concept] || [];
const tools = () => [...(goals().boxes ? [BOXES] : []), ...goals().concepts.map(({ name }) => name)];

function svgElement(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function button(text, click, properties = {}) {
  const made = element("button", { type: "button", textContent: text, ...properties });
  made.addEventListener("click", click);
  return made;
}

// ------------------------------------------------------------------------------------------------------------- changes

function setBoxes(number, boxes) {
  const bare = ({ x, y, width, height }) => ({ x, y, width, height });
  send({ part: "boxes", key: number, before: boxesOf(number).map(bare), after: boxes.map(bare) });
}

function setConcept(concept, samples) {
  send({ part: "concepts", key: concept, before: numbersOf(concept), after: samples });
}

function toggle(number) {
  const numbers = numbersOf(tool);
  setConcept(tool, numbers.includes(number) ? numbers.filter((other) => other !== number) : [...numbers, number]);
}

function removeBox() {
  const boxes = boxesOf(active);
  if (!boxes[chosenBox]) return tell("No box is chosen");
  boxes.splice(chosenBox, 1);
  chosenBox = -1;
  setBoxes(active, boxes);
}

function replaceBox(box) {
  const boxes = boxesOf(active);
  boxes[chosenBox] = box;
  setBoxes(active, boxes);
}

// The box with its corners in order, inside the image, in hundredths of a pixel.
function tidy(left, top, right, bottom) {
  const clamp = (value) => Math.round(Math.min(Math.max(value, 0), sideOf()) * 100) / 100;
  const [x1, x2] = [clamp(left), clamp(right)].sort((a, b) => a - b);
  const [y1, y2] = [clamp(top), clamp(bottom)].sort((a, b) => a - b);
  const round = (value) => Math.round(value * 100) / 100;
  return { x: x1, y: y1, width: round(x2 - x1), height: round(y2 - y1) };
}

function moved(box, dx, dy) {
  const limit = (value, length) => Math.min(Math.max(value, 0), sideOf() - length);
  const [x, y] = [limit(box.x + dx, box.width), limit(box.y + dy, box.height)];
  return tidy(x, y, x + box.width, y + box.height);
}

function resized(box, dx, dy) {
  return tidy(box.x, box.y, Math.max(box.x + box.width + dx, box.x + 1), Math.max(box.y + box.height + dy, box.y + 1));
}

// ---------------------------------------------------------------------------------------------------------- the picture

function renderSample(number) {
  const sample = find("sheet").children[number], boxes = boxesOf(number);
  if (drag && drag.number === number && drag.box) boxes[drag.index] = drag.box;
  const concepts = tools().filter((name) => numbersOf(name).includes(number));
  const words = [...(boxes.length ? [boxes.length === 1 ? "1 box" : `${boxes.length} boxes`] : []), ...concepts];
  const parts = boxes.flatMap((box, index) => boxParts(box, number === active && index === chosenBox));
  sample.querySelector("svg").replaceChildren(...parts);
  sample.querySelector(".words").textContent = words.join(", ") || "\u00a0";
  const held = number === active && boxes[chosenBox] ? [`box ${chosenBox + 1} chosen`] : [];
  sample.setAttribute("aria-label", [`sample ${number + 1}`, ...words, ...held].join(", "));
  sample.tabIndex = number === active ? 0 : -1;
  sample.classList.toggle("drawing", tool === BOXES);
  if (tool === BOXES) sample.removeAttribute("aria-pressed");
  else sample.setAttribute("aria-pressed", numbersOf(tool).includes(number));
}

function boxParts({ x, y, width, height }, isChosen) {
  const outline = { x, y, width, height };
  const parts = [
    svgElement("rect", { ...outline, class: "under" }),
    svgElement("rect", { ...outline, class: isChosen ? "box chosen" : "box" }),
  ];
  if (!isChosen) return parts;
  const r = (5 * sideOf()) / Number(find("side").value);
  const corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
  return [...parts, ...corners.map(([cx, cy]) => svgElement("circle", { cx, cy, r }))];
}

// What is counted, each with how many there are, how many the figures cannot do without, and how many the paper had.
function counts() {
  const boxes = goals().boxes ? [{ name: BOXES, count: annotations.boxes.length, ...goals().boxes }] : [];
  return [...boxes, ...goals().concepts.map((goal) => ({ ...goal, count: numbersOf(goal.name).length }))];
}

// A run may ask for other numbers than the paper had; both are met by the larger one.
const progress = ({ name, count, needed, published }) => `${name}: ${count} of ${Math.max(needed, published)}`;

function renderTools() {
  const hadFocus = find("tools").contains(document.activeElement);
  find("tools").replaceChildren(...counts().map((one, index) => {
    const made = button(progress(one), () => choose(one.name));
    made.setAttribute("aria-pressed", one.name === tool);
    made.setAttribute("aria-keyshortcuts", index + 1);
    return made;
  }));
  if (hadFocus) find("tools").querySelector('[aria-pressed="true"]').focus();
}

function renderMissing() {
  const missing = counts().filter(({ count, needed }) => count < needed);
  const fewer = counts().filter(({ count, published }) => count < published);
  const list = (some, text) => `${some.map(text).join("; ")}.`;
  const figures = desk().byHand ? "The figures still need" : "Figures of your own still need";
  const drawable = desk().byHand ? "The figures can be drawn." : "Figures of your own can be drawn.";
  const text = missing.length ? `${figures} ${list(missing, ({ name, count, needed }) => `${name}: ${count} of ${needed}`)}`
    : fewer.length ? `${drawable} The paper had more: ${list(fewer, ({ name, count, published }) => `${name}: ${count} of ${published}`)}`
      : "Nothing is missing: as many as the paper had.";
  find("missing").textContent = text;
  find("missing").classList.toggle("none", fewer.length + missing.length === 0);
}

function renderAnnotations() {
  renderTools();
  renderMissing();
  for (let number = 0; number < desk().samples; number += 1) renderSample(number);
  find("remove").hidden = !goals().boxes;
}

function choose(name) {
  tool = name;
  chosenBox = -1;
  renderAnnotations();
}

function resize(side) {
  find("side").value = side;
  document.documentElement.style.setProperty("--side", `${find("side").value}px`);
  renderAnnotations();
}

// The server has a sample's own pixels; without it they are drawn again.
function pictureOf(number) {
  if (SERVED) return element("img", { src: `/desks/${place}/samples/${number}.png`, alt: "", draggable: false });
  const { network: name } = desk(), picture = element("canvas");
  show(picture, `hand.${number}`, () => drawPixels(network(name), { z: latentOf(desk(), number), label: [] }), name);
  return picture;
}

function makeSample(number) {
  const svg = svgElement("svg", { viewBox: `0 0 ${sideOf()} ${sideOf()}`, "aria-hidden": "true" });
  const picture = element("span", { className: "picture" }, [pictureOf(number), svg]);
  const made = button("", () => click(number), { className: "sample" });
  made.append(picture, element("span", { className: "words" }));
  svg.addEventListener("pointerdown", (event) => pointerDown(event, number, svg));
  svg.addEventListener("pointermove", (event) => pointerMove(event, svg));
  svg.addEventListener("pointerup", pointerUp);
  svg.addEventListener("pointercancel", () => {
    drag = null;
    renderSample(number);
  });
  return made;
}

// Where annotations stay, and what makes figures rest on them.
function whereKept() {
  const { file, byHand } = desk();
  if (SERVED) return `what you annotate is saved in ${file}`;
  const used = byHand ? "" : "; in params.yaml, name that file as the annotator, in place of the classifier";
  return `what you annotate stays in this browser: download it, and put it at ${file}${used}`;
}

function openDesk(number) {
  [place, active, chosenBox] = [number, 0, -1];
  [tool] = tools();
  const entries = DESKS.map((one, index) => {
    const made = button(one.network, () => line.then(() => openDesk(index)));
    made.setAttribute("aria-pressed", index === number);
    return made;
  });
  const hadFocus = find("desks").contains(document.activeElement);
  find("desks").hidden = DESKS.length < 2;
  find("desks").replaceChildren(...entries);
  if (hadFocus) entries[number].focus();
  find("about").textContent = `${desk().samples} samples of the generator ${desk().network}; ${whereKept()}.`;
  find("download").textContent = `Download ${desk().file.split("/").at(-1)}`;
  find("sheet").replaceChildren(...Array.from({ length: desk().samples }, (_, index) => makeSample(index)));
  annotations = { boxes: [], concepts: {} };
  remembered();
  renderPlays();
  return load();
}

function startAnnotating() {
  document.addEventListener("keydown", pageKey);
  find("undo").addEventListener("click", undo);
  find("remove").addEventListener("click", removeBox);
  find("download").addEventListener("click", download);
  find("download").hidden = SERVED;
  find("side").addEventListener("input", (event) => resize(event.target.value));
  window.addEventListener("focus", () => load());
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  openDesk(0);
}
