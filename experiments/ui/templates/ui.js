"use strict";
(() => {
  const cells = (row) => [...row.children];
  const text = (cell) => cell.textContent.trim();
  // A figure as our pages write it: separators, a true minus sign, and a unit and an interval behind it.
  const FIGURE = /^([+\u2212-]?(?:\d[\d,]*)?\.?\d+(?:e[+-]?\d+)?)(?: %| s)?(?: \[[^\]]*\])?$/i;
  const number = (value) => Number((FIGURE.exec(value)?.[1] ?? "NaN").replaceAll(",", "").replace("\u2212", "-"));
  const isAbsent = (cell) => cell.classList.contains("none") || cell.querySelector(":scope > .quiet") !== null;

  for (const field of document.querySelectorAll("[data-filter]")) {
    const rows = [...document.querySelectorAll(`#${field.dataset.filter} tbody tr`)];
    const none = document.querySelector(`[data-none="${field.dataset.filter}"]`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const row of rows) {
        row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
        shown += !row.hidden;
      }
      if (none) none.hidden = shown > 0;
    });
    field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  }

  for (const table of document.querySelectorAll("[data-sortable]")) {
    table.querySelectorAll("thead th").forEach((head, place) => {
      if (!text(head) || head.classList.contains("mark")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const key = (row) => text(cells(row)[place]);
        const sorted = [...body.rows].sort((a, b) => {
          const [none, nothing] = [isAbsent(cells(a)[place]), isAbsent(cells(b)[place])];
          if (none || nothing) return none - nothing; // behind all others, whichever way these are sorted
          const [one, other] = [number(key(a)), number(key(b))];
          const words = Number.isNaN(one) - Number.isNaN(other);
          const order = words || (Number.isNaN(one) ? key(a).localeCompare(key(b)) : one - other);
          return down ? -order : order;
        });
        body.append(...sorted);
      });
    });
  }

  for (const button of document.querySelectorAll("[data-csv]")) {
    button.addEventListener("click", () => {
      const isFormula = (value) => /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value));
      const quoted = (value) => `"${(isFormula(value) ? "'" : "") + value.replaceAll('"', '""')}"`;
      const rows = [...document.getElementById(button.dataset.csv).rows];
      const link = document.createElement("a");
      const content = rows.map((row) => cells(row).map((cell) => (isAbsent(cell) ? "" : quoted(cell.textContent))).join(",")).join("\r\n");
      link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
      link.download = "answer.csv";
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  for (const form of document.querySelectorAll("[data-sure]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.sure)) event.preventDefault();
    });
  }

  const panel = document.querySelector("[data-refresh]");
  if (panel) {
    const began = panel.querySelector(".status")?.textContent;
    const lost = document.getElementById("lost");
    const lostBecause = (why) => {
      panel.classList.toggle("stale", why !== "");
      lost.querySelector("span").textContent = why;
      lost.hidden = why === "";
    };
    const look = async () => {
      if (!document.hidden) {
        try {
          const answer = await fetch(panel.dataset.refresh);
          if (answer.ok) panel.innerHTML = await answer.text();
          lostBecause(answer.ok ? "" : "it can no longer be read, as where it was moved or deleted");
          // Which buttons stand below depends on whether it runs.
          if (panel.querySelector(".status")?.textContent !== began) return window.location.reload();
        } catch {
          lostBecause("the server that showed it has ended");
          return;
        }
      }
      window.setTimeout(look, 2000);
    };
    if (began === "running") window.setTimeout(look, 2000);
  }
})();
