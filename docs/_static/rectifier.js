// The page on the rectifier: curves of numbers that came with the page, for the choices of its form.
"use strict";

const numbers = JSON.parse(document.getElementById("rectifier-numbers").textContent);
const { updates } = numbers;
const control = Object.fromEntries(
  ["b2", "threshold", "variance", "length", "update"].map((id) => [id, document.getElementById(id)]),
);
const WIDTH = 440, HEIGHT = 290, LEFT = 46, RIGHT = 96, TOP = 30, BOTTOM = 46;

const digits = (x) => (x === 0 ? "0" : String(Number(x.toPrecision(4))));
const logarithmic = (low, high) => (x) => Math.log(x / low) / Math.log(high / low);

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
}

// A panel over the updates up to `last`: marks on its y axis, lines with names, and a dot on the first line.
function panel({ title, last, up, marks, lines, levels = [], at }) {
  const across = logarithmic(1, last);
  const x = (t) => LEFT + across(t) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - up(value) * (HEIGHT - TOP - BOTTOM);
  const svg = element("svg", { class: "curves", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  const add = (...parts) => svg.append(element(...parts));
  const text = (attributes, words) => add("text", attributes, words);
  text({ class: "title", x: 2, y: 16 }, title);
  for (let t = 1; t <= last; t *= 10) {
    add("path", { class: "grid", d: `M${x(t)} ${TOP}V${HEIGHT - BOTTOM}` });
    text({ x: x(t), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, t < 1e4 ? String(t) : `${t / 1000}k`);
  }
  text({ x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, "update t");
  for (const mark of marks) {
    add("path", { class: "grid", d: `M${LEFT} ${y(mark)}H${WIDTH - RIGHT}` });
    text({ x: LEFT - 6, y: y(mark) + 5, "text-anchor": "end" }, mark < 1e4 ? String(mark) : `${mark / 1000}k`);
  }
  for (const { value, name } of levels) {
    add("path", { class: "mark", d: `M${LEFT} ${y(value)}H${WIDTH - RIGHT}` });
    text({ class: "mark", x: WIDTH - RIGHT + 6, y: y(value) + 5 }, name);
  }
  let lowest = TOP;
  const drawn = lines.map(({ kind, name, values }) => {
    const points = updates.map((t, i) => [t, values[i]]).filter(([t, value]) => t <= last && value !== null);
    const d = points.map(([t, value], i) => `${i ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`);
    add("path", { class: `line ${kind}`, d: d.join("") });
    return { kind, name, height: y(points.at(-1)[1]) + 5 };
  });
  for (const { kind, name, height } of drawn.sort((one, other) => one.height - other.height)) {
    lowest = Math.max(height, lowest);
    text({ class: `name ${kind}`, x: WIDTH - RIGHT + 6, y: lowest }, name);
    lowest += 17;
  }
  if (at.value !== null) add("circle", { class: "here", cx: x(at.t), cy: y(at.value), r: 5 });
  return svg;
}

function answer(rows) {
  const list = rows.flatMap(([term, words]) => {
    const [dt, dd] = ["dt", "dd"].map((name) => document.createElement(name));
    dt.textContent = term;
    dd.textContent = words;
    return [dt, dd];
  });
  document.getElementById("rectifier-answer").replaceChildren(...list);
}

function show() {
  const table = numbers.tables[control.b2.value];
  const b2 = numbers.decays[control.b2.value];
  const memory = Math.round(1 / (1 - Number(b2)));
  const last = Math.min(6 * memory, updates.at(-1));
  const visible = updates.filter((t) => t <= last).length;
  control.update.max = visible - 1;
  control.threshold.min = control.variance.value === "exact" ? 2 : 4;
  const threshold = Number(control.threshold.value);
  const choice = `${control.length.value} ${control.variance.value}`;
  const i = Number(control.update.value);
  const t = updates[i];
  const rho = table.rho[control.length.value];
  const r = table.r[choice].map((value, k) => (rho[k] > threshold ? value : null));
  const first = updates[r.findIndex((value) => value !== null)];
  const skipped = table.r[choice].filter((_, k) => r[k] === null).reduce((sum, value) => sum + value, 0);
  const most = 2 * memory - 1;

  document.getElementById("b2-shown").textContent = b2;
  document.getElementById("threshold-shown").textContent = threshold;
  document.getElementById("update-shown").textContent = t;
  document.getElementById("rectifier-curves").replaceChildren(
    panel({
      title: "Length ρ of the average", last, up: logarithmic(1, 1.3 * most), at: { t, value: rho[i] },
      marks: [1, 10, 100, 1000, 10000, 100000].filter((mark) => mark <= most),
      levels: [{ value: threshold, name: "threshold" }],
      lines: [{ kind: "own", name: "RAdam", values: rho }],
    }),
    panel({
      title: "Rectifier r, beside warmups", last, up: (value) => value, at: { t, value: r[i] },
      marks: [0, 0.25, 0.5, 0.75, 1],
      lines: [
        { kind: "linear", name: "linear", values: table.r.linear },
        { kind: "exponential", name: "exponential", values: table.r.exponential },
        { kind: "own", name: "RAdam", values: r },
      ],
    }),
  );
  answer([
    [`At update ${t}`, `ρ = ${digits(rho[i])}, ` + (r[i] === null ? "momentum SGD, or no update" : `r = ${digits(r[i])}`)],
    ["First rectified update", String(first)],
    ["Most that ρ comes to", String(most)],
    ["Whole steps left out", `RAdam ${(table.lost[choice] + skipped).toFixed(1)}, linear ${table.lost.linear}, exponential ${table.lost.exponential}`],
    ["Equivalent warmup", `linear over ${2 * memory} updates; at this update ${digits(table.r.linear[i])}`],
  ]);
}

control.update.max = updates.length - 1;
control.update.value = updates.findIndex((t) => t >= 100);
document.getElementById("rectifier").addEventListener("input", show);
show();
