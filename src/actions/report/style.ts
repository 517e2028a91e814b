/** Colours of the timeline; by themselves for a picture that stands alone, and part of the page's. */
export const TIMELINE_STYLE = `
.timeline{--ink:#1f2933;--soft:#66727f;--line:#e3e8ee;--paper:#fff;--plain:#5b7ea8;--other:#86a2c2;--good:#4d9a78;--bad:#c4483d;--warn:#d19a2e;--quiet:#c5ccd4;--back:#8a6bb0;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
.timeline text{fill:var(--ink)}.timeline .tick{fill:var(--soft);font-size:11px}.timeline .took{fill:var(--soft);font-size:11px}
.timeline .lane{font-size:11px;font-weight:650;letter-spacing:.06em;text-transform:uppercase;fill:var(--soft)}
.timeline .grid,.timeline .rule{stroke:var(--line);stroke-width:1}.timeline .resume{stroke:var(--back);stroke-width:1.5;stroke-dasharray:4 3}
.timeline .gap{fill:url(#hatch);opacity:.55}.timeline .hatch-ground{fill:var(--paper)}.timeline .hatch-line{stroke:var(--soft);stroke-width:2;opacity:.55}
.timeline .on-bar{fill:#fff;font-size:11px}
.timeline .plain{fill:var(--plain)}.timeline .other{fill:var(--other)}.timeline .good{fill:var(--good)}.timeline .bad{fill:var(--bad)}
.timeline .warn{fill:var(--warn)}.timeline .quiet{fill:var(--quiet)}.timeline .back{fill:var(--back)}.timeline .unknown{fill:url(#hatch);stroke:var(--soft);stroke-width:.6}
@media(prefers-color-scheme:dark){.timeline{--ink:#e4e9ee;--soft:#94a1ae;--line:#2b333c;--paper:#161b21;--plain:#5f8fc4;--other:#456a94;--good:#4f9f7c;--bad:#e0665a;--warn:#d9a443;--quiet:#4a545f;--back:#a58acb}}
@media print{.timeline{--ink:#000;--soft:#444;--line:#ddd;--paper:#fff;--plain:#5b7ea8;--other:#86a2c2;--good:#4d9a78;--bad:#c4483d;--warn:#d19a2e;--quiet:#c5ccd4;--back:#8a6bb0}}
`;

export const PAGE_STYLE = `
:root{color-scheme:light dark;--ink:#1f2933;--soft:#5d6975;--line:#e3e8ee;--paper:#fff;--ground:#f6f8fa;--link:#2b6cb0;--good:#2f7d5b;--bad:#b3362b;--warn:#96690d;--good-bg:#e8f4ee;--bad-bg:#fbecea;--warn-bg:#fbf3e0}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--soft:#9aa6b2;--line:#2b333c;--paper:#161b21;--ground:#0f1317;--link:#7db3ea;--good:#6fc49c;--bad:#ef8a80;--warn:#e2b55c;--good-bg:#163126;--bad-bg:#3a1c19;--warn-bg:#352a12}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:66rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 .35rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.08rem;margin:2.4rem 0 .7rem}
p,li{overflow-wrap:anywhere}p{margin:.4rem 0}.soft{color:var(--soft)}.tight{white-space:nowrap}
a{color:var(--link)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.pill{display:inline-block;padding:.1rem .6rem;border-radius:1rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.pill.good{background:var(--good-bg)}.pill.bad{background:var(--bad-bg)}.pill.warn{background:var(--warn-bg)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:1.4rem 0 0;padding:0}
.figures div,.card{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem}
.figures dt{font-size:.82rem;color:var(--soft)}.figures dd{margin:.1rem 0 0;font-size:1.2rem;font-weight:600;overflow-wrap:anywhere}
.card{overflow-x:auto}.card .timeline{display:block;min-width:46rem;width:100%;height:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.38rem .9rem .38rem 0;border-bottom:1px solid var(--line)}td{overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);font-size:.85rem}
tr:last-child td,tr:last-child th{border-bottom:0}
tbody th{white-space:nowrap;width:1%;padding-right:1.6rem}
td.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
ul{margin:.3rem 0;padding-left:1.2rem}li{margin:.25rem 0}
footer{margin-top:3rem;font-size:.85rem;color:var(--soft)}
@media(max-width:40rem){main{padding:1.5rem .8rem 3rem}h1{font-size:1.4rem}table{font-size:.86rem}tbody th{white-space:normal;width:auto;padding-right:.8rem}table:has(thead){min-width:36rem}}
@media print{:root{--ink:#000;--soft:#444;--line:#ccc;--paper:#fff;--ground:#fff;--link:#000;--good:#1e6b4a;--bad:#9b2218;--warn:#7a5306;--good-bg:#fff;--bad-bg:#fff;--warn-bg:#fff}body{font-size:10.5pt}main{max-width:none;padding:0}.card,.figures div{border-color:#ccc}.card{overflow:visible}.card .timeline{min-width:0}h2{break-after:avoid}tr,.figures div,svg{break-inside:avoid}}
${TIMELINE_STYLE}`;
