// The console of one cloud: the time bar, the board and the panel with its tabs.

import { Board } from "./board.js";
import { renderCalls, renderRefusals } from "./calls.js";
import { h, moveFocus, setText, showTime } from "./dom.js";
import { renderResource } from "./resource.js";
import { Slider } from "./slider.js";

const ANNOUNCE_MS = 400; // after the last change, so that a screen reader is not flooded

export class Console {
  constructor(model, title, subtitle) {
    this.model = model;
    this.slider = new Slider(model);
    this.board = new Board(model, (id) => this.onSelect(id));
    this.clock = h("time", { class: "clock" });
    this.status = h("span", { class: "status" }, subtitle);
    this.live = h("p", { class: "sr", role: "status", "aria-live": "polite" });
    this.tabs = new Map();
    this.tablist = h("div", { role: "tablist", "aria-label": "Panel", class: "tabs", keydown: (event) => this.moveTab(event) });
    this.panel = h("aside", { class: "panel", "aria-label": "Details" }, this.tablist);
    this.announced = null; // the step that was read out last, or will be
    this.extra = () => []; // what else to show of a resource
    this.addTab("resource", "Resource", (target) => this.renderResource(target));
    this.addTab("refusals", "Refusals", (target) => renderRefusals(model, target));
    this.addTab("calls", "Calls", (target) => renderCalls(model, target));
    this.header = h(
      "header",
      { class: "head" },
      h("h1", null, h("span", { class: "brand" }, "omisim"), title && h("span", { class: "title" }, title)),
      this.status,
      h("span", { class: "spacer" }),
      h("span", { class: "clock-label" }, "Cloud time ", this.clock),
    );
    this.element = h("div", { class: "console" }, this.header, this.slider.element, this.board.filters, h("main", { class: "body" }, this.board.element, this.panel), this.live);
    model.listen(() => this.schedule());
    this.openTab("resource");
    this.render();
  }

  // --- drawing: once a frame at the most, however many changes come

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.render();
    });
  }

  render() {
    const { model } = this;
    this.slider.render();
    this.board.refresh();
    const step = model.steps[model.at - 1];
    setText(this.clock, showTime(model.isLatest ? model.now : step && step.at).split(".")[0]);
    this.element.classList.toggle("is-past", !model.isLatest);
    const refused = model.refusals.filter((number) => number < model.at).length;
    setText(this.tabs.get("refusals").number, refused ? refused.toLocaleString("en") : "");
    this.renderTab();
    const count = model.changed.size;
    this.announce(step, `Step ${model.at} of ${model.steps.length}: ${this.slider.text}. ${count} ${count === 1 ? "resource" : "resources"} changed.`);
  }

  // Read out each step that is shown, but not what comes after a step of the past: it would put off the reading for ever.
  announce(step, text) {
    if (step === this.announced) return;
    this.announced = step;
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => setText(this.live, text), ANNOUNCE_MS);
  }

  // --- tabs

  addTab(name, title, render) {
    const number = h("span", { class: "number" });
    const tab = h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, "aria-selected": "false", tabindex: "-1", click: () => this.openTab(name) }, title, " ", number);
    const panel = h("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabindex: "0", hidden: true });
    this.tabs.set(name, { tab, panel, number, render });
    this.tablist.append(tab);
    this.panel.append(panel);
  }

  openTab(name) {
    this.open = name;
    for (const [other, { tab, panel }] of this.tabs) {
      tab.setAttribute("aria-selected", other === name ? "true" : "false");
      tab.tabIndex = other === name ? 0 : -1;
      panel.hidden = other !== name;
    }
    this.renderTab();
  }

  moveTab(event) {
    const next = moveFocus(event, [...this.tabs.values()].map(({ tab }) => tab));
    if (next) this.openTab(next.id.slice("tab-".length));
  }

  renderTab() {
    const { panel, render } = this.tabs.get(this.open);
    if (render) render(panel);
  }

  // --- the selected resource

  onSelect(id) {
    if (!id) return this.renderTab();
    this.openTab("resource");
    return this.panel.scrollIntoView({ block: "nearest" }); // in a narrow window, it is below the board
  }

  reveal(id) {
    this.board.reveal(id);
  }

  renderResource(target) {
    const id = this.board.selected;
    renderResource(this.model, id, target, (other) => this.reveal(other), id ? this.extra(id) : []);
  }
}
