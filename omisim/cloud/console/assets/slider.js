// The time bar: a slider over the history, one position for each step.

import { h, setText, showTime } from "./dom.js";

const MAX_MARKS = 300;

export class Slider {
  constructor(model) {
    this.model = model;
    this.marks = h("div", { class: "marks", "aria-hidden": "true" });
    this.input = h("input", { type: "range", min: 0, step: 1, "aria-label": "Point in the history", input: () => model.show(Number(this.input.value)) });
    this.back = h("button", { type: "button", "aria-label": "One step back", click: () => model.show(model.at - 1) }, "‹");
    this.forward = h("button", { type: "button", "aria-label": "One step forward", click: () => model.show(model.at + 1) }, "›");
    this.latest = h("button", { type: "button", class: "latest", click: () => model.show(model.steps.length) }, "Latest");
    this.place = h("span", { class: "place" });
    this.what = h("span", { class: "what" });
    this.when = h("span", { class: "when" });
    this.element = h(
      "section",
      { class: "timebar", "aria-label": "History" },
      this.back,
      h("div", { class: "track" }, this.marks, this.input),
      this.forward,
      this.latest,
      h("p", { class: "label" }, this.place, this.what, this.when),
    );
  }

  get text() {
    const { model } = this;
    if (!model.at) return "Before the first step";
    const step = model.steps[model.at - 1];
    const refused = step.refusal ? `, refused by ${step.refusal.rule}` : step.dropped ? ", dropped" : "";
    return `${model.title(step)}${refused}`;
  }

  render() {
    const { model } = this;
    const step = model.steps[model.at - 1];
    this.input.max = model.steps.length;
    this.input.value = model.at;
    this.input.setAttribute("aria-valuetext", `Step ${model.at} of ${model.steps.length}: ${this.text}`);
    this.back.disabled = model.at === 0;
    this.forward.disabled = this.latest.disabled = model.isLatest;
    setText(this.place, `${model.at.toLocaleString("en")} / ${model.steps.length.toLocaleString("en")}`);
    setText(this.what, this.text);
    setText(this.when, step ? showTime(step.at) : "");
    this.element.classList.toggle("past", !model.isLatest);
    this.element.classList.toggle("at-refusal", !!(step && step.refusal));
    this.renderMarks();
  }

  // A mark for each refusal, unless they are too many to tell apart.
  renderMarks() {
    const { refusals, steps } = this.model;
    const key = `${refusals.length} ${steps.length}`;
    if (key === this.marksKey) return;
    this.marksKey = key;
    const places = new Set(refusals.map((number) => Math.round((1000 * (number + 1)) / steps.length)));
    const shown = [...places].slice(-MAX_MARKS).map((place) => {
      const mark = h("i");
      mark.style.left = `${place / 10}%`;
      return mark;
    });
    this.marks.replaceChildren(...shown);
  }
}
