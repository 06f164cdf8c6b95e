// What the scripts of the page share, and the samples that a person annotates.
"use strict";

const find = (id) => document.getElementById(id);

function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A desk per file of annotations: its network, its samples, what is to be found on them (workflow/annotation/page.py).
const DESKS = JSON.parse(find("desks-data").textContent);
const deskOf = (network) => DESKS.find((desk) => desk.network === network);

const latents = new Map();
// z of a desk's sample.
function latentOf(desk, number) {
  if (!latents.has(desk)) {
    latents.set(desk, new Float32Array(Uint8Array.from(atob(desk.z), (letter) => letter.charCodeAt(0)).buffer));
  }
  const all = latents.get(desk), size = all.length / desk.samples;
  return all.slice(number * size, (number + 1) * size);
}
