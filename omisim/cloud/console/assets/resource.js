// The panel of the selected resource: its values, its lineage, what happened to it, and who may use it.

import { h, showTime, update } from "./dom.js";
import { describeChange } from "./model.js";

const MAX_RELATIVES = 30;

function definitions(rows) {
  return h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [h("dt", { key: name }, name), h("dd", { key: name }, value)]));
}

export function renderResource(model, id, target, reveal, extra) {
  const card = id && model.cards.get(id);
  if (!card) {
    const text = id ? `${id} does not exist at this point of the history.` : "Select a card to see its values, its lineage and its history.";
    update(target, [h("p", { class: "hint" }, text)]);
    return;
  }
  const account = model.account(card.account);
  const title = (model.view.kinds.find(([kind]) => kind === card.kind) || [])[1] || card.kind;
  const where = account ? `${account.name} in ${account.region}` : card.account;
  const shown = h(
    "div",
    { key: id },
    h("h3", { class: "resource-name" }, card.name || id),
    h("p", { class: "resource-kind" }, h("span", { class: `pill tone-${model.tone(card)}` }, card.state || title), ` ${title} · ${where}`),
    definitions([["Id", id], ...Object.entries(card.facts || {})]),
    ...section(model, "Comes from", listParents(model, id), reveal),
    ...section(model, "Led to", listChildren(model, id), reveal),
    ...listHistory(model, id),
    ...(extra || []),
  );
  update(target, [shown]);
}

function listParents(model, id) {
  return ((model.cards.get(id) || {}).parents || []).map(([how, parent]) => [parent, `${how} `, ""]);
}

function listChildren(model, id) {
  const children = [];
  for (const [child, card] of model.cards) {
    for (const [how, parent] of card.parents || []) if (parent === id) children.push([child, "", ` ${how} it`]);
  }
  return children;
}

function section(model, title, relatives, reveal) {
  if (!relatives.length) return [];
  const items = relatives.slice(0, MAX_RELATIVES).map(([id, before, after]) => {
    const name = (model.cards.get(id) || {}).name;
    return h("li", { key: id }, before, h("button", { type: "button", class: "link", click: () => reveal(id) }, id), name ? ` ${name}` : "", after);
  });
  const rest = relatives.length - MAX_RELATIVES;
  return [h("h4", { key: title }, title), h("ul", { class: "relatives", key: title }, ...items, rest > 0 && h("li", null, `and ${rest} more`))];
}

function listHistory(model, id) {
  const numbers = (model.touching.get(id) || []).filter((number) => number < model.at);
  if (!numbers.length) return [];
  const rows = numbers.slice(-MAX_RELATIVES).map((number) => {
    const step = model.steps[number];
    const before = (step.before.filter(([other]) => other === id).pop() || [])[1];
    const after = (step.after.filter(([other]) => other === id).pop() || [])[1];
    const go = h("button", { type: "button", class: "link", click: () => model.show(number + 1) }, model.title(step));
    return h("li", { key: number }, h("span", { class: "what" }, describeChange(before, after)), " ", go, h("span", { class: "when" }, ` ${showTime(step.at)}`));
  });
  return [h("h4", { key: "What happened" }, "What happened"), h("ol", { class: "history" }, ...rows)];
}

// The access matrix of an OMI: a row for each right, a column for each account, each mark with the rule that decides.
export function showAccess(access) {
  const mark = ([allowed, rule]) => h("td", { class: allowed ? "yes" : "no" }, h("span", { "aria-label": allowed ? "yes" : "no", role: "img" }, allowed ? "✓" : "✗"), " ", h("span", { class: "cell-rule" }, rule));
  const head = access.rows.map(([name]) => h("th", { scope: "col" }, name));
  const rows = access.rights.map((right, number) => h("tr", null, h("th", { scope: "row" }, right), ...access.rows.map((row) => mark(row[number + 1]))));
  const table = h("table", { class: "access" }, h("thead", null, h("tr", null, h("td"), ...head)), h("tbody", null, ...rows));
  return [
    h("h4", null, "Who may use it now"),
    h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Who may use it now" }, table),
    h("p", { class: "hint" }, `Supported by ${access.supported_by}.`),
    h("details", { key: "rules" }, h("summary", null, "What the rules say"), definitions(Object.entries(access.rules))),
  ];
}

// What a server adds: the lineage with the effects of a deletion, the timeline, and every field.
export function showMore(more) {
  const pre = (title, text) => (text ? [h("details", { key: title }, h("summary", null, title), h("pre", { tabindex: "0" }, text))] : []);
  return [
    ...(more.access ? showAccess(more.access) : []),
    ...pre("Lineage, and what a deletion would do", more.lineage),
    ...pre("Timeline", more.timeline),
    ...pre("All fields", more.fields && JSON.stringify(more.fields, null, 2)),
  ];
}
