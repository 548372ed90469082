// Buttons for time, savepoints and faults: each is a request to the control plane.

import { h } from "./dom.js";

const STATUSES = [503, 429, 500]; // of the errors that any call can meet

export class Controls {
  constructor(link, model, actions) {
    this.link = link;
    this.model = model;
    this.marks = h("ul", { class: "marks-list" });
    this.faults = h("ul", { class: "faults" });
    this.message = h("p", { class: "message", role: "status" });
    this.element = h("div", { class: "controls" }, this.message, ...this.makeTime(), ...this.makeMarks(), ...this.makeFaults(actions));
    this.failed = {}; // the last of `offerMoves`
    this.listFaults();
  }

  // Send a request, and say what came of it.
  async run(method, name, parameters, done) {
    try {
      const answer = await this.link.ask(method, name, parameters);
      this.message.textContent = done;
      this.message.classList.remove("failed");
      return answer;
    } catch (error) {
      this.message.textContent = error.message;
      this.message.classList.add("failed");
      return null;
    }
  }

  makeTime() {
    const seconds = h("input", { type: "number", min: 0, step: "any", value: 60, id: "seconds", required: true });
    const advance = (event) => {
      event.preventDefault();
      this.run("POST", "advance", { seconds: Number(seconds.value) }, `Advanced by ${seconds.value} s.`);
    };
    return [
      h("h3", null, "Time"),
      h("form", { class: "row", submit: advance }, h("label", { for: "seconds" }, "Seconds"), seconds, h("button", { type: "submit" }, "Advance"), h("button", { type: "button", click: () => this.run("POST", "settle", {}, "Settled: no resource is in a transient state.") }, "Settle")),
    ];
  }

  makeMarks() {
    const save = async () => {
      const at = this.model.steps.length;
      const answer = await this.run("POST", "savepoint", {}, "Savepoint created.");
      if (!answer) return;
      const back = h("button", { type: "button", click: () => this.run("POST", "rollback", { mark: answer.mark }, `Rolled back to savepoint ${answer.mark}.`) }, "Roll back");
      this.marks.append(h("li", null, `Savepoint ${answer.mark}, at step ${at} `, back));
    };
    return [h("h3", null, "Savepoints"), h("div", { class: "row" }, h("button", { type: "button", click: save }, "Create a savepoint")), this.marks];
  }

  makeFaults(actions) {
    const action = h("input", { id: "fault-action", list: "fault-actions", required: true, autocomplete: "off", spellcheck: "false" });
    const times = h("input", { id: "fault-times", type: "number", min: 1, value: 1, required: true });
    const status = h("select", { id: "fault-status" }, ...STATUSES.map((code) => h("option", { value: code }, String(code))));
    const after = h("input", { id: "fault-after", type: "checkbox" });
    const add = async (event) => {
      event.preventDefault();
      const fault = { action: action.value, times: Number(times.value), status: Number(status.value), after_effect: after.checked };
      if (await this.run("POST", "faults", fault, "Fault added.")) this.listFaults();
    };
    const clear = async () => {
      await this.run("DELETE", "faults", null, "All faults removed.");
      this.listFaults();
    };
    return [
      h("h3", null, "Faults"),
      h(
        "form",
        { class: "fields", submit: add },
        h("label", { for: "fault-action" }, "Action"),
        action,
        h("datalist", { id: "fault-actions" }, ...Object.keys(actions).map((name) => h("option", { value: name }))),
        h("label", { for: "fault-times" }, "Times"),
        times,
        h("label", { for: "fault-status" }, "HTTP status"),
        status,
        h("span"),
        h("label", { class: "check" }, after, "After the effect: the call works, and its answer is the error"),
        h("span"),
        h("span", { class: "row" }, h("button", { type: "submit" }, "Add the fault"), h("button", { type: "button", click: clear }, "Remove all")),
      ),
      this.faults,
    ];
  }

  async listFaults() {
    const faults = (await this.link.ask("GET", "faults").catch(() => [])) || [];
    const rows = faults.map((fault) => h("li", null, `${fault.action}: ${fault.error || (fault.drop ? "dropped" : "delayed")}, ${fault.times === null ? "every time" : `${fault.times} left`}`));
    this.faults.replaceChildren(...(rows.length ? rows : [h("li", { class: "hint" }, "No faults.")]));
  }

  // Buttons for a resource that changes by itself, and why the last of its moves failed.
  offerMoves(id) {
    const tell = (text) => {
      this.failed = { id, text };
      this.model.notify();
    };
    const run = (name) => this.link.ask("POST", name, { id }).then(
      () => tell(""),
      (error) => tell(error.message),
    );
    const note = h("span", { class: "message failed", role: "status" }, this.failed.id === id ? this.failed.text : "");
    return h("div", { class: "row", key: "moves" }, h("button", { type: "button", click: () => run("complete") }, "Complete"), h("button", { type: "button", click: () => run("fail") }, "Fail"), note);
  }
}
