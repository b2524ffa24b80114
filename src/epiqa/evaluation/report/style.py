"""How the report looks: dark or light as the system has it, in cards where it is narrow, and on paper."""

STYLE = """
:root {
  color-scheme: light dark; background: Canvas; color: CanvasText; font: 15px/1.5 system-ui, sans-serif;
  --quiet: #5c5c5c; --line: #8886; --better: #1b7f3b; --worse: #b3261e; --mark: #fde68a; --bin: #4a7fb5;
}
@media (prefers-color-scheme: dark) {
  :root { --quiet: #b4b4b4; --better: #6fcf8e; --worse: #ff9d94; --mark: #6b5400; }
}
[hidden] { display: none !important; }
body { max-width: 82rem; margin: 1.5rem auto 4rem; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 48rem; }
ol, ul { padding-left: 1.4rem; margin: 0; }
a { color: inherit; }
bdi { overflow-wrap: anywhere; }
code { font-size: .93em; }
mark { background: var(--mark); color: inherit; }
small { display: block; font-weight: 400; }
small, .quiet, caption { color: var(--quiet); }
.better { color: var(--better); }
.worse { color: var(--worse); }
.lead { font-size: 1.15rem; }

.bar { height: 2.4rem; margin: 1rem 0; }
.bar rect { fill: var(--kind); }
.bar a:hover rect { opacity: .8; }
.bar text { fill: #fff; font-weight: 600; font-size: 14px; stroke: none; }
.kinds {
  list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
}
.kinds li { position: relative; padding-left: 1.4rem; }
.kinds li::before {
  content: ""; position: absolute; left: 0; top: .3rem; width: .85rem; height: .85rem;
  border-radius: .2rem; background: var(--kind);
}
.kinds a { font-weight: 600; }

table { border-collapse: collapse; margin: .5rem 0 1rem; }
caption { text-align: left; padding-bottom: .35rem; }
th, td {
  border-bottom: 1px solid var(--line); padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top;
}
th { font-weight: 600; }
.figure { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.measures th[scope=row], .settings th[scope=row] { font-weight: 400; }
.settings td { overflow-wrap: anywhere; }
.differences { width: 100%; }
.differences .plot { width: 40%; padding-top: 0; padding-bottom: 0; }
.differences .plot svg { height: 3.6rem; }
.differences thead .plot svg { height: 1.4rem; }
.chance { color: var(--quiet); }
.chance circle { fill: Canvas; stroke: currentColor; }

.filter { display: flex; flex-wrap: wrap; gap: .4rem .6rem; margin: .75rem 0; }
.filter a { border: 1px solid var(--line); border-radius: 1rem; padding: .15rem .7rem; text-decoration: none; }
.filter a:hover { text-decoration: underline; }
.only { display: none; }
.only:target { display: block; }
:target { scroll-margin-top: .5rem; }
input { font: inherit; width: 20rem; max-width: 100%; box-sizing: border-box; padding: .3rem .5rem; }
.rows { width: 100%; table-layout: fixed; }
.rows td { overflow-wrap: anywhere; }
.rows td.figure { white-space: normal; }
.rows thead th { position: sticky; top: 0; background: Canvas; }
.rows .verdict { width: 8.2rem; }
.rows .wide { width: 18%; }
.rows th.figure { width: 4.5rem; }
.rows th.confidence { width: 5.6rem; }
.rows th.short { width: 2.6rem; }
.rows li small { display: inline; }
.rows details p, .rows details ol { margin: .35rem 0; }
.chip {
  display: inline-block; border-radius: .25rem; padding: .05rem .45rem; font-size: .87rem; line-height: 1.4;
  background: var(--kind); color: #fff;
}
summary { cursor: pointer; }

.curves {
  display: grid; gap: 1.5rem 3rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
}
figure { margin: 0; max-width: 27rem; break-inside: avoid; }
figcaption { margin-top: .5rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 12px; fill: currentColor; paint-order: stroke; stroke: Canvas; stroke-width: 3px; }
svg path, svg line { fill: none; stroke: currentColor; }
svg .grid { stroke: var(--line); }
svg .bin { fill: var(--bin); }
svg .dashed { stroke-dasharray: 5 4; }
svg .dotted { stroke-dasharray: 1 3; }
svg .curve { stroke-width: 2px; stroke-linejoin: round; }
svg circle { fill: currentColor; stroke: Canvas; }

@media screen and (max-width: 70rem) {
  .rows, .rows caption, .rows tbody, .rows tr { display: block; width: auto; }
  .rows thead { display: none; }
  .rows tr {
    border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .75rem; margin-bottom: .75rem;
  }
  .rows td { display: grid; grid-template-columns: 6.5rem 1fr; border: 0; padding: .1rem 0; text-align: left; }
  .rows td::before { color: var(--quiet); }
  .rows td:first-child { display: block; }
}
@media screen and (max-width: 40rem) {
  .measures, .measures tbody, .measures caption { display: block; }
  .differences, .differences tbody, .differences caption { display: block; }
  .measures thead, .differences thead { display: none; }
  .measures tr, .differences tr {
    display: grid; grid-template-columns: 1fr auto; gap: 0 1rem;
    border-bottom: 1px solid var(--line); padding: .35rem 0;
  }
  .measures th, .measures td, .differences th, .differences td { border: 0; padding: 0; overflow-wrap: anywhere; }
  .measures .meaning { grid-area: 2 / 1; }
  .measures td.figure:nth-child(3) { grid-area: 2 / 2; }
  .differences .plot { grid-area: 2 / 1 / 3 / 3; width: auto; }
  .differences .plot svg { height: 2rem; }
  .differences .p { grid-area: 3 / 2; }
  .differences .p::before { content: "p "; }
  .differences .said { grid-area: 3 / 1; }
}
@media print {
  :root { font-size: 11px; }
  * { print-color-adjust: exact; }
  body { max-width: none; margin: 0; padding: 0; }
  .filter, .search { display: none; }
  .rows tr { break-inside: avoid; }
  .rows thead th { position: static; }
}
"""
