/* "Any metric, any two arms": a table of bars, from the figures that the page holds as JSON. */
{
  const holder = document.getElementById("pairs");
  if (holder) {
    const { arms, colours, metrics, means, gaps, primary, adjusted } = JSON.parse(holder.textContent);
    const part = document.querySelector(".choose");
    const table = part.querySelector("table");
    const metricChoice = document.getElementById("choose-metric");
    const baselineChoice = document.getElementById("choose-baseline");
    const number = (value, metric, sign) => {
      const text = Math.abs(value).toFixed(metric.decimals);
      const zero = Number(text) === 0;
      return (zero ? "" : value < 0 ? "\u2212" : sign ? "+" : "") + text;
    };
    const gap = (base, arm, metric) => {
      const cells = gaps[base < arm ? `${base}-${arm}` : `${arm}-${base}`];
      const cell = cells ? cells[metric] : null;
      if (!cell || base < arm) return cell;
      return [-cell[0], cell[2] === null ? null : -cell[2], cell[1] === null ? null : -cell[1], cell[3]];
    };
    const bar = (cell, reach, colour) => {
      const at = (value) => 50 + (48 * value) / reach + "%";
      const box = make("span", { className: "lift", "aria-hidden": "true" });
      const piece = (name, left, right) => {
        const span = make("span", { className: name });
        span.style.left = left;
        if (right) span.style.right = `calc(100% - ${right})`;
        box.append(span);
        return span;
      };
      piece("zero", "50%");
      if (cell[1] !== null) piece("reach", at(cell[1]), at(cell[2])).style.background = `var(--${colour})`;
      piece("dot", at(cell[0])).style.background = `var(--${colour})`;
      return box;
    };
    const draw = () => {
      const which = Number(metricChoice.value), base = Number(baselineChoice.value), metric = metrics[which];
      const rows = arms.map((name, arm) => ({ name, arm, mean: means[which][arm], cell: arm === base ? null : gap(base, arm, which) }));
      rows.sort((a, b) => (a.arm === base) - (b.arm === base) || ((b.cell ? b.cell[0] : -Infinity) - (a.cell ? a.cell[0] : -Infinity)) * (metric.better || 1));
      const reach = Math.max(1e-12, ...rows.flatMap(({ cell }) => (cell ? cell.slice(0, 3).map((end) => Math.abs(end ?? 0)) : [])));
      table.caption.textContent = `${metric.label} (${metric.unit}), difference to ${arms[base]}, the best arm first. Intervals are 95 % each and not corrected for the choice of metric and arm${adjusted ? "; means are as logged, differences adjusted as the plan declares" : ""}.`;
      table.tBodies[0].replaceChildren(...rows.map(({ name, arm, mean, cell }) => {
        const swatch = make("span", { className: "swatch", "aria-hidden": "true" });
        swatch.style.setProperty("--c", `var(--${colours[arm]})`);
        const difference = make("td", { className: "left", "data-label": "Difference" });
        if (cell) difference.append(bar(cell, reach, colours[arm]), number(cell[0], metric, true));
        else difference.append(arm === base ? "compared with" : "not in this page");
        const interval = cell && cell[1] !== null ? `[${number(cell[1], metric, true)}, ${number(cell[2], metric, true)}]` : "";
        return make("tr", {}, make("th", { scope: "row" }, swatch, name), make("td", { "data-label": "Mean" }, mean ? number(mean[0], metric, false) : "n/a"),
          difference, make("td", { "data-label": "95 % interval" }, interval), make("td", { "data-label": "n" }, cell ? cell[3].toLocaleString("en") : ""));
      }));
    };
    metricChoice.append(...metrics.map((metric, at) => make("option", { value: String(at), selected: metric.name === primary }, metric.label)));
    baselineChoice.append(...arms.map((name, at) => make("option", { value: String(at) }, name)));
    metricChoice.onchange = baselineChoice.onchange = draw;
    part.hidden = false;
    draw();
  }
}
