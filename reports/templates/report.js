"use strict";
// Everything is readable without this script: it adds sorting, filters, a slider and hints.
document.documentElement.classList.add("js");
const select = (root, query) => Array.from(root.querySelectorAll(query));

/** An element with properties and children; texts become text nodes, never markup. */
function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** What a cell says, without the small print below it. */
const said = (cell) => (cell.querySelector(".verdict, abbr") ?? cell.firstChild)?.textContent.trim() ?? "";

// Tables: sorted by their heads.

function sortable(table) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = head.classList.contains("num") && column > 0;
      const key = (row) => {
        const cell = row.cells[column];
        if (numeric) return parseFloat(cell.dataset.sort ?? "Infinity");
        return cell.dataset.sort === undefined ? said(cell) : Number(cell.dataset.sort);
      };
      const order = (a, b) =>
        typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a < b ? -1 : a > b ? 1 : 0;
      const rows = Array.from(body.rows);
      rows.sort((a, b) => (up ? 1 : -1) * order(key(a), key(b)));
      body.append(...rows);
    });
  });
}

// Long tables: filtered by any text, and by columns of few words, such as prompts and samplers.

function choices(table, column) {
  return [...new Set(Array.from(table.tBodies[0].rows, (row) => said(row.cells[column])))];
}

function filterable(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const form = make("form", { className: "filters" });
  const count = make("output", {});
  const text = make("input", { type: "search", name: "text", autocomplete: "off" });
  form.append(make("label", {}, "Text", text));
  const fields = [];
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const found = choices(table, column);
    if (head.classList.contains("num") || found.length < 2 || found.length > Math.min(60, rows.length / 2)) return;
    const name = head.textContent.trim();
    const field = make("select", { name: name.toLowerCase() }, make("option", { value: "" }, "All"));
    found.forEach((choice) => field.append(make("option", { value: choice }, choice)));
    form.append(make("label", {}, name, field));
    fields.push([column, field]);
  });
  form.append(count);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    let shown = 0;
    for (const row of rows) {
      const kept =
        row.textContent.toLowerCase().includes(text.value.toLowerCase()) &&
        fields.every(([column, field]) => !field.value || said(row.cells[column]) === field.value);
      row.hidden = !kept;
      shown += kept;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
  });
  table.closest(".box").querySelector(".caption").after(form);
}

select(document, "table.sortable").forEach((table) => {
  if (table.tBodies[0].rows.length > 8) filterable(table);
  sortable(table);
});

// Pictures: filtered by prompt, by label, and by what changes between samplers.

select(document, "form[data-filters]").forEach((form) => {
  const place = document.getElementById(form.dataset.filters);
  const items = select(place, "[data-item]");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const fields = select(form, "select").filter((field) => field.value);
    for (const item of items) {
      item.hidden = !fields.every((field) => item.dataset[field.name].split("\n").includes(field.value));
    }
    for (const reel of select(place, ".reel")) {
      reel.hidden = !reel.querySelector("[data-item]:not([hidden])");
      if (fields.length) reel.open = true;
    }
    const shown = items.filter((item) => !item.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${items.length} shown`;
  });
});

// Two samplers on the same noise, one over the other. The pictures are the grid's own.

function viewer(place) {
  const rows = select(place, "tr[data-item]").filter((row) => select(row, "img").length > 1);
  if (!rows.length) return;
  const names = Array.from(place.querySelector("thead").rows[0].cells, (cell) => cell.textContent.trim()).slice(1);
  const pick = (label, at) => {
    const field = make("select", {}, ...names.map((name, i) => make("option", { value: i }, name)));
    field.selectedIndex = at;
    return [field, make("label", {}, label, field)];
  };
  const [left, leftLabel] = pick("Left", 0);
  const [right, rightLabel] = pick("Right", names.length - 1);
  const range = make("input", { type: "range", min: 0, max: 100, value: 50 });
  range.setAttribute("aria-label", "How far the left picture reaches over the right one");
  const under = make("img", {}), over = make("img", { className: "over" });
  const stage = make("div", { className: "stage" }, under, over, make("span", { className: "edge" }));
  const which = make("p", { className: "small" });
  const says = make("div", { className: "says" }, make("p", {}), make("p", {}));
  let row = rows[0];

  const cut = () => {
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % ${names[left.value]}, ${100 - range.value} % ${names[right.value]}`);
  };
  const show = () => {
    const sides = [[over, left, says.firstChild], [under, right, says.lastChild]];
    for (const [image, field, caption] of sides) {
      const cell = row.cells[1 + Number(field.value)], shot = cell.querySelector("img");
      image.hidden = !shot;
      if (shot) [image.src, image.alt] = [shot.src, shot.alt];
      const label = cell.querySelector("figcaption")?.firstChild.textContent ?? "no picture";
      caption.replaceChildren(make("strong", {}, names[field.value]), label);
    }
    rows.forEach((other) => other.classList.toggle("chosen", other === row));
    row.closest(".reel").open = true;
    const prompt = row.closest(".reel").querySelector("h3")?.textContent;
    which.textContent = [prompt, row.cells[0].textContent.trim()].filter(Boolean).join(", ");
    cut();
  };
  const step = (by) => {
    const shown = rows.filter((other) => !other.hidden);
    const next = shown.indexOf(row) + by;
    row = shown.at(next < shown.length ? next : 0) ?? row;
    show();
  };
  const button = (text, by) => {
    const made = make("button", { type: "button" }, text);
    made.addEventListener("click", () => step(by));
    return made;
  };
  rows.forEach((other) => {
    const head = other.cells[0];
    const choose = make("button", { type: "button", title: "Show in the slider" }, ...head.childNodes);
    head.append(choose);
    other.addEventListener("click", () => ((row = other), show()));
  });
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    if (event.buttons) range.value = (100 * (event.clientX - box.left)) / box.width;
    cut();
  };
  stage.addEventListener("pointerdown", (event) => (stage.setPointerCapture(event.pointerId), drag(event)));
  stage.addEventListener("pointermove", drag);
  range.addEventListener("input", cut);
  [left, right].forEach((field) => field.addEventListener("change", show));
  const title = make("h3", {}, "One over the other");
  const pair = make("div", { className: "pair" }, leftLabel, rightLabel);
  const turn = make("div", { className: "turn" }, button("Previous", -1), button("Next", 1));
  place.prepend(make("div", { className: "viewer" }, title, pair, stage, range, says, which, turn));
  show();
}

select(document, ".reels.beside").forEach(viewer);

// Drawings: a mark says its numbers under the pointer, and by arrow keys once its drawing has the focus.

const tip = make("div", { className: "tip", hidden: true });
tip.setAttribute("role", "status");
document.body.append(tip);

function hinting(drawing) {
  const marks = select(drawing, ".hinted").map((node) => {
    const title = node.querySelector("title");
    const text = title.textContent;
    title.remove(); // else the browser says it, too
    return { node, text };
  });
  if (!marks.length) return;
  let at = -1;
  const clear = () => {
    marks[at]?.node.classList.remove("on");
    at = -1;
    tip.hidden = true;
  };
  const point = (next) => {
    if (next === at) return;
    clear();
    at = next;
    const { node, text } = marks[at];
    node.classList.add("on");
    tip.textContent = text;
    tip.hidden = false;
    const box = node.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth - own.width - 8;
    tip.style.left = `${Math.max(8, Math.min(box.right - own.width / 2, room))}px`;
    tip.style.top = `${box.top > own.height + 70 ? box.top - own.height - 6 : box.bottom + 6}px`;
  };
  const away = (box, event) =>
    Math.hypot(
      Math.max(box.left - event.clientX, 0, event.clientX - box.right),
      1.5 * Math.max(box.top - event.clientY, 0, event.clientY - box.bottom),
    );
  drawing.addEventListener("pointermove", (event) => {
    const far = marks.map(({ node }) => away(node.getBoundingClientRect(), event));
    const nearest = far.indexOf(Math.min(...far));
    if (far[nearest] < 150) point(nearest);
    else clear();
  });
  drawing.addEventListener("pointerleave", clear);
  drawing.addEventListener("focus", () => drawing.matches(":focus-visible") && point(0));
  drawing.addEventListener("blur", clear);
  drawing.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") clear();
    if (!by) return;
    event.preventDefault();
    point((at + by + marks.length) % marks.length);
  });
  drawing.setAttribute("tabindex", "0");
  drawing.setAttribute("aria-label", `${drawing.getAttribute("aria-label")}. Arrow keys read its marks.`);
}

select(document, "svg").forEach(hinting);
addEventListener("scroll", () => (tip.hidden = true), { passive: true });

// The contents say where the reader is.

const links = new Map(select(document, "nav a").map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      links.forEach((link, key) => key === entry.target.id || link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  },
  { rootMargin: "-20% 0px -75% 0px" },
);
select(document, "main > section").forEach((section) => seen.observe(section));

// Paper has no folds.
addEventListener("beforeprint", () => select(document, "details").forEach((fold) => (fold.open = true)));
