// Mouse, touch and keys of annotating (explore_annotate.js).
"use strict";

let drag = null; // what a pointer that is down holds

// ------------------------------------------------------------------------------------------------------- mouse, touch

function spot(event, svg) {
  const frame = svg.getBoundingClientRect();
  const scale = sideOf() / frame.width;
  const reach = (event.pointerType === "touch" ? 18 : 8) * scale;
  return { x: (event.clientX - frame.left) * scale, y: (event.clientY - frame.top) * scale, reach };
}

// What a drag that begins here does: it holds a corner of a box, a whole box, or draws a new one.
function grasp(number, at) {
  const boxes = boxesOf(number);
  for (let index = boxes.length - 1; index >= 0; index -= 1) {
    const { x, y, width, height } = boxes[index];
    const corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
    for (const [k, [cx, cy]] of corners.entries()) {
      const [ox, oy] = corners[3 - k];
      if (Math.hypot(at.x - cx, at.y - cy) <= at.reach) return { index, fixed: { x: ox, y: oy } };
    }
    if (at.x >= x && at.x < x + width && at.y >= y && at.y < y + height) return { index, whole: boxes[index] };
  }
  return { index: boxes.length, fixed: { x: at.x, y: at.y }, fresh: true };
}

function boxOfDrag(at) {
  if (drag.whole) return moved(drag.whole, at.x - drag.start.x, at.y - drag.start.y);
  return tidy(drag.fixed.x, drag.fixed.y, at.x, at.y);
}

function pointerDown(event, number, svg) {
  if (tool !== BOXES || event.button !== 0 || (event.pointerType === "touch" && number !== active)) return;
  const at = spot(event, svg);
  drag = { ...grasp(number, at), number, start: at, box: null };
  goTo(number, drag.fresh ? -1 : drag.index);
  svg.setPointerCapture(event.pointerId);
}

function pointerMove(event, svg) {
  if (!drag) return;
  const at = spot(event, svg);
  if (!drag.box && Math.hypot(at.x - drag.start.x, at.y - drag.start.y) < at.reach / 4) return;
  drag.box = boxOfDrag(at);
  renderSample(drag.number);
}

function pointerUp() {
  if (!drag) return;
  const { number, index, box } = drag;
  drag = null;
  if (box && box.width >= 1 && box.height >= 1) {
    const boxes = boxesOf(number);
    boxes[index] = box;
    chosenBox = index;
    return setBoxes(number, boxes);
  }
  renderSample(number);
}

function click(number) {
  goTo(number, number === active ? chosenBox : -1);
  if (tool !== BOXES) toggle(number);
}

// --------------------------------------------------------------------------------------------------------------- keys

function goTo(number, box = -1, scroll = false) {
  const before = active;
  active = number;
  chosenBox = box;
  renderSample(before);
  renderSample(number);
  find("sheet").children[number].focus({ preventScroll: !scroll });
}

function perRow() {
  const samples = [...find("sheet").children];
  const below = samples.findIndex((sample) => sample.offsetTop > samples[0].offsetTop);
  return below < 0 ? samples.length : below;
}

function arrow(event) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const box = boxesOf(active)[chosenBox];
  if (box && tool === BOXES) return replaceBox(event.shiftKey ? resized(box, dx, dy) : moved(box, dx, dy));
  const next = active + dx + dy * perRow();
  if (next >= 0 && next < desk().samples) goTo(next, -1, true);
}

function nextBox() {
  const n = boxesOf(active).length;
  goTo(active, chosenBox + 1 < n ? chosenBox + 1 : -1);
}

function newBox() {
  const quarter = sideOf() / 4;
  chosenBox = boxesOf(active).length;
  replaceBox(tidy(quarter, quarter, 3 * quarter, 3 * quarter));
}

function sampleKey(event) {
  const boxing = tool === BOXES;
  if (event.key.startsWith("Arrow")) arrow(event);
  else if (event.key === "Home") goTo(0, -1, true);
  else if (event.key === "End") goTo(desk().samples - 1, -1, true);
  else if (event.key === "Escape") goTo(active);
  else if (event.key === "Enter" || event.key === " ") boxing ? nextBox() : toggle(active);
  else if (event.key === "n" && boxing) newBox();
  else if ((event.key === "Delete" || event.key === "Backspace") && boxing) removeBox();
  else return;
  event.preventDefault();
}

function pageKey(event) {
  const elsewhere = event.target !== document.body && !find("annotating").contains(event.target);
  if (elsewhere || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
  const number = Number(event.key);
  if (event.key === "u" || (event.ctrlKey && event.key === "z")) undo();
  else if (event.key === "+" || event.key === "-") resize(Number(find("side").value) + (event.key === "+" ? 32 : -32));
  else if (number >= 1 && number <= tools().length) choose(tools()[number - 1]);
  else if (find("sheet").contains(event.target)) return sampleKey(event);
  else return;
  event.preventDefault();
}
