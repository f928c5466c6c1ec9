"use strict";
// Everything is readable without this script: it only adds sorting and filters.
document.documentElement.classList.add("js");
const select = (root, query) => Array.from(root.querySelectorAll(query));

for (const table of select(document, "table.sortable")) {
  const body = table.tBodies[0];
  select(table, "thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      select(table, "thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return head.classList.contains("num") ? parseFloat(cell.dataset.sort ?? "Infinity") : cell.textContent;
      };
      const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      const rows = Array.from(body.rows);
      rows.sort((a, b) => (up ? 1 : -1) * order(key(a), key(b)));
      body.append(...rows);
    });
  });
}

for (const filter of select(document, "[data-filters]")) {
  const target = document.getElementById(filter.dataset.filters);
  const fields = select(filter, "input, select");
  const count = filter.querySelector("output");
  const apply = () => {
    let shown = 0;
    const items = select(target, "[data-item]");
    for (const item of items) {
      const kept = fields.every((field) => {
        const text = item.dataset[field.name] ?? item.textContent;
        return field.tagName === "SELECT"
          ? field.value === "" || text === field.value
          : text.toLowerCase().includes(field.value.toLowerCase());
      });
      item.hidden = !kept;
      shown += kept;
    }
    if (count) count.textContent = `${shown} of ${items.length} shown`;
  };
  fields.forEach((field) => field.addEventListener("input", apply));
}

// Paper has no folds.
addEventListener("beforeprint", () => select(document, "details").forEach((fold) => (fold.open = true)));
