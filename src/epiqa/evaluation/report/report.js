
const field = document.querySelector("input[type=search]");
if (field) {
  const rows = [...document.querySelectorAll(".rows tbody tr")];
  const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent).join("\n").toLowerCase());
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    rows.forEach((row, i) => { row.hidden = !words.every((word) => texts[i].includes(word)); });
    const shown = rows.filter((row) => getComputedStyle(row).display !== "none").length;
    document.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
  };
  document.querySelector(".search").hidden = false;
  field.addEventListener("input", filter);
  addEventListener("hashchange", filter);
  addEventListener("load", filter);
}
