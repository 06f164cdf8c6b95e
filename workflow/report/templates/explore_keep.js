// Where annotations are kept: by the server of `make annotate` in their file; of a page that was opened from a disk by the
// browser, which offers the file. A change says what it begins with, and is refused if another window has changed that.
"use strict";

const RETRY_MILLISECONDS = 2000;
const MOST_UNDONE = 500;

let undoable = []; // changes, the last one last; they outlive a reload of this window
let unsaved = 0;
let trouble = ""; // what was refused
let line = Promise.resolve(); // changes are sent one after the other

// The samples are part of the name, so that nothing meets those of another generator.
const keptAs = (name) => [name, desk().file, desk().empty.generator, JSON.stringify(desk().empty.drawing)].join(" ");
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function tell(text, bad = false) {
  find("status").textContent = text;
  find("status").classList.toggle("bad", bad);
}

function partOf(all, { part, key }) {
  if (part === "concepts") return all.concepts[key] || [];
  return all.boxes.filter((box) => box.image === key).map(({ x, y, width, height }) => ({ x, y, width, height }));
}

function withPart(all, { part, key }, value) {
  if (part === "concepts") return { ...all, concepts: { ...all.concepts, [key]: value } };
  const others = all.boxes.filter((box) => box.image !== key);
  return { ...all, boxes: [...others, ...value.map((box) => ({ ...box, image: key }))] };
}

// ------------------------------------------------------------------------------------------------------------ the places

async function ask(path, options) {
  const response = await fetch(path, options), answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status, answer });
  return answer;
}

const server = {
  read: () => ask(`/desks/${place}`),
  write: ({ part, key, before, after }) => {
    const [path, body] = part === "boxes" ? [`boxes/${key}`, { boxes: after }] : ["concepts", { concept: key, samples: after }];
    const headers = { "Content-Type": "application/json" };
    return ask(`/desks/${place}/${path}`, { method: "PUT", headers, body: JSON.stringify({ ...body, before }) });
  },
};

const inBrowser = {
  read: async () => JSON.parse(localStorage.getItem(keptAs("annotations"))) || { boxes: [], concepts: {} },
  write: async (change) => {
    const answer = await inBrowser.read(), present = partOf(answer, change);
    if (!same(present, change.before) && !same(present, change.after)) {
      const what = change.part === "boxes" ? `sample ${change.key + 1}` : change.key;
      throw Object.assign(new Error(`${what} was changed elsewhere meanwhile; this is what is there now`), { status: 409, answer });
    }
    const changed = withPart(answer, change, change.after);
    localStorage.setItem(keptAs("annotations"), JSON.stringify(changed));
    return changed;
  },
};

const keeper = SERVED ? server : inBrowser;

async function put(change) {
  for (;;) {
    try {
      return settle(await keeper.write(change));
    } catch (error) {
      if (error.status && error.status < 500) {
        undoable = undoable.filter((one) => one !== change);
        remember();
        trouble = `Not saved: ${error.message}`;
        return settle(error.answer.boxes && error.answer);
      }
      tell(`Not saved yet (${error.message}); trying again`, true);
      await new Promise((done) => setTimeout(done, RETRY_MILLISECONDS));
    }
  }
}

// After the last of some changes the page shows what is kept, and what was refused.
function settle(present) {
  unsaved -= 1;
  if (unsaved) return undefined;
  const problem = trouble;
  trouble = "";
  if (!present) return load(problem);
  annotations = present;
  tell(problem || "Saved", problem !== "");
  return renderAnnotations();
}

function send(change, undoing = false) {
  if (!undoing) undoable.push(change);
  remember();
  unsaved += 1;
  annotations = withPart(annotations, change, change.after);
  tell("Saving");
  line = line.then(() => put(change));
  renderAnnotations();
}

async function load(problem = "") {
  if (unsaved) return;
  try {
    const present = await keeper.read();
    if (unsaved) return;
    annotations = present;
    tell(problem || "All changes are saved", problem !== "");
  } catch (error) {
    tell(problem || error.message, true);
  }
  renderAnnotations();
}

// ------------------------------------------------------------------------------------------------------ undo, download

function remember() {
  try {
    sessionStorage.setItem(keptAs("undo"), JSON.stringify(undoable.slice(-MOST_UNDONE)));
  } catch (error) {
    tell(`Undo will not outlive a reload (${error.message})`, true);
  }
}

function remembered() {
  undoable = JSON.parse(sessionStorage.getItem(keptAs("undo"))) || [];
}

function undo() {
  const last = undoable.pop();
  if (!last) return tell("Nothing to undo");
  chosenBox = -1;
  return send({ ...last, before: last.after, after: last.before }, true);
}

function download() {
  const text = `${JSON.stringify({ ...desk().empty, ...annotations }, null, 2)}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: url, download: desk().file.split("/").at(-1) }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}
