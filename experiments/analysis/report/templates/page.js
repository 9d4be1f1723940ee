/* What a page does beyond being read. Nothing here is needed to read it.
 *
 * A template asks for it by attributes:
 *   table.sortable          headings sort; a cell's data-value is its key, else its text
 *   table[data-filter]      a field above the table keeps the rows that hold what is typed; its name is the attribute
 *   table[data-columns]     columns can be hidden; the attribute names them ("Metrics")
 *   td[data-value][data-low][data-high]   go into the CSV as three columns
 *   .panel svg              values under the pointer, and the figure as SVG and PNG
 *   [data-copy]             a button that copies the element's text
 *   button.term             shows the element named by its popovertarget
 */
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};
const tool = (text, label, onclick) => make("button", { type: "button", className: "tool", "aria-label": label, onclick }, text);
const words = (element) => {
  const copy = element.cloneNode(true);
  all(".tool, .permalink, svg, script, [popover]", copy).forEach((part) => part.remove());
  return copy.textContent.replace(/\s+/g, " ").trim();
};
const save = (name, parts, type) => {
  const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const fileName = (text) => (words(document.querySelector("h1")) + " " + text).toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 80) || "groundlings";
const status = make("p", { className: "hidden", role: "status" });
const tell = (text) => { status.textContent = text; };

/* Headings get links to themselves. */
const permalinks = () => {
  for (const heading of all("main h2[id], main h3[id]")) {
    heading.append(" ", make("a", { className: "permalink", href: "#" + heading.id, "aria-label": "Link to: " + words(heading) }, "#"));
  }
  const links = all("nav.contents a");
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links) {
        if (link.hash === "#" + target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  links.forEach((link) => {
    const target = document.getElementById(link.hash.slice(1));
    if (target) seen.observe(target);
    link.addEventListener("click", () => { const fold = link.closest("details"); if (fold) fold.open = false; });
  });
};

/* Definitions: tap and keyboard are the browser's own; the pointer only needs to rest. */
const definitions = () => {
  const place = (term, note) => {
    const at = term.getBoundingClientRect();
    note.style.margin = "0";
    note.style.left = Math.max(8, Math.min(at.left, innerWidth - note.offsetWidth - 8)) + "px";
    note.style.top = (at.bottom + note.offsetHeight + 12 < innerHeight ? at.bottom + 6 : Math.max(8, at.top - note.offsetHeight - 6)) + "px";
  };
  for (const term of all("button.term")) {
    const note = document.getElementById(term.getAttribute("popovertarget"));
    if (!note || !note.showPopover) continue;
    let timer = 0, rested = false;
    const open = () => note.matches(":popover-open");
    term.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "mouse") return;
      timer = setTimeout(() => { if (!open()) { note.showPopover(); place(term, note); rested = true; } }, 200);
    });
    term.addEventListener("pointerleave", () => { clearTimeout(timer); if (rested && open()) note.hidePopover(); rested = false; });
    term.addEventListener("click", (event) => {
      clearTimeout(timer);
      if (rested) { event.preventDefault(); rested = false; return; }
      setTimeout(() => { if (open()) place(term, note); });
    });
  }
};

/* Tables. */
const key = (cell) => {
  if (!cell) return null;
  const held = cell.dataset.value;
  if (held !== undefined) return held === "" || isNaN(held) ? held || null : Number(held);
  const text = words(cell);
  const number = Number(text.replace(/,/g, "").replace(/\u2212/g, "-").match(/^[+-]?\d+(\.\d+)?/)?.[0]);
  return Number.isFinite(number) && text ? number : text || null;
};
const sortRows = (table, column, falling) => {
  const body = table.tBodies[0];
  const sign = falling ? -1 : 1;
  const rows = [...body.rows].map((row) => [row, key(row.cells[column])]);
  rows.sort(([, a], [, b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === typeof b) return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
    return typeof a === "number" ? -1 : 1;
  });
  body.append(...rows.map(([row]) => row));
  [...table.tHead.rows[0].cells].forEach((head, number) => {
    if (number === column) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  tell(`Sorted by ${words(table.tHead.rows[0].cells[column])}, ${falling ? "largest first" : "smallest first"}`);
};
const sortable = (table, bar) => {
  const heads = [...table.tHead.rows[0].cells].map((head, column) => [column, words(head)]).filter(([, name]) => name);
  const turn = (column) => {
    const now = table.tHead.rows[0].cells[column].getAttribute("aria-sort");
    const numbers = [...table.tBodies[0].rows].some((row) => typeof key(row.cells[column]) === "number");
    sortRows(table, column, now ? now === "ascending" : numbers);
  };
  for (const [column, name] of heads) {
    table.tHead.rows[0].cells[column].append(tool("\u2195", "Sort by " + name, () => turn(column)));
  }
  const choice = make("select", { onchange: () => { if (choice.value) turn(Number(choice.value)); } }, make("option", { value: "" }, "as listed"));
  choice.append(...heads.map(([column, name]) => make("option", { value: String(column) }, name)));
  bar.append(make("label", { className: "narrow" }, "Sort by ", choice));
};
const filterable = (table, bar) => {
  const field = make("input", { type: "search" });
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      left += !row.hidden;
    }
    tell(`${left} of ${table.tBodies[0].rows.length} rows`);
  });
  bar.append(make("label", {}, table.dataset.filter + " ", field));
};
const columns = (table, bar) => {
  const shown = (column, visible) => { for (const row of table.rows) if (row.cells[column]) row.cells[column].hidden = !visible; };
  const heads = [...table.tHead.rows[0].cells];
  const list = make("div", { className: "choices" });
  heads.slice(1).forEach((head, number) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => shown(number + 1, box.checked));
    list.append(make("label", {}, box, " " + words(head)));
  });
  bar.append(make("details", {}, make("summary", {}, table.dataset.columns), list));
};
const csv = (table) => {
  const quote = (text) => (/[",\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text);
  /* A spreadsheet must not take a name for a formula. */
  const plain = (text) => quote(/^[=+\-@\t\r]/.test(text) && isNaN(text) ? "'" + text : text);
  const rows = [...table.rows].filter((row) => !row.hidden);
  const width = Math.max(...rows.map((row) => row.cells.length));
  const wide = Array.from({ length: width }, (_, column) => rows.some((row) => row.cells[column]?.dataset.low !== undefined));
  const label = (cell) => cell?.dataset.label ?? words(cell ?? make("i"));
  return rows.map((row) => Array.from({ length: width }, (_, column) => {
    const cell = row.cells[column];
    const head = row.parentElement === table.tHead;
    if (!wide[column]) return plain(cell?.dataset.value ?? (cell ? words(cell) : ""));
    if (head) return ["", " low", " high"].map((end) => plain(label(cell) + end)).join(",");
    return [cell?.dataset.value, cell?.dataset.low, cell?.dataset.high].map((end) => plain(end ?? "")).join(",");
  }).join(",")).join("\r\n") + "\r\n";
};
const tables = () => {
  for (const table of all("main table")) {
    if (!table.tHead || table.dataset.plain !== undefined) continue;
    const bar = make("div", { className: "tools" });
    if (table.dataset.filter) filterable(table, bar);
    if (table.classList.contains("sortable")) sortable(table, bar);
    if (table.dataset.columns) columns(table, bar);
    const name = table.caption ? table.caption.id : (table.closest("[aria-label]")?.getAttribute("aria-label") ?? "table");
    bar.append(tool("CSV", "Download this table as CSV", () => save(fileName(name) + ".csv", ["\ufeff" + csv(table)], "text/csv")));
    const place = table.closest(".wide") ?? table;
    if (bar.children.length > 1) place.before(bar);
    else place.after(bar);
  }
};

/* Figures. */
const VARIABLE = /var\((--[\w-]+)\)/g;
const standalone = (svg) => {
  const style = getComputedStyle(document.documentElement);
  const copy = svg.cloneNode(true);
  const [, , width, height] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const paper = `<rect width="100%" height="100%" fill="${style.getPropertyValue("--paper").trim()}"/>`;
  const text = new XMLSerializer().serializeToString(copy).replace(VARIABLE, (_, name) => style.getPropertyValue(name).trim());
  return { text: text.replace(/(<svg[^>]*>)/, "$1" + paper), width, height };
};
const raster = (svg, name) => {
  const { text, width, height } = standalone(svg);
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image();
  image.onload = () => {
    const canvas = make("canvas", { width: Math.round(width * 3), height: Math.round(height * 3) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(url);
    canvas.toBlob((blob) => save(name, [blob], "image/png"));
  };
  image.src = url;
};
const figures = () => {
  const tip = make("div", { className: "tip", hidden: true, "aria-hidden": "true" });
  (document.querySelector("footer") ?? document.body).append(tip);
  for (const panel of all(".panel")) {
    const svg = panel.querySelector("svg");
    if (!svg) continue;
    const name = fileName((panel.closest("figure")?.querySelector("figcaption")?.id || panel.closest("section")?.id || "figure") + " " + (all(".panel").indexOf(panel) + 1));
    panel.append(make("div", { className: "tools" },
      tool("SVG", "Download this figure as SVG", () => save(name + ".svg", [standalone(svg).text], "image/svg+xml")),
      tool("PNG", "Download this figure as PNG", () => raster(svg, name + ".png"))));
    const marks = all("use, path", svg).filter((mark) => mark.querySelector("title"));
    svg.addEventListener("pointermove", (event) => {
      let nearest = null, least = 24;
      for (const mark of marks) {
        const box = mark.getBoundingClientRect();
        const far = Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
        if (far < least) { least = far; nearest = mark; }
      }
      tip.hidden = !nearest;
      if (!nearest) return;
      tip.textContent = nearest.querySelector("title").textContent;
      tip.style.left = Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
      tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 12) + "px";
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
};

const copies = () => {
  for (const place of all("[data-copy], #sentence")) {
    place.append(" ", tool("Copy", "Copy this sentence", async (event) => {
      const button = event.currentTarget;
      const text = words(place);
      try { await navigator.clipboard.writeText(text); }
      catch {
        const field = make("textarea", { value: text, className: "hidden" });
        document.body.append(field);
        field.select();
        document.execCommand("copy");
        field.remove();
      }
      tell("Copied");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }));
  }
};

(document.querySelector("footer") ?? document.body).append(status);
definitions();
tables();
figures();
copies();
permalinks();
