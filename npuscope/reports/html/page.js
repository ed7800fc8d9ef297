"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const WHERE = ["NPU", "hybrid", "CPU int8", "CPU float", "-"];
  const KIND = ["hw", "hybrid", "sw", "sw", "none"];
  const FIRST = 300;

  const words = (column) => column.at.map((place) => column.words[place]);
  const names = (coded) => {
    let before = "";
    return coded.map((text) => (before = before.slice(0, parseInt(text[0], 36)) + text.slice(1)));
  };
  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const figure = (value) => (value === null || value === undefined ? "" : value.toLocaleString("en").replace(/,/g, " "));
  const small = (value) => (value ? String(value) : "");

  const L = data.layers, E = data.epochs;
  const layerNames = names(L.name);
  const total = L.ms.reduce((sum, value) => sum + value, 0) || 1;
  const layers = layerNames.map((name, i) => ({ i, name }));
  const fill = (rows, key, values) => rows.forEach((row, i) => (row[key] = values[i]));
  fill(layers, "op", words(L.op));
  fill(layers, "channels", words(L.channels));
  fill(layers, "where", [...L.where].map(Number));
  fill(layers, "cycles", L.cycles);
  fill(layers, "macs", L.macs);
  fill(layers, "ms", L.ms);
  fill(layers, "share", L.ms);
  fill(layers, "bound", words(L.bound));
  fill(layers, "epoch", L.epoch);
  fill(layers, "codes", words(L.codes));
  const epochs = E.ms.map((ms, i) => ({ i: i + 1, ms }));
  fill(epochs, "where", [...E.where].map(Number));
  fill(epochs, "op", words(E.op));
  fill(epochs, "cycles", E.cycles);
  fill(epochs, "bound", words(E.bound));
  fill(epochs, "name", E.layer.map((at, i) =>
    (at < 0 ? "" : layerNames[at]) + (E.count[i] > 1 ? ` and ${E.count[i] - 1} more` : "")));

  const where = { title: "where", key: "where", text: (row) => WHERE[row.where], kind: (row) => `${KIND[row.where]}-text` };
  const ms = { title: "ms", key: "ms", number: true, text: (row) => small(row.ms) };
  const cycles = { title: "cycles", key: "cycles", number: true, text: (row) => figure(row.cycles) };
  const bound = { title: "bound by", key: "bound", text: (row) => row.bound };

  // -- a table that sorts and narrows down

  class Table {
    constructor(id, rows, columns, pick) {
      this.rows = rows;
      this.columns = columns;
      this.pick = pick;
      this.shown = FIRST;
      this.printed = false;
      this.key = "i";
      this.down = false;
      this.query = "";
      this.place = "";
      this.root = document.getElementById(id);
      const head = element("tr");
      this.heads = columns.map((column) => {
        const cell = element("th", undefined, column.number ? "number" : "");
        cell.scope = "col";
        const button = element("button", column.title);
        button.type = "button";
        button.addEventListener("click", () => this.sort(column));
        cell.append(button);
        head.append(cell);
        return cell;
      });
      this.buttons = this.heads.map((cell) => cell.firstChild);
      const table = element("table"), top = element("thead");
      top.append(head);
      this.body = element("tbody");
      table.append(top, this.body);
      const wide = element("div", undefined, "wide");
      wide.append(table);
      this.count = element("p", "", "quiet");
      this.count.setAttribute("role", "status");
      this.more = element("button", "show all", "more");
      this.more.type = "button";
      this.more.addEventListener("click", () => { this.shown = Infinity; this.draw(); });
      this.root.append(this.tools(), this.count, wide, this.more);
      this.draw();
      window.addEventListener("beforeprint", () => this.print(true));
      window.addEventListener("afterprint", () => this.print(false));
    }

    // Paper shows every row that the filter leaves, as nobody can ask it for more. Browsers repeat the head of a table on
    // each sheet only where it holds text alone.
    print(begins) {
      this.printed = begins;
      this.heads.forEach((cell, i) => cell.replaceChildren(begins ? element("span") : this.buttons[i]));
      this.draw();
    }

    tools() {
      const box = element("div", undefined, "tools"), input = element("input"), select = element("select");
      input.type = "search";
      input.placeholder = "name, operator or code";
      input.setAttribute("aria-label", "filter");
      input.addEventListener("input", () => { this.query = input.value.toLowerCase(); this.draw(); });
      select.setAttribute("aria-label", "where it runs");
      select.append(new Option("everywhere", ""), ...WHERE.map((word, i) => new Option(word, String(i))));
      select.addEventListener("change", () => { this.place = select.value; this.draw(); });
      box.append(input, select);
      return box;
    }

    sort(column) {
      this.down = this.key === column.key ? !this.down : Boolean(column.number);
      this.key = column.key;
      this.draw();
    }

    found() {
      const keep = this.rows.filter((row) =>
        (this.place === "" || row.where === Number(this.place)) &&
        (!this.query || `${row.name}\n${row.op}\n${row.codes || ""}`.toLowerCase().includes(this.query)));
      const sign = this.down ? -1 : 1;
      return keep.sort((one, other) => {
        const a = one[this.key], b = other[this.key];
        if (a === b) return one.i - other.i;
        if (a === null || a === "") return 1;
        if (b === null || b === "") return -1;
        return (a < b ? -1 : 1) * sign;
      });
    }

    draw() {
      const found = this.found(), some = found.slice(0, this.printed ? found.length : this.shown);
      this.heads.forEach((cell, i) => {
        const sorted = this.columns[i].key === this.key;
        if (sorted) cell.setAttribute("aria-sort", this.down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
        cell.firstChild.textContent = this.columns[i].title + (sorted ? (this.down ? " ▼" : " ▲") : "");
      });
      this.body.replaceChildren(...some.map((row) => {
        const line = element("tr");
        for (const column of this.columns) {
          const kind = [column.number ? "number" : "", column.kind ? column.kind(row) : ""].join(" ").trim();
          line.append(element("td", column.text(row), kind));
        }
        if (this.pick) line.addEventListener("click", () => this.pick(row.i));
        line.dataset.row = row.i;
        return line;
      }));
      this.count.textContent = found.length === this.rows.length
        ? `${figure(found.length)} rows` : `${figure(found.length)} of ${figure(this.rows.length)} rows`;
      this.more.hidden = some.length === found.length;
    }
  }

  // -- the graph: a row a layer, lanes beside each other, columns of rows from left to right, as many as there is room for

  const SVG = "http://www.w3.org/2000/svg", PITCH = 14, LABELLED = layers.length <= 400, GAP = LABELLED ? 120 : 26;
  const PAPER = 1020; // made smaller to fit the sheet
  const drawn = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const perColumn = layers.length > 2000 ? 66 : 40;
  const lanes = Math.max(1, ...L.lane.map((lane) => lane + 1), ...L.from.map((lane) => lane + 1));
  const columnWidth = lanes * PITCH + GAP;
  const columns = Math.ceil(layers.length / perColumn);
  const column = (row) => Math.floor(row / perColumn);
  const y = (row) => (row % perColumn) * PITCH + 8;

  class Graph {
    constructor() {
      this.root = document.getElementById("graph");
      this.said = document.getElementById("picked");
      this.mark = drawn("circle", { class: "picked", r: 7, cx: -20, cy: -20 });
      this.abreast = 0;
      this.picked = -1;
      this.fit(this.root.clientWidth);
      window.addEventListener("resize", () => this.fit(this.root.clientWidth));
      window.addEventListener("beforeprint", () => this.fit(PAPER));
      window.addEventListener("afterprint", () => this.fit(this.root.clientWidth));
    }

    fit(room) {
      const abreast = Math.min(columns, Math.max(1, Math.floor(room / columnWidth)));
      if (abreast === this.abreast) return;
      this.abreast = abreast;
      this.bands = [];
      for (let first = 0; first < columns; first += abreast) this.bands.push(this.band(first));
      this.root.replaceChildren(...this.bands);
      this.show(this.picked);
    }

    x(row, lane) {
      return (column(row) % this.abreast) * columnWidth + Math.max(lane, 0) * PITCH + 8;
    }

    band(first) {
      const begin = first * perColumn, end = Math.min(layers.length, (first + this.abreast) * perColumn);
      const width = Math.min(this.abreast, columns - first) * columnWidth;
      const height = Math.min(end - begin, perColumn) * PITCH + 8;
      const svg = drawn("svg", {
        width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
        "aria-label": `graph of layers ${begin + 1} to ${end}`,
      });
      svg.append(drawn("path", { class: "edge", d: this.edges(begin, end) || "M0 0" }));
      const shapes = { hw: "", hybrid: "", sw: "", none: "" };
      for (let i = begin; i < end; i += 1) {
        const left = this.x(i, L.lane[i]), top = y(i), kind = KIND[layers[i].where];
        shapes[kind] += kind === "sw" ? `M${left} ${top - 5}l5 5l-5 5l-5-5z` : `M${left - 4} ${top - 4}h8v8h-8z`;
      }
      for (const [kind, path] of Object.entries(shapes)) if (path) svg.append(drawn("path", { class: kind, d: path }));
      for (let i = begin; LABELLED && i < end; i += 1) {
        const label = drawn("text", { x: this.x(i, lanes) + 2, y: y(i) + 4 });
        label.textContent = layers[i].op.slice(0, 16);
        svg.append(label);
      }
      svg.addEventListener("click", (event) => {
        const box = svg.getBoundingClientRect(), scale = width / box.width;
        const at = first + Math.floor(((event.clientX - box.left) * scale) / columnWidth);
        const row = Math.round(((event.clientY - box.top) * scale - 8) / PITCH);
        this.show(at * perColumn + Math.min(Math.max(row, 0), perColumn - 1));
      });
      return svg;
    }

    edges(begin, end) {
      let lines = "";
      for (let row = begin; row < layers.length; row += 1) {
        for (const step of L.in[row]) {
          const start = row - step, lane = L.from[start];
          if (lane < 0) continue;
          if (column(start) !== column(row)) {
            if (start >= begin && start < end) lines += `M${this.x(start, lane)} ${y(start)}v9`;
            if (row < end) lines += `M${this.x(row, L.lane[row])} ${y(row)}v-9`;
          } else if (row < end) {
            lines += `M${this.x(start, L.lane[start])} ${y(start)}`;
            if (step > 1) lines += `L${this.x(start, lane)} ${y(start + 1)}V${y(row - 1)}`;
            lines += `L${this.x(row, L.lane[row])} ${y(row)}`;
          }
        }
      }
      return lines;
    }

    show(i) {
      if (!(i in layers)) return;
      const row = layers[i];
      this.picked = i;
      this.mark.setAttribute("cx", this.x(i, L.lane[i]));
      this.mark.setAttribute("cy", y(i));
      this.bands[Math.floor(column(i) / this.abreast)].append(this.mark);
      this.said.textContent = [row.name, row.op, row.channels, WHERE[row.where], row.ms ? `${row.ms} ms` : "", row.codes].filter(Boolean).join(" · ");
      for (const old of document.querySelectorAll(".picked-row")) old.classList.remove("picked-row");
      const line = document.querySelector(`#layers tr[data-row="${i}"]`);
      if (line) line.classList.add("picked-row");
    }
  }

  const graph = new Graph();
  const show = (i) => graph.show(i);
  new Table("layers", layers, [
    { title: "#", key: "i", number: true, text: (row) => String(row.i + 1) },
    { title: "layer", key: "name", text: (row) => row.name, kind: () => "name" },
    where, ms,
    { title: "%", key: "share", number: true, text: (row) => (row.ms / total >= 0.0005 ? ((row.ms / total) * 100).toFixed(1) : "") },
    { title: "codes", key: "codes", text: (row) => row.codes, kind: () => "codes" },
    { title: "op", key: "op", text: (row) => row.op },
    { title: "channels", key: "channels", text: (row) => row.channels },
    cycles,
    { title: "MAC", key: "macs", number: true, text: (row) => (row.macs ? figure(row.macs) : "") },
    bound,
    { title: "epoch", key: "epoch", number: true, text: (row) => (row.epoch === null ? "" : String(row.epoch)) },
  ], show);
  new Table("epochs", epochs, [
    { title: "epoch", key: "i", number: true, text: (row) => String(row.i) },
    { title: "layers", key: "name", text: (row) => row.name, kind: () => "name" },
    where, ms,
    { title: "op", key: "op", text: (row) => row.op },
    cycles, bound,
  ]);
})();
