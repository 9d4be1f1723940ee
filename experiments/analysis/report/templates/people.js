(() => {
  "use strict";
  const all = (root, query) => [...root.querySelectorAll(query)];
  const make = (name, text, attributes = {}) => {
    const found = document.createElement(name);
    found.textContent = text;
    for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
    return found;
  };
  // One of several things at a time, and arrows go from one to the next.
  const arrows = (items, chosen, width = 1) => items.forEach((item) => item.addEventListener("keydown", (event) => {
    const here = items.filter((each) => !each.hidden), place = here.indexOf(item);
    const step = { ArrowRight: 1, ArrowDown: width, ArrowLeft: -1, ArrowUp: -width }[event.key];
    const next = { Home: 0, End: here.length - 1 }[event.key] ?? (step && (place + step + here.length) % here.length);
    if (next === undefined) return;
    event.preventDefault();
    chosen(items.indexOf(here[next]));
    here[next].focus();
  }));

  let wanted = null; // the arm that was chosen last: other users open with it
  const tabs = (box) => {
    if (box.dataset.ready) return;
    box.dataset.ready = "1";
    const parts = all(box, ":scope > [data-tab]");
    const list = make("div", "", { class: "tabs", role: "tablist", "aria-label": box.dataset.tabs });
    const buttons = parts.map((part, place) => {
      const id = `${box.closest("article").id}-tab-${place}`;
      const button = make("button", part.dataset.tab, { role: "tab", type: "button", id, "aria-controls": `${id}-of` });
      part.id = `${id}-of`;
      part.setAttribute("role", "tabpanel");
      part.setAttribute("aria-labelledby", `${id} ${box.closest("article").id}-h`);
      part.removeAttribute("aria-label");
      list.append(button);
      return button;
    });
    const show = (chosen) => parts.forEach((part, place) => {
      part.hidden = place !== chosen;
      buttons[place].setAttribute("aria-selected", String(place === chosen));
      buttons[place].tabIndex = place === chosen ? 0 : -1;
    });
    buttons.forEach((button, place) => button.addEventListener("click", () => {
      wanted = parts[place].dataset.tab;
      show(place);
    }));
    arrows(buttons, (place) => buttons[place].click());
    box.prepend(list);
    box.showWanted = () => show(Math.max(parts.findIndex((part) => part.dataset.tab === wanted), 0));
    box.showWanted();
  };
  const enhance = (root) => all(root, "[data-tabs]").forEach(tabs);

  // Of the days that a fold holds, one is shown at a time.
  const showDay = (story) => {
    const fold = story.closest(".guest");
    if (!fold) return;
    all(fold, ".person").forEach((each) => { each.hidden = each !== story; });
    all(story, "[data-tabs]").forEach((box) => box.showWanted && box.showWanted());
    fold.open = true;
  };
  const reach = (element) => {
    element.scrollIntoView({ block: "nearest" });
    const heading = element.querySelector("h3") || element;
    heading.tabIndex = -1;
    heading.focus();
  };
  const served = /^https?:$/.test(location.protocol);
  const open = async (agent, day) => {
    all(document, ".user-dot").forEach((dot) => dot.classList.toggle("picked", dot.dataset.agent === String(agent)));
    const here = all(document, `.guest .person[data-agent="${agent}"]`);
    const story = day ? here.find((each) => each.dataset.day === String(day)) : here[0];
    if (story) { showDay(story); reach(story); return; }
    const box = document.getElementById("people-open");
    const into = box.querySelector(".opened-user");
    if (!served) {
      into.textContent = `Agent ${agent} is not in this file.`;
    } else {
      into.textContent = `Opening agent ${agent} ...`;
      try {
        const answer = await fetch(`people/${encodeURIComponent(agent)}${day ? `?day=${encodeURIComponent(day)}` : ""}`);
        const text = await answer.text();
        if (!answer.ok) throw new Error(text.slice(0, 300) || answer.status);
        into.innerHTML = text; // a fragment of this server, escaped there
        enhance(into);
      } catch (fault) {
        into.textContent = `Agent ${agent} could not be opened: ${fault.message}`;
      }
    }
    reach(into.querySelector(".person") || box);
  };

  all(document, ".guest").forEach((fold) => {
    const first = fold.querySelector(".person");
    if (first) all(fold, ".person").forEach((each) => { each.hidden = each !== first; });
  });
  enhance(document);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-agent]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(link.dataset.agent, link.dataset.day);
  });
  all(document, ".dots").forEach((strip) => {
    const dots = all(strip, ".user-dot");
    arrows(dots, (place) => dots.forEach((dot, number) => { dot.tabIndex = number === place ? 0 : -1; }));
  });
  const form = document.querySelector("#people-open form");
  if (form && served) {
    form.hidden = false;
    form.closest(".open-user").querySelector(".how").hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      open(form.elements.agent.value, form.elements.day.value);
    });
  }

  // One table of segments at a time, by one attribute or two.
  all(document, "[data-choose]").forEach((box) => {
    const tables = all(box, ".heat-part");
    const names = [...new Set(tables.flatMap((table) => table.dataset.names.split("|")))];
    const label = (text, values) => {
      const found = make("label", `${text} `);
      const select = document.createElement("select");
      values.forEach(([value, said]) => select.append(make("option", said, { value })));
      found.append(select);
      return [found, select];
    };
    const [first, one] = label(box.dataset.choose, names.map((name) => [name, name]));
    const [second, other] = label("and", [["", "nothing else"], ...names.map((name) => [name, name])]);
    const pairs = box.querySelector("details");
    const show = () => {
      const chosen = [one.value, other.value].filter((name, place, list) => name && list.indexOf(name) === place);
      const key = chosen.sort().join("|");
      tables.forEach((table) => { table.hidden = table.dataset.names.split("|").sort().join("|") !== key; });
      missing.hidden = tables.some((table) => !table.hidden);
    };
    const missing = make("p", "Too few users share these two attributes.", { class: "note" });
    if (pairs) { pairs.replaceWith(...all(pairs, ".heat-part")); }
    const row = make("div", "", { class: "chooser" });
    row.append(first, ...(pairs ? [second] : []));
    box.prepend(row);
    box.append(missing);
    [one, other].forEach((select) => select.addEventListener("change", show));
    show();
  });

  // A cell of the heat map leaves its segment's users among the dots.
  const users = all(document, ".user-dot[data-rows]"), told = document.querySelector(".dots-of");
  const strips = all(document, ".strip");
  const everybody = make("a", "Show all users", { href: "#h-spread" });
  let picked = null;
  const only = (button, table, row, words) => {
    if (picked) picked.setAttribute("aria-pressed", "false");
    picked = row < 0 || picked === button ? null : button;
    users.forEach((dot) => { dot.hidden = Boolean(picked) && dot.dataset.rows.split(" ")[table] !== String(row); });
    strips.forEach((strip) => {
      strip.classList.toggle("filtered", Boolean(picked));
      strip.classList.toggle("wanted", Boolean(picked) && strip.dataset.arm === words.arm);
      const dots = all(strip, ".user-dot"), first = dots.find((dot) => !dot.hidden);
      dots.forEach((dot) => { dot.tabIndex = dot === first ? 0 : -1; });
    });
    const said = told.querySelector("[role=status]");
    everybody.remove();
    if (!picked) { said.textContent = "All users are shown."; return; }
    picked.setAttribute("aria-pressed", "true");
    const strip = strips.find((each) => each.dataset.arm === words.arm);
    const dots = strip ? all(strip, ".user-dot") : [], left = dots.filter((dot) => !dot.hidden).length;
    said.textContent = `Only users with ${words.segment} (${words.users} users): ${left} of the ${dots.length} dots of ${words.arm}. The shares above the dots are of all users. `;
    told.append(everybody);
    if (strip) strip.scrollIntoView({ block: "nearest" });
  };
  const pickable = (part, number) => {
    const heads = [...part.querySelector("thead tr").cells].map((head) => head.textContent.trim());
    const names = part.dataset.names.split("|"), buttons = [];
    all(part, "tbody tr").forEach((line, place) => {
      const cells = all(line, ".cell"), levels = all(line, "th").map((head) => head.textContent.trim());
      const segment = levels.length < names.length ? `${levels[0]} by ${names.join(" and ")}` : names.map((name, at) => `${name} ${levels[at]}`).join(" and ");
      cells.forEach((cell, column) => {
        const arm = heads[heads.length - cells.length + column];
        const words = { arm, segment, users: line.querySelector("td").textContent.trim() };
        const button = make("button", "", { type: "button", class: "pick", "aria-pressed": "false" });
        const figure = cell.textContent.replace(/\s+/g, " ").trim();
        button.setAttribute("aria-label", place ? `${segment}, ${arm}: ${figure}. Show these users alone` : `everybody, ${arm}: ${figure}. Show all users`);
        button.append(...cell.childNodes);
        cell.append(button);
        button.tabIndex = buttons.length ? -1 : 0;
        button.addEventListener("click", () => only(button, number, place - 1, words));
        buttons.push(button);
      });
    });
    arrows(buttons, (chosen) => buttons.forEach((button, at) => { button.tabIndex = at === chosen ? 0 : -1; }), heads.length - names.length - 1);
  };
  if (users.length && told) {
    all(document, ".heat .heat-part").forEach(pickable);
    everybody.addEventListener("click", (event) => { event.preventDefault(); const last = picked; only(picked, 0, -1, {}); if (last) last.focus(); });
  }
})();
