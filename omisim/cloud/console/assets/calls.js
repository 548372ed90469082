// The lists of the panel: the refusals with their rules and fixes, and the calls.

import { count, h, linkTo, showTime, update } from "./dom.js";
import { describeChange } from "./model.js";

const MAX_SHOWN = 60;

// A refusal: its rule, what it states, and how to fix the request.
export function showRefusal(refusal, key, ...more) {
  const lines = refusal.lines || [];
  const text = (name) => (lines.find((line) => line[0] === name) || [])[1];
  const rest = lines.filter(([name]) => !["Refused", "Fix", "Error"].includes(name));
  return h(
    "article",
    { class: "refusal", key },
    h("p", { class: "refusal-head" }, h("span", { class: "rule" }, refusal.rule), h("span", { class: "error" }, refusal.status ? `${refusal.status} ${refusal.code} ${refusal.type}` : "")),
    h("p", { class: "refused" }, refusal.details || refusal.error),
    refusal.statement && h("p", { class: "statement" }, refusal.statement),
    text("Fix") && h("p", { class: "fix" }, h("strong", null, "Fix "), text("Fix")),
    rest.length > 0 && h("details", null, h("summary", null, "Facts and evidence"), h("dl", null, ...rest.flatMap(([name, value]) => [h("dt", null, name || "Fact"), h("dd", null, linkTo(value))]))),
    ...more,
  );
}

export function renderRefusals(model, target) {
  const numbers = model.refusals.filter((number) => number < model.at).slice(-MAX_SHOWN).reverse();
  const rows = numbers.map((number) => {
    const step = model.steps[number];
    const go = h("button", { type: "button", class: "link", click: () => model.show(number + 1) }, model.title(step));
    return showRefusal(step.refusal, number, h("p", { class: "when" }, go, ` ${showTime(step.at)}`));
  });
  update(target, rows.length ? rows : [h("p", { class: "hint" }, "No call has been refused so far.")]);
}

export function renderCalls(model, target) {
  const end = Math.min(model.steps.length, Math.max(model.at + MAX_SHOWN / 2, MAX_SHOWN));
  const start = Math.max(0, end - MAX_SHOWN);
  const rows = model.steps.slice(start, end).reverse().map((step) => makeRow(model, step));
  const list = h("ol", { class: "calls", reversed: true, start: end }, ...rows);
  const note = model.view.complete ? "" : "Older calls are not kept: the history of a cloud is bounded. ";
  const range = `${count(model.steps.length, "step")}; those from ${start + 1} to ${end} are listed, the latest first.`;
  update(target, [h("p", { class: "hint" }, `${note}${range}`), list]);
}

function makeRow(model, step) {
  const isShown = step.number + 1 === model.at;
  const classes = ["call", step.action ? "" : "by-itself", step.number >= model.at ? "later" : ""].join(" ");
  const outcome = step.refusal ? h("span", { class: "rule" }, step.refusal.rule) : step.dropped ? "dropped" : summarize(step);
  const parameters = (step.parameters || []).map(([name, value]) => `${name}=${value}`).join(" ");
  const button = h(
    "button",
    { type: "button", class: classes, "aria-current": isShown ? "step" : null, click: () => model.show(step.number + 1) },
    h("span", { class: "call-head" }, h("span", { class: "action" }, model.title(step)), h("span", { class: "outcome" }, outcome)),
    parameters && h("span", { class: "parameters" }, parameters),
    (step.warnings || []).map((warning) => h("span", { class: "warning" }, warning)),
    h("span", { class: "when" }, `${step.number + 1} · ${showTime(step.at)}`),
  );
  return h("li", { key: step.number }, button);
}

function summarize(step) {
  if (!step.after.length) return "";
  if (step.after.length > 1) return count(new Set(step.after.map(([id]) => id)).size, "resource");
  const [id, after] = step.after[0];
  return `${id} ${describeChange(step.before[0][1], after)}`;
}
