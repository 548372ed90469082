// The connection to the server: the token is exchanged for a cookie, then the view comes as server-sent events.

const RETRY_MS = 2000;

export class Link {
  // The cloud of the server that the address names; without a name, the first one.
  cloud = new URLSearchParams(location.search).get("cloud");

  // Take the token out of the address, and exchange it for a cookie that scripts cannot read.
  static async open(token) {
    const given = token || new URLSearchParams(location.hash.slice(1)).get("token");
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    if (!given) return;
    const answer = await fetch("session", { method: "POST", headers: { "X-Omisim-Token": given }, credentials: "same-origin" });
    if (!answer.ok) throw new Error("The server does not accept this token.");
  }

  // Send a request to the control plane; return its answer, or throw an Error with its reason.
  async ask(method, name, parameters) {
    const options = { method, credentials: "same-origin", headers: this.cloud ? { "X-Omisim-Cloud": this.cloud } : {} };
    if (parameters) options.body = JSON.stringify(parameters);
    const answer = await fetch(name, options);
    const text = await answer.text();
    let data = {};
    try {
      data = JSON.parse(text);
    } catch {
      data = { error: text };
    }
    if (!answer.ok) throw Object.assign(new Error(data.error || answer.statusText), { status: answer.status });
    return data;
  }

  // Receive the view, and then each change of it, in order. A hidden page leaves its stream to others.
  follow(receive, tell, refuse) {
    let last = Promise.resolve();
    const take = (name, data) => {
      last = last.then(() => receive[name](data));
    };
    const start = () => {
      if (document.hidden || this.source) return;
      const source = (this.source = new EventSource(this.cloud ? `view?cloud=${encodeURIComponent(this.cloud)}` : "view"));
      for (const name of ["view", "steps", "now"]) source.addEventListener(name, (event) => take(name, JSON.parse(event.data)));
      source.addEventListener("open", () => tell("Live", true));
      source.addEventListener("error", () => {
        if (source.readyState !== EventSource.CLOSED) return tell("Reconnecting…", false);
        this.source = null;
        return poll();
      });
    };
    // All streams of the server are in use, or the cookie has ended: read the view once, and try again.
    const poll = async () => {
      try {
        take("view", await this.ask("GET", "view"));
        tell("Every 2 seconds", true);
      } catch (error) {
        tell(error.status === 401 ? "Signed out" : "No connection", false);
        if (refuse(error) === undefined) return;
      }
      setTimeout(start, RETRY_MS);
    };
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) return start();
      if (this.source) this.source.close();
      this.source = null;
      return undefined;
    });
    start();
  }
}
