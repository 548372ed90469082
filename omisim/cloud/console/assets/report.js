// The console in a file: the view stands in the page, and nothing is fetched.

import { Console } from "./console.js";
import { Model } from "./model.js";
import { showAccess } from "./resource.js";

const view = JSON.parse(document.getElementById("view").textContent);
const report = new Console(new Model(view), view.title, "Report");
report.extra = (id) => (view.access && view.access[id] && report.model.isLatest ? showAccess(view.access[id]) : []);
document.title = view.title ? `${view.title} – omisim` : "omisim report";
document.getElementById("console").replaceWith(report.element);
report.board.draw();
