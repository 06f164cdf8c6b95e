// Between annotating and playing: exemplars go into the slots of arithmetic and turn, and samples in the slots become
// exemplars, if they are of those that are annotated.
"use strict";

const titleOf = ({ a, b, c, left, right }) => (a ? `${a} \u2212 ${b} + ${c}` : `${left} to ${right}`);

function renderPlays() {
  const playable = typeof change === "function" && known.has(desk().network) && deskOf(desk().network) === desk();
  const plays = playable ? desk().plays : [];
  find("plays").hidden = plays.length === 0;
  find("plays").replaceChildren(...plays.map((play) => button(`Show ${titleOf(play)}`, () => showPlay(play))));
  for (const [slot, name] of [["a", "A, B, C"], ["left", "left and right"]]) {
    const told = element("span", { className: "hint" });
    told.setAttribute("role", "status");
    const buttons = plays.filter((play) => play[slot]).map((play) => button(`Keep ${name} as ${Object.values(play).join(", ")}`, () => keepPlay(play, told)));
    find(`keep-${slot}`)?.replaceChildren(...buttons, told);
  }
}

function showPlay(play) {
  const ids = (slot, concept) => numbersOf(concept).slice(0, SLOTS[slot].most).map((number) => `hand.${number}`);
  const slots = Object.entries(play).map(([slot, concept]) => [slot, ids(slot, concept)]);
  const begun = state.network === desk().network ? {} : freshState(desk().network);
  change({ ...begun, draw: "hand", slot: Object.keys(play)[0], ...Object.fromEntries(slots) });
  find(play.a ? "arithmetic" : "turning").scrollIntoView();
}

function keepPlay(play, told) {
  const ids = Object.keys(play).map((slot) => state[slot]), all = `the ${desk().samples} samples of ${desk().network} to annotate`;
  const kept = state.network === desk().network && ids.flat().every((id) => id.startsWith("hand.")) && ids.every((some) => some.length);
  if (!kept) {
    told.textContent = `Not kept: choose one or more of ${all} for each`;
    return;
  }
  for (const [slot, concept] of Object.entries(play)) setConcept(concept, state[slot].map((id) => Number(id.split(".")[1])));
  line.then(() => { told.textContent = find("status").textContent; });
}
