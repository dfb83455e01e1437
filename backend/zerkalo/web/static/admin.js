// Draws the charts of the salon's desk from their tables. Without JavaScript the tables are there to be opened.
(() => {
  "use strict";

  const DAY_MS = 86400000;
  const HEIGHT = 240;
  const DAYS_MIN = 14; // a single day would be a wall
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(`--${name}`).trim();

  // Every day between the first and the last has its place, with something in it or not. Rows that are no days (hours,
  // weekdays) say their place and are called as in the table. Columns without a colour are not drawn.
  const read = (table, step) => {
    const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.colour);
    const rows = [...table.tBodies[0].rows].map((row) => ({
      day: row.dataset.place ? Number(row.dataset.place) : Date.parse(row.cells[0].dataset.day) / DAY_MS,
      counts: heads.map((head) => Number(row.cells[head.cellIndex].textContent.replace(/\s/g, ""))),
    }));
    const names = new Map([...table.tBodies[0].rows]
      .filter((row) => row.dataset.place)
      .map((row) => [Number(row.dataset.place), row.cells[0].textContent.trim()]));
    const last = rows[rows.length - 1].day;
    const first = names.size ? rows[0].day : Math.min(rows[0].day, last - (DAYS_MIN - 1) * step);
    const days = Array.from({ length: (last - first) / step + 1 }, (_, index) => first + index * step);
    const known = new Map(rows.map((row) => [row.day, row.counts]));
    const columns = heads.map((head, index) => ({
      isFirst: index === 0,
      text: head.textContent,
      colour: colour(`chart-${head.dataset.colour}`),
      counts: days.map((day) => (known.get(day) || [])[index] || 0),
    }));
    const nameOf = (day) => (names.size ? names.get(day) || "" : shortDay(day));
    return { days, nameOf, columns: columns.filter((column) => column.counts.some(Boolean)) };
  };

  // Stacked: the first column stands on top; each is drawn as high as it and all below it, the higher ones first.
  // Mirrored: the first column goes up, the second down. Beside: the first are bars, the others a line over them.
  const heights = (columns, kind) =>
    columns.map((column, index) =>
      kind === "mirrored"
        ? column.counts.map((count) => (column.isFirst ? count : -count))
        : kind === "beside"
        ? column.counts
        : column.counts.map((_, day) => columns.slice(index).reduce((sum, one) => sum + one.counts[day], 0)));

  const shortDay = (day) => {
    const date = new Date(day * DAY_MS);
    return `${String(date.getUTCDate()).padStart(2, "0")}.${String(date.getUTCMonth() + 1).padStart(2, "0")}`;
  };

  const draw = (place) => {
    const table = document.getElementById(place.dataset.chart);
    const step = Number(place.dataset.step);
    const { days, nameOf, columns } = read(table, step);
    if (!columns.length) return;
    place.hidden = false;
    const bars = uPlot.paths.bars({ size: [0.8, 40] });
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const isLine = (column) => place.dataset.kind === "beside" && !column.isFirst;
    const series = columns.map((column) => ({
      label: column.text,
      fill: isLine(column) ? undefined : column.colour,
      stroke: column.colour,
      width: isLine(column) ? 2 : 0,
      paths: isLine(column) ? uPlot.paths.linear() : bars,
      points: { show: isLine(column), size: 6, fill: column.colour },
      value: (_plot, _shown, seriesIndex, index) =>
        index === null || index === undefined ? "" : String(columns[seriesIndex - 1].counts[index]),
    }));
    const inView = (_plot, min, max) => [Math.min(min, 0) * 1.05, Math.max(max, 1) * 1.05];
    const plot = new uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, range: [days[0] - step / 2, days[days.length - 1] + step / 2] }, y: { range: inView } },
      axes: [
        { ...axis, values: (_plot, splits) => splits.map((day) => (Number.isInteger(day) ? nameOf(day) : "")) },
        { ...axis, size: 56, values: (_plot, splits) => splits.map((count) => (Number.isInteger(count) ? String(Math.abs(count)) : "")) },
      ],
      series: [
        { label: place.dataset.day, value: (_plot, day) => (day === null || day === undefined ? "" : nameOf(day)) },
        ...series,
      ],
    }, [days, ...heights(columns, place.dataset.kind)], place);
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  };

  for (const place of document.querySelectorAll("[data-chart]")) draw(place);
})();
