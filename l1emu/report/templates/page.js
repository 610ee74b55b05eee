"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  const add = (parent, tag, attributes = {}, text = "") => {
    const svg = parent.namespaceURI === SVG || tag === "svg";
    const made = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  };

  const button = (parent, text, act) => {
    const made = add(parent, "button", { type: "button" }, text);
    made.addEventListener("click", () => act(made));
    return made;
  };

  // Tables: sorted by a column, and copied.

  const amount = (text) => {
    const found = text.replace(/,/g, "").replace(/−/g, "-").match(/^\s*(?:<\s*)?([+-]?\d*\.?\d+(?:e[+-]?\d+)?)/i);
    return found ? Number(found[1]) : NaN;
  };

  const cellText = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".term span").forEach((tip) => tip.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const [x, y] = [amount(a), amount(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return a.localeCompare(b, undefined, { numeric: true });
    return x - y;
  };

  const sortBy = (table, head) => {
    const upward = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", upward ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [cellText(row.cells[head.cellIndex]), row]);
    keyed.sort(([a], [b]) => (a === "" || b === "" || upward ? compare(a, b) : compare(b, a)));
    body.append(...keyed.map(([, row]) => row));
  };

  const asCsv = (table) => {
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    return [...table.rows].map((row) => [...row.cells].map((cell) => quoted(cellText(cell))).join(",")).join("\n") + "\n";
  };

  const copyText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = add(document.body, "textarea", { class: "unseen", "aria-hidden": "true" });
      area.value = text;
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    table.querySelectorAll("thead th").forEach((head) => {
      const text = cellText(head);
      head.textContent = "";
      button(head, text, () => sortBy(table, head));
    });
    const tools = document.querySelector(`[data-tools="${table.id}"]`);
    const copy = button(tools, "Copy as CSV", async () => {
      copy.textContent = (await copyText(asCsv(table))) ? "Copied" : "The browser does not allow it";
      setTimeout(() => (copy.textContent = "Copy as CSV"), 2000);
    });
    tools.prepend(copy);
  });

  // Figures: series are shown and hidden, values read, panels enlarged.

  const NEAR = 28; // of the figure's units: how far from a value the pointer may be
  const SMALLEST = 8; // a rectangle that is smaller is a click

  const ticksOf = ([scale, low, high], from, to) => {
    const at = (share) => (scale === "log" ? low * (high / low) ** share : low + share * (high - low));
    const ends = [at(from), at(to)].sort((a, b) => a - b);
    const found = [];
    if (scale === "log" && ends[1] / ends[0] > 30) {
      for (let k = Math.ceil(Math.log10(ends[0])); 10 ** k <= ends[1]; k++) found.push(10 ** k);
    } else {
      const rough = (ends[1] - ends[0]) / 5;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
      for (let k = Math.ceil(ends[0] / step); k * step <= ends[1]; k++) found.push(k * step);
    }
    const share = (value) => (scale === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    return found.map((value) => [share(value), String(Number(value.toPrecision(6)))]);
  };

  class Drawing {
    constructor(figure, data) {
      this.data = data;
      this.field = figure.querySelector(".drawing");
      this.svg = this.field.querySelector("svg");
      this.hidden = new Set();
      this.windows = data.panels.map((panel) => [...panel.box]);
      this.moved = data.panels.map((_, n) => this.parts(n));
      this.ticks = data.panels.map(() => add(this.svg, "g"));
      this.spot = add(this.svg, "circle", { class: "spot", r: 7, visibility: "hidden" });
      this.tip = add(this.field, "div", { class: "tip", role: "status", hidden: "" });
      this.step = -1;
      this.buttons(figure.querySelector(".controls"));
      this.listen();
    }

    buttons(controls) {
      controls.hidden = false;
      const toggles = this.data.series.map((name, k) => {
        const toggle = button(controls, "", () => this.show(k, this.hidden.has(k)));
        const patch = add(toggle, "svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
        add(patch, "rect", { width: 10, height: 10, fill: this.data.colours[k] || "#717581" });
        toggle.append(name);
        toggle.setAttribute("aria-pressed", "true");
        return toggle;
      });
      this.toggles = toggles;
      if (toggles.length > 1) {
        button(controls, "All", () => toggles.forEach((_, k) => this.show(k, true)));
        button(controls, "None", () => toggles.forEach((_, k) => this.show(k, false)));
      }
      if (toggles.length) add(controls, "span", { class: "gap" });
      button(controls, "Zoom in", () => this.zoom(0.5));
      button(controls, "Zoom out", () => this.zoom(2));
      button(controls, "Whole figure", () => this.whole());
    }

    show(k, wanted) {
      if (wanted) this.hidden.delete(k);
      else this.hidden.add(k);
      this.svg.querySelectorAll(`[data-series="${k}"]`).forEach((part) => part.classList.toggle("off", !wanted));
      this.toggles[k].setAttribute("aria-pressed", String(wanted));
      this.forget();
    }

    // What of panel n moves with its data, and where it was.
    parts(n) {
      const found = { paths: [], uses: [], texts: [], axes: this.svg.querySelectorAll(`[data-axis="${n}"] > g[id*="tick_"]`) };
      this.svg.querySelectorAll(`[data-panel="${n}"]`).forEach((group) => {
        group.querySelectorAll("path").forEach((path) => {
          if (!path.closest("defs")) found.paths.push([path, path.getAttribute("d")]);
        });
        group.querySelectorAll("use").forEach((use) => {
          found.uses.push([use, Number(use.getAttribute("x")), Number(use.getAttribute("y"))]);
        });
      });
      this.svg.querySelectorAll(`[data-text="${n}"][data-at]`).forEach((text) => {
        found.texts.push([text, ...text.getAttribute("data-at").split(" ").map(Number)]);
      });
      return found;
    }

    // Where a place of the figure as it is printed stands now in panel n.
    now(n, x, y) {
      const [left, top, right, bottom] = this.data.panels[n].box;
      const [a, b, c, d] = this.windows[n];
      return [left + ((x - a) / (c - a)) * (right - left), top + ((y - b) / (d - b)) * (bottom - top)];
    }

    inside(n, x, y) {
      const [left, top, right, bottom] = this.data.panels[n].box;
      return x >= left - 0.5 && x <= right + 0.5 && y >= top - 0.5 && y <= bottom + 0.5;
    }

    enlarge(n, [a, b, c, d]) {
      const box = this.data.panels[n].box;
      const [wide, high] = [Math.min(c - a, box[2] - box[0]), Math.min(d - b, box[3] - box[1])];
      if (wide < (box[2] - box[0]) / 1000 || high < (box[3] - box[1]) / 1000) return;
      const left = Math.min(Math.max(a, box[0]), box[2] - wide);
      const top = Math.min(Math.max(b, box[1]), box[3] - high);
      this.windows[n] = [left, top, left + wide, top + high];
      const { paths, uses, texts, axes } = this.moved[n];
      const enlarged = this.windows[n].some((v, k) => Math.abs(v - box[k]) > 0.01);
      const pair = (_, x, y) => this.now(n, Number(x), Number(y)).map((v) => v.toFixed(2)).join(" ");
      for (const [path, d] of paths) path.setAttribute("d", enlarged ? d.replace(/(-?[\d.]+) (-?[\d.]+)/g, pair) : d);
      for (const [use, x, y] of uses) {
        const [to_x, to_y] = this.now(n, x, y);
        use.setAttribute("x", to_x);
        use.setAttribute("y", to_y);
      }
      for (const [text, x, y] of texts) {
        const [to_x, to_y] = this.now(n, x, y);
        text.setAttribute("transform", `translate(${to_x - x} ${to_y - y})`);
        text.setAttribute("visibility", this.inside(n, to_x, to_y) || !this.inside(n, x, y) ? "visible" : "hidden");
      }
      axes.forEach((tick) => tick.setAttribute("visibility", enlarged ? "hidden" : "visible"));
      this.ticks[n].replaceChildren();
      if (enlarged) this.drawTicks(n);
      this.forget();
    }

    drawTicks(n) {
      const { box, x, y, ticks } = this.data.panels[n];
      const [left, top, right, bottom] = box;
      const [a, b, c, d] = this.windows[n];
      const [wide, high] = [right - left, bottom - top];
      const parent = this.ticks[n];
      for (const [share, text] of ticks[0] ? ticksOf(x, (a - left) / wide, (c - left) / wide) : []) {
        const [at] = this.now(n, left + share * wide, top);
        add(parent, "line", { class: "mark", x1: at, x2: at, y1: bottom, y2: bottom - 8 });
        add(parent, "text", { class: "tick", x: at, y: bottom + 18, "text-anchor": "middle" }, text);
      }
      for (const [share, text] of ticks[1] ? ticksOf(y, (bottom - d) / high, (bottom - b) / high) : []) {
        const at = this.now(n, left, bottom - share * high)[1];
        add(parent, "line", { class: "mark", x1: left, x2: left + 8, y1: at, y2: at });
        add(parent, "text", { class: "tick", x: left - 5, y: at + 5, "text-anchor": "end" }, text);
      }
    }

    zoom(factor) {
      this.windows.forEach(([a, b, c, d], n) => {
        const [x, y, wide, high] = [(a + c) / 2, (b + d) / 2, ((c - a) * factor) / 2, ((d - b) * factor) / 2];
        this.enlarge(n, [x - wide, y - high, x + wide, y + high]);
      });
    }

    pan(right, down) {
      this.windows.forEach(([a, b, c, d], n) => {
        const [x, y] = [right * 0.2 * (c - a), down * 0.2 * (d - b)];
        this.enlarge(n, [a + x, b + y, c + x, d + y]);
      });
    }

    whole() {
      this.data.panels.forEach((panel, n) => this.enlarge(n, panel.box));
    }

    at(event) {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      return [this.data.panels.findIndex((_, n) => this.inside(n, place.x, place.y)), place.x, place.y];
    }

    visible(n) {
      return this.data.panels[n].spots.filter((spot) => {
        if (this.hidden.has(spot[2])) return false;
        return spot.length > 4 || this.inside(n, ...this.now(n, spot[0], spot[1]));
      });
    }

    read(event) {
      const [n, x, y] = this.at(event);
      let [best, least] = [null, NEAR];
      for (const spot of n < 0 ? [] : this.visible(n)) {
        const [u, v] = this.now(n, spot[0], spot[1]);
        const [p, q] = spot.length > 4 ? this.now(n, spot[4], spot[5]) : [u, v];
        const outside = (value, one, other) => Math.max(Math.min(one, other) - value, value - Math.max(one, other), 0);
        const distance = Math.hypot(outside(x, u, p), outside(y, v, q));
        if (distance < least) [best, least] = [spot, distance];
      }
      if (best) this.tellAt(n, best, x, y);
      else this.forget();
    }

    tellAt(n, spot, x, y) {
      const boxed = spot.length > 4;
      const [u, v] = boxed ? [x, y] : this.now(n, spot[0], spot[1]);
      this.spot.setAttribute("cx", u);
      this.spot.setAttribute("cy", v);
      this.spot.setAttribute("visibility", boxed ? "hidden" : "visible");
      this.tip.textContent = (spot[2] < 0 ? "" : `${this.data.series[spot[2]].slice(0, 120)}\n`) + spot[3];
      this.tip.hidden = false;
      const scale = this.svg.getBoundingClientRect().width / this.svg.viewBox.baseVal.width;
      const left = u * scale + 14;
      const room = this.svg.clientWidth || this.svg.getBoundingClientRect().width;
      this.tip.style.left = `${Math.max(0, left + this.tip.offsetWidth > room ? u * scale - 14 - this.tip.offsetWidth : left)}px`;
      this.tip.style.top = `${Math.max(0, v * scale - this.tip.offsetHeight - 10)}px`;
    }

    forget() {
      this.tip.hidden = true;
      this.spot.setAttribute("visibility", "hidden");
    }

    next(by) {
      const every = this.data.panels.flatMap((_, n) => this.visible(n).map((spot) => [n, spot]));
      if (!every.length) return;
      this.step = (this.step + by + every.length + (this.step < 0 && by < 0 ? 1 : 0)) % every.length;
      const [n, spot] = every[this.step];
      const [u, v] = this.now(n, spot[0], spot[1]);
      this.tellAt(n, spot, u, v);
    }

    listen() {
      let chosen = null;
      const rectangle = (x, y) => [Math.min(chosen.x, x), Math.min(chosen.y, y), Math.max(chosen.x, x), Math.max(chosen.y, y)];
      this.svg.addEventListener("pointerdown", (event) => {
        const [n, x, y] = this.at(event);
        if (event.pointerType !== "mouse" || event.button || n < 0) return;
        event.preventDefault();
        this.field.focus({ preventScroll: true });
        chosen = { n, x, y, drawn: add(this.svg, "rect", { class: "chosen" }) };
        this.svg.setPointerCapture(event.pointerId);
      });
      this.svg.addEventListener("pointermove", (event) => {
        if (!chosen) return this.read(event);
        const [, x, y] = this.at(event);
        const [a, b, c, d] = rectangle(x, y);
        for (const [name, value] of Object.entries({ x: a, y: b, width: c - a, height: d - b })) chosen.drawn.setAttribute(name, value);
      });
      const end = (event) => {
        if (!chosen) return;
        const { n, drawn } = chosen;
        const [, x, y] = this.at(event);
        const [a, b, c, d] = rectangle(x, y);
        chosen = null;
        drawn.remove();
        if (event.type !== "pointerup" || c - a < SMALLEST || d - b < SMALLEST) return;
        const [left, top, right, bottom] = this.data.panels[n].box;
        const [p, q, r, s] = this.windows[n];
        const [wide, high] = [(r - p) / (right - left), (s - q) / (bottom - top)];
        this.enlarge(n, [p + (a - left) * wide, q + (b - top) * high, p + (c - left) * wide, q + (d - top) * high]);
      };
      this.svg.addEventListener("pointerup", end);
      this.svg.addEventListener("pointercancel", end);
      this.svg.addEventListener("pointerleave", () => chosen || this.forget());
      this.svg.addEventListener("click", (event) => event.pointerType !== "mouse" && this.read(event));
      this.svg.addEventListener("dblclick", () => this.whole());
      this.field.addEventListener("keydown", (event) => {
        const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        const to = keys[event.key];
        if (event.key === "Escape") this.forget();
        else if (to && event.shiftKey) this.pan(...to);
        else if (to && to[0]) this.next(to[0]);
        else return;
        event.preventDefault();
      });
      window.addEventListener("beforeprint", () => this.whole());
    }
  }

  document.querySelectorAll("figure[data-figure]").forEach((figure) => {
    const data = document.getElementById(`data-${figure.dataset.figure}`);
    if (data) new Drawing(figure, JSON.parse(data.textContent));
  });
})();
